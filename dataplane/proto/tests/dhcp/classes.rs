//! Who is a member of a class, and what members get.

use std::net::Ipv4Addr;

use ironherd_proto::DropReason;
use ironherd_snapshot::{
    ClassField, ClassMatch, ClientClass, Intent, MatchOperator, Range, ScopeOptions, Snapshot,
};
use ironherd_wire::dhcp::MessageType::Discover;
use ironherd_wire::dhcp::{Message, code};

use crate::lab::{Lab, MAC, Said, address, mac, option, snapshot};

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 9, 253);
/// Sent to members alone.
const MARK: u8 = 224;

fn of(code: u16, sub: Option<u16>) -> ClassField {
    ClassField::Option { code, sub }
}

fn condition(field: ClassField, operator: MatchOperator, value: &[u8]) -> ClassMatch {
    ClassMatch { field, operator, value: value.to_vec(), negate: false }
}

fn class(id: &str, matches: Vec<ClassMatch>) -> ClientClass {
    let options = ScopeOptions { v4: vec![option(MARK, id.as_bytes())], v6: Vec::new() };
    ClientClass { id: id.to_owned(), name: id.to_owned(), matches, options, boot_file: None }
}

fn with_classes(classes: Vec<ClientClass>) -> Snapshot {
    Snapshot { classes, ..snapshot(None, true) }
}

#[track_caller]
fn is_member(matches: Vec<ClassMatch>, said: &Said) -> bool {
    let (_, offer) = Lab::new(with_classes(vec![class("it", matches)])).ask(&said.bytes());
    Message::parse(&offer).unwrap().option(MARK).is_some()
}

#[test]
fn a_condition_looks_at_what_the_client_sends() {
    use MatchOperator::{Contains, Equals, Present, StartsWith};
    let direct = Said::new(Discover, MAC)
        .with(code::VENDOR_CLASS, b"PXEClient:Arch:00007:UNDI:003016")
        .with(code::ARCHITECTURE, &[0, 6, 7, 0])
        .with(code::USER_CLASS, b"\x03one\x04iPXE")
        .with(code::IPXE, &[19, 1, 1, 235, 3, 1, 2, 3])
        .with(code::RELAY_AGENT, &[1, 4, b'e', b't', b'h', b'1']);
    let relayed = direct.clone().header(|it| it.giaddr = RELAY);
    let raw = Said::new(Discover, MAC).with(code::USER_CLASS, b"iPXE");
    let rows = [
        ("card", ClassField::Mac, Equals, &MAC.0[..], true, true),
        ("vendor", ClassField::Mac, StartsWith, &[0x52, 0x54, 0], true, true),
        ("another card", ClassField::Mac, Equals, &[0; 6], false, false),
        ("class", of(60, None), StartsWith, b"PXEClient", true, true),
        ("class, whole", of(60, None), Equals, b"PXEClient", false, false),
        ("class, inside", of(60, None), Contains, b"00007", true, true),
        ("class, everything holds nothing", of(60, None), Contains, b"", true, true),
        ("class, there", of(60, None), Present, b"ignored", true, true),
        ("absent", of(61, None), Present, b"", false, false),
        ("absent holds nothing", of(61, None), Contains, b"", false, false),
        ("architecture", of(93, None), Equals, &[0, 6], true, true),
        ("second architecture", of(93, None), Equals, &[7, 0], true, true),
        ("not across two", of(93, None), Equals, &[6, 7], false, false),
        ("user class", of(77, None), Equals, b"one", true, true),
        ("second user class", of(77, None), Equals, b"iPXE", true, true),
        ("part of a user class", of(77, None), Equals, b"PXE", false, false),
        ("sub-option", of(175, Some(19)), Equals, &[1], true, true),
        ("absent sub-option", of(175, Some(20)), Present, b"", false, false),
        ("circuit", of(82, Some(1)), Equals, b"eth1", false, true),
        ("relay's option", of(82, None), Present, b"", false, true),
        ("relay", ClassField::RelayAddress, Equals, &RELAY.octets(), false, true),
        ("any relay", ClassField::RelayAddress, Present, b"", false, true),
        ("a number of DHCPv6", of(256 + 60, None), Present, b"", false, false),
        ("a sub-option of DHCPv6", of(175, Some(256 + 19)), Present, b"", false, false),
    ];
    for (name, field, operator, value, want, want_relayed) in rows {
        for (said, want) in [(&direct, want), (&relayed, want_relayed)] {
            let it = condition(field, operator, value);
            let not = ClassMatch { negate: true, ..it.clone() };
            assert_eq!(is_member(vec![it.clone()], said), want, "{name}");
            assert_eq!(is_member(vec![not.clone()], said), !want, "not {name}");
            assert!(!is_member(vec![it, not], said), "both must hold: {name}");
        }
    }
    assert!(is_member(vec![condition(of(77, None), Equals, b"iPXE")], &raw), "raw spelling");
    assert!(is_member(Vec::new(), &raw), "a class without conditions has everyone");
}

