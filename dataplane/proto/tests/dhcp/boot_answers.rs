//! Who gets which boot file, and in which form.

use ironherd_proto::dhcp::{Destination, ServerPort};
use ironherd_proto::{BootStage, DropReason, Event};
use ironherd_snapshot::Intent::{self, Commission, Local, PowerOff};
use ironherd_wire::dhcp::{Message, MessageType, code};

use crate::lab::{Lab, MAC, OURS, Said, address, snapshot, value};

const SCRIPT: &str = "http://10.77.0.1:5248/ipxe/52-54-00-77-00-10";
const SNPONLY_URL: &str = "http://10.77.0.1:5248/boot/snponly.efi";
const LOCAL_URL: &str = "http://10.77.0.1:5248/boot/local-x64.efi";
const ARM64_URL: &str = "http://10.77.0.1:5248/boot/grub-arm64.efi";

#[test]
fn the_boot_file_follows_firmware_and_intent() {
    let (deploy, local, off) = (Some(Intent::Deploy), Some(Local), Some(PowerOff));
    let rows = [
        // Architecture (option 93), vendor class (60), user class (77), intent, boot file.
        (0x00, "PXEClient:Arch:00000", "", deploy, Some("undionly.kpxe")),
        (0x00, "PXEClient", "", local, Some("undionly.kpxe")),
        (0x00, "PXEClient", "", off, Some("undionly.kpxe")),
        (0x07, "PXEClient", "", deploy, Some("snponly.efi")),
        (0x09, "PXEClient", "", deploy, Some("snponly.efi")),
        (0x07, "PXEClient", "", local, Some("local-x64.efi")),
        (0x09, "PXEClient", "", local, Some("local-x64.efi")),
        (0x07, "PXEClient", "", off, Some("snponly.efi")),
        (0x0b, "PXEClient", "", deploy, Some("grub-arm64.efi")),
        (0x0b, "PXEClient", "", local, Some("grub-arm64.efi")),
        (0x10, "HTTPClient:Arch:00016", "", deploy, Some(SNPONLY_URL)),
        (0x10, "HTTPClient", "", local, Some(LOCAL_URL)),
        (0x13, "HTTPClient", "", deploy, Some(ARM64_URL)),
        // Never a file name for HTTP firmware, nor a URL for PXE firmware.
        (0x07, "HTTPClient", "", deploy, None),
        (0x10, "PXEClient", "", deploy, None),
        // Second stage, raw and in RFC 3004 form.
        (0x00, "PXEClient", "iPXE", deploy, Some(SCRIPT)),
        (0x07, "PXEClient", "\x04iPXE", deploy, Some(SCRIPT)),
        (0x07, "PXEClient", "iPXE", local, Some(SCRIPT)),
        (0x0b, "PXEClient", "iPXE", off, Some(SCRIPT)),
        // Firmware that nobody has a file for, and who does not boot.
        (0x06, "PXEClient", "", deploy, None),
        (0x1b, "PXEClient", "", deploy, None),
        (0x07, "udhcp 1.35.0", "", deploy, None),
        (0x07, "", "", deploy, None),
    ];
    for (arch, class, user, intent, want) in rows {
        check_boot_file(&snapshot_lab(intent, false), arch, class, user, want);
    }
}

/// Firmware whose file an operator has to bring: served by its conventional name while the rack has
/// it, and never by a name of the other kind.
#[test]
fn rarer_firmware_is_served_what_the_rack_has() {
    let (pxe, http, uboot, onie) =
        ("PXEClient", "HTTPClient", "U-Boot.armv8", "onie_vendor:x86_64");
    let rows = [
        // Architecture, vendor class, file, by URL.
        (0x06, pxe, "snponly-ia32.efi", false),
        (0x0a, pxe, "grub-arm32.efi", false),
        (0x0c, pxe, "bootppc64.bin", false),
        (0x0e, "udhcp 1.36", "pxelinux.cfg/default", false),
        (0x0e, pxe, "pxelinux.cfg/default", false),
        (0x19, pxe, "grub-riscv32.efi", false),
        (0x1b, pxe, "grub-riscv64.efi", false),
        (0x1f, "", "boots390x.bin", false),
        (0x20, pxe, "boots390x.bin", false),
        (0x27, pxe, "grub-loongarch64.efi", false),
        (0x0f, http, "snponly-ia32.efi", true),
        (0x12, http, "grub-arm32.efi", true),
        (0x14, http, "undionly.kpxe", true),
        (0x1a, http, "grub-riscv32.efi", true),
        (0x1c, http, "grub-riscv64.efi", true),
        (0x28, http, "grub-loongarch64.efi", true),
        (0x16, uboot, "boot.scr.uimg", false),
        (0x18, uboot, "boot.scr.uimg", true),
        (0x00, onie, "onie-installer", true),
    ];
    for (arch, class, file, by_url) in rows {
        for is_here in [true, false] {
            let mut snapshot = snapshot(Some(Intent::Deploy), false);
            snapshot.files = is_here.then(|| crate::lab::file(file)).into_iter().collect();
            let mut lab = Lab::new(snapshot);
            let said = |kind| Said::new(kind, MAC).booting(class, "", arch);
            let (_, offer) = lab.ask(&said(MessageType::Discover).bytes());
            let offer = Message::parse(&offer).unwrap();
            let url = format!("http://10.77.0.1:5248/boot/{file}");
            let want = if by_url { url.as_str() } else { file };
            let want = if is_here { want } else { "" };
            assert_eq!(offer.file(), want.as_bytes(), "{arch:#04x} {class}, here: {is_here}");
            lab.ask(&said(MessageType::Request).select(offer.yiaddr()).bytes());
            let told = lab.events().into_iter().find_map(|it| match it {
                Event::Boot { detail, .. } => Some(detail),
                _ => None,
            });
            let says = if is_here { want.to_owned() } else { format!("no boot file: `{file}`") };
            assert!(told.as_ref().is_some_and(|it| it.contains(&says)), "{told:?}: {says}");
        }
    }
}

