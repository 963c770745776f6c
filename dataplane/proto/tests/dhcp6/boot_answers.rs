//! What boots over IPv6, and by which URL.

use ironherd_proto::{BootStage, Event};
use ironherd_snapshot::{ClassField, ClassMatch, ClientClass, Intent, MatchOperator};
use ironherd_wire::dhcp6::{MessageType, code};

use super::lab::*;

const TFTP: &str = "tftp://[fd77::1]/snponly.efi";
const HTTP: &str = "http://[fd77::1]:5248/boot/snponly.efi";
const SCRIPT: &str = "http://[fd77::1]:5248/ipxe/52-54-00-77-00-10";
const IPXE: &[u8] = b"\0\x04iPXE";

#[test]
fn boot_url_follows_firmware() {
    let base = || Ask::new(MessageType::Request).na(&[]);
    let rows = [
        ("PXE x64", base().firmware("PXEClient", 7), Some(TFTP)),
        ("PXE, as RFC 4578 numbers it", base().firmware("PXEClient", 9), Some(TFTP)),
        ("PXE arm64", base().firmware("PXEClient", 11), Some("tftp://[fd77::1]/grub-arm64.efi")),
        ("HTTP x64", base().firmware("HTTPClient", 16), Some(HTTP)),
        (
            "HTTP arm64",
            base().firmware("HTTPClient", 19),
            Some("http://[fd77::1]:5248/boot/grub-arm64.efi"),
        ),
        ("a file that is not here", base().firmware("PXEClient", 0x1b), None),
        (
            "second stage",
            base().firmware("PXEClient", 7).option(code::USER_CLASS, IPXE),
            Some(SCRIPT),
        ),
        ("an operating system", base(), None),
    ];
    for (name, ask, want) in rows {
        let mut lab = Lab::new(snapshot());
        let got = lab.ask(&ask).unwrap();
        assert_eq!(got.text(code::BOOT_FILE_URL).as_deref(), want, "{name}");
        // HTTP firmware takes a URL only with its own class back.
        let class = got.message().has_vendor_class(b"HTTPClient");
        assert_eq!(class, name.starts_with("HTTP"), "{name}");
        let told = lab
            .events()
            .iter()
            .any(|it| matches!(it, Event::Boot { mac, stage: BootStage::Dhcp, .. } if *mac == MAC));
        assert_eq!(told, want.is_some(), "{name}");
    }
}

#[test]
fn boot_url_follows_the_machine_then_the_class_then_the_table() {
    let mut snapshot = snapshot();
    snapshot.settings.enlist = false;
    let ask = Ask::new(MessageType::Solicit).na(&[]).firmware("PXEClient", 7);
    let mut lab = Lab::new(snapshot.clone());
    let boot = |lab: &mut Lab| lab.ask(&ask).unwrap().text(code::BOOT_FILE_URL);
    assert_eq!(boot(&mut lab), None, "unknown, and not taken in");
    snapshot.machines = vec![machine(Intent::Local).into()];
    lab.set(snapshot.clone());
    assert_eq!(boot(&mut lab).as_deref(), Some("tftp://[fd77::1]/local-x64.efi"));
    snapshot.machines = vec![machine(Intent::Deploy).into()];
    lab.set(snapshot.clone());
    assert_eq!(boot(&mut lab).as_deref(), Some(TFTP));
    snapshot.classes = vec![ClientClass {
        id: "c".to_owned(),
        matches: vec![ClassMatch {
            field: ClassField::Option { code: code::VENDOR_CLASS, sub: None },
            operator: MatchOperator::StartsWith,
            value: b"PXEClient".to_vec(),
            negate: false,
        }],
        boot_file: Some("own.efi".to_owned()),
        ..ClientClass::default()
    }];
    lab.set(snapshot.clone());
    assert_eq!(boot(&mut lab).as_deref(), Some("tftp://[fd77::1]/own.efi"));
    snapshot.machines[0].boot_file = Some("tftp://[fd99::1]/other.efi".to_owned());
    lab.set(snapshot.clone());
    assert_eq!(boot(&mut lab).as_deref(), Some("tftp://[fd99::1]/other.efi"));
}

/// The machine is known by its UUID where no card is shown, in either byte order.
#[test]
fn a_machine_is_known_by_the_uuid_in_its_duid() {
    let text = [0x77, 0x77, 0, 0, 1, 2, 0x40, 3, 0x80, 0, 0, 0, 0, 0, 0, 0x10];
    let smbios = [0, 0, 0x77, 0x77, 2, 1, 3, 0x40, 0x80, 0, 0, 0, 0, 0, 0, 0x10];
    let mut snapshot = snapshot();
    snapshot.settings.enlist = false;
    let mut known = machine(Intent::Deploy);
    known.uuid = Some(text);
    snapshot.machines = vec![known.into()];
    for uuid in [text, smbios] {
        let mut lab = Lab::new(snapshot.clone());
        let duid = [&[0, 4][..], &uuid].concat();
        let ask = Ask::new(MessageType::Solicit).na(&[]).duid(&duid).firmware("PXEClient", 7);
        lab.hear(ip("fe80::99"), SERVERS, &ask.bytes()).unwrap();
        assert_eq!(lab.poll().unwrap().text(code::BOOT_FILE_URL).as_deref(), Some(TFTP));
    }
}

#[test]
fn urls_name_an_address_that_the_client_reaches() {
    let rows = [
        (vec![ip("fd99::1"), OURS], "tftp://[fd77::1]/snponly.efi"),
        (vec![ip("fd77:0:0:1::1"), ip("fd99::1")], "tftp://[fd77:0:0:1::1]/snponly.efi"),
        (vec![], "tftp://[fe80::1]/snponly.efi"),
    ];
    for (ours, want) in rows {
        let mut snapshot = snapshot();
        snapshot.subnets6 = vec![subnet("0").into(), subnet("1").into()];
        snapshot.subnets = vec![
            ironherd_snapshot::Subnet {
                vlan: "lan".to_owned(),
                cidr: "10.77.0.0/24".parse().unwrap(),
                ..ironherd_snapshot::Subnet::default()
            }
            .into(),
        ];
        let mut lab = Lab::new(snapshot);
        lab.link.addresses = ours;
        let ask = Ask::new(MessageType::Solicit).na(&[]).firmware("PXEClient", 7);
        assert_eq!(lab.ask(&ask).unwrap().text(code::BOOT_FILE_URL).as_deref(), Some(want));
    }
}