#[test]
fn a_range_serves_the_members_of_its_class_alone() {
    let members = class("pxe", vec![condition(of(60, None), MatchOperator::StartsWith, b"PXE")]);
    let mut snapshot = with_classes(vec![members]);
    let closed = Range {
        class: Some("pxe".to_owned()),
        options: ScopeOptions { v4: vec![option(225, b"range")], v6: Vec::new() },
        ..Range::new(address(20), address(21))
    };
    snapshot.subnets[0].ranges = vec![Range::new(address(100), address(101)), closed];
    let mut lab = Lab::new(snapshot);
    let mut take = |card, class: &[u8]| {
        let said = Said::new(Discover, mac(card)).with(code::VENDOR_CLASS, class);
        let sent = lab.tell(&said.bytes())?;
        let offer = Message::parse(&sent[0].1).unwrap();
        let last = offer.yiaddr().octets()[3];
        assert_eq!(offer.option(225).is_some(), last < 100, "options of the range");
        Ok(last)
    };
    let mut open = [take(1, b"udhcp").unwrap(), take(2, b"udhcp").unwrap()];
    open.sort_unstable();
    assert_eq!(open, [100, 101]);
    assert_eq!(take(3, b"udhcp"), Err(DropReason::DhcpNoAddress));
    let mut closed = [take(3, b"PXEClient").unwrap(), take(4, b"PXEClient").unwrap()];
    closed.sort_unstable();
    assert_eq!(closed, [20, 21]);
    assert_eq!(take(5, b"PXEClient"), Err(DropReason::DhcpNoAddress));
}

/// Machine, class, option 67, table; and never the wrong kind of name for the firmware.
#[test]
fn the_boot_file_is_the_narrowest_that_is_named() {
    let (url, pxe, http) = ("http://example.org/own.efi", "PXEClient", "HTTPClient");
    let ours = "http://10.77.0.1:5248/boot/own.efi";
    let rows = [
        // Machine's, class's, option 67, vendor class, architecture, boot file.
        (None, None, None, pxe, 7, Some("snponly.efi")),
        (None, None, Some("own.efi"), pxe, 7, Some("own.efi")),
        (None, Some("own.efi"), Some("no"), pxe, 7, Some("own.efi")),
        (Some("own.efi"), Some("no"), Some("no"), pxe, 7, Some("own.efi")),
        (Some("own.efi"), None, None, http, 16, Some(ours)),
        (Some("/own.efi"), None, None, http, 16, Some(ours)),
        (Some(url), None, None, http, 16, Some(url)),
        (Some(url), None, None, pxe, 7, None),
        (None, Some(url), None, pxe, 7, None),
        // Firmware that the table has nothing for.
        (Some("own.efi"), None, None, pxe, 0x29, Some("own.efi")),
        // A system asks for no boot file, unless its class has one.
        (Some("own.efi"), None, None, "udhcp", 7, None),
        (None, Some("own.efi"), None, "udhcp", 7, Some("own.efi")),
    ];
    for (machine, class_file, option_67, vendor, arch, want) in rows {
        let told = format!("{machine:?}, {class_file:?}, {option_67:?}, {vendor} {arch}");
        let mut snapshot = snapshot(Some(Intent::Deploy), false);
        snapshot.machines[0].boot_file = machine.map(str::to_owned);
        let silent = class("silent", Vec::new());
        let boot_file = class_file.map(str::to_owned);
        let loud = ClientClass { boot_file, ..class("loud", Vec::new()) };
        snapshot.classes = vec![silent, loud];
        if let Some(name) = option_67 {
            snapshot.settings.options.v4 = vec![option(code::BOOT_FILE, name.as_bytes())];
        }
        let mut lab = Lab::new(snapshot);
        let said = Said::new(Discover, MAC).booting(vendor, "", arch);
        let (_, offer) = lab.ask(&said.bytes());
        let offer = Message::parse(&offer).unwrap();
        assert_eq!(offer.file(), want.unwrap_or("").as_bytes(), "{told}");
        let option = offer.option(code::BOOT_FILE).and_then(|it| it.text());
        assert_eq!(option.as_deref(), want, "{told}");
    }
}