#[test]
fn an_unknown_machine_boots_only_while_it_is_taken_in() {
    let rows = [
        (true, 0x07, "PXEClient", "", Some("snponly.efi")),
        (true, 0x00, "PXEClient", "iPXE", Some(SCRIPT)),
        (false, 0x07, "PXEClient", "", None),
        (false, 0x10, "HTTPClient", "", None),
        (false, 0x00, "PXEClient", "iPXE", None),
    ];
    for (enlist, arch, class, user, want) in rows {
        check_boot_file(&snapshot_lab(None, enlist), arch, class, user, want);
    }
}

type Case = (Option<Intent>, bool);

fn snapshot_lab(intent: Option<Intent>, enlist: bool) -> Case {
    (intent, enlist)
}

/// The one place that knows how an answer carries its boot file, in OFFER and ACK alike.
#[track_caller]
fn check_boot_file(case: &Case, arch: u16, class: &str, user: &str, want: Option<&str>) {
    let told = format!("arch {arch:#06x}, vendor {class:?}, user {user:?}, {case:?}");
    let mut lab = Lab::new(snapshot(case.0, case.1));
    let said = |kind| Said::new(kind, MAC).booting(class, user, arch);
    let (_, offer) = lab.ask(&said(MessageType::Discover).bytes());
    let offered = Message::parse(&offer).unwrap().yiaddr();
    let (_, ack) = lab.ask(&said(MessageType::Request).select(offered).bytes());
    for payload in [offer, ack] {
        let reply = Message::parse(&payload).unwrap();
        let with_nul = want.map(|it| format!("{it}\0").into_bytes());
        assert_eq!(value(&reply, code::BOOT_FILE), with_nul, "{told}");
        assert_eq!(reply.file(), want.unwrap_or("").as_bytes(), "{told}");
        assert_eq!(reply.siaddr() == OURS, want.is_some(), "{told}");
        let server = want.map(|_| b"10.77.0.1".to_vec());
        assert_eq!(value(&reply, code::TFTP_SERVER), server, "{told}");
        // "PXEClient" would send EDK2 on to port 4011; HTTP firmware must see its class.
        let class = want.filter(|_| class.starts_with("HTTP")).map(|_| b"HTTPClient".to_vec());
        assert_eq!(value(&reply, code::VENDOR_CLASS), class, "{told}");
        let no_proxy = want.filter(|it| *it == SCRIPT).map(|_| vec![176, 1, 1]);
        assert_eq!(value(&reply, code::IPXE), no_proxy, "{told}");
        if let Some(with_nul) = with_nul {
            let end = payload.iter().rposition(|it| *it == code::END).unwrap();
            assert!(payload[..end].ends_with(&with_nul), "67 stands last: {told}");
        }
    }
    // Firmware that got nothing is told of, unless its machine is none of ours.
    let ours = case.0.is_some() || case.1;
    let firmware = class.starts_with("PXEClient") || class.starts_with("HTTPClient");
    let boot = lab.events().into_iter().find(|it| matches!(it, Event::Boot { .. }));
    assert_eq!(boot.is_some(), want.is_some() || (ours && firmware), "{told}");
    if let Some(Event::Boot { mac, stage, detail }) = boot {
        assert_eq!((mac, stage), (MAC, BootStage::Dhcp));
        let told_name = want.is_some_and(|it| detail.ends_with(it));
        assert!(told_name || detail.starts_with("no boot file: "), "{detail}");
    }
}

/// What iPXE can do stands in option 175; without HTTP it needs our own iPXE first.
#[test]
fn ipxe_features_decide_whether_it_gets_a_script() {
    let (http, no_http) = ([19, 1, 1, 21, 1, 1], [21, 1, 1, 24, 1, 1]);
    let rows: [(&str, &[u8], &str); 6] = [
        ("iPXE", &http, SCRIPT),
        ("iPXE", &no_http, "undionly.kpxe"),
        ("iPXE", &[235, 3, 1, 0, 0], SCRIPT),
        ("iPXE", &[19, 1, 0, 21, 1, 1], "undionly.kpxe"),
        ("", &http, SCRIPT),
        ("", &[235, 3, 1, 0, 0], "undionly.kpxe"),
    ];
    for (user, features, want) in rows {
        let mut lab = Lab::new(snapshot(Some(Commission), false));
        let said = Said::new(MessageType::Discover, MAC).booting("PXEClient", user, 0);
        let (_, offer) = lab.ask(&said.with(code::IPXE, features).bytes());
        let offer = Message::parse(&offer).unwrap();
        assert_eq!(offer.file(), want.as_bytes(), "{user:?} {features:?}");
    }
}

#[test]
fn several_architectures_in_one_option_are_all_read() {
    let mut lab = Lab::new(snapshot(Some(Commission), false));
    let said = Said::new(MessageType::Discover, MAC)
        .with(code::VENDOR_CLASS, b"PXEClient")
        .with(code::ARCHITECTURE, &[0, 6, 0, 7]);
    let (_, offer) = lab.ask(&said.bytes());
    assert_eq!(Message::parse(&offer).unwrap().file(), b"snponly.efi");
}

/// A machine is known by any of its cards, or by its UUID when a new card was put in.
#[test]
fn a_machine_is_known_by_its_uuid_too() {
    let mut snapshot = snapshot(Some(Local), false);
    let text_order = [4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16];
    snapshot.machines[0].uuid = Some(text_order);
    snapshot.machines[0].macs.clear();
    let mut lab = Lab::new(snapshot);
    let wire_order = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
    let said = Said::new(MessageType::Discover, MAC).booting("PXEClient", "", 7);
    let (_, offer) = lab.ask(&said.with(code::CLIENT_UUID, &wire_order).bytes());
    let offer = Message::parse(&offer).unwrap();
    assert_eq!(offer.file(), b"local-x64.efi");
    assert_eq!(value(&offer, code::CLIENT_UUID), Some(wire_order.to_vec()), "echoed");
}

#[test]
fn port_4011_gives_the_boot_file_and_nothing_else() {
    let source = "10.77.0.150:4011".parse().unwrap();
    let pxe = |kind| Said::new(kind, MAC).booting("PXEClient", "", 7);
    let rows = [
        (pxe(MessageType::Request), Ok("snponly.efi")),
        (pxe(MessageType::Inform), Ok("snponly.efi")),
        (pxe(MessageType::Request).with(code::USER_CLASS, b"iPXE"), Ok(SCRIPT)),
        (pxe(MessageType::Discover), Err(DropReason::DhcpNotBooting)),
        (Said::new(MessageType::Request, MAC), Err(DropReason::DhcpNotBooting)),
    ];
    for (said, want) in rows {
        let mut lab = Lab::new(snapshot(Some(Commission), false));
        let said = said.header(|it| it.ciaddr = address(150));
        let got = lab.hand(ServerPort::Proxy4011, source, &said.bytes());
        let file = want.map(|file| {
            let (reply, payload) = &got.as_ref().unwrap()[0];
            assert_eq!(reply.source_port, 4011);
            assert_eq!(reply.to, Destination::Unicast(source));
            let ack = Message::parse(payload).unwrap();
            assert_eq!(ack.message_type(), Some(MessageType::Ack));
            assert_eq!((ack.ciaddr(), ack.yiaddr()), (address(150), crate::lab::NOBODY));
            assert_eq!(value(&ack, code::VENDOR_CLASS), Some(b"PXEClient".to_vec()));
            assert_eq!(value(&ack, code::VENDOR_SPECIFIC), Some(vec![6, 1, 8, 255]));
            assert_eq!(value(&ack, code::LEASE_SECONDS), None);
            assert_eq!(ack.file(), file.as_bytes());
        });
        assert_eq!(got.map(|_| ()), file);
        assert_eq!(lab.server.leases().bound().count(), 0, "it grants nothing");
    }
}
