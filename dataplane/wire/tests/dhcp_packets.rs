//! Every DHCPv4 packet that real clients and dnsmasq sent in the laboratory, read by us and by
//! `dhcproto`.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use dhcproto::Decodable;
use dhcproto::v4::{self, DhcpOption, OptionCode};
use ironherd_wire::dhcp::{Encoder, Header, Message, MessageType, code};

const PACKETS: &str = include_str!("packets/dhcp.txt");

/// Name and payload of each packet of the fixture file.
fn packets() -> Vec<(&'static str, Vec<u8>)> {
    let paragraphs = PACKETS.split("\n\n").skip(1);
    let packet = |paragraph: &'static str| {
        let mut lines = paragraph.lines();
        let name = lines.next().unwrap();
        let digits: String = lines.filter(|line| !line.starts_with(';')).collect();
        let pairs = digits.as_bytes().chunks_exact(2).map(|it| std::str::from_utf8(it).unwrap());
        (name, pairs.map(|it| u8::from_str_radix(it, 16).unwrap()).collect())
    };
    paragraphs.map(packet).collect()
}

fn packet(wanted: &str) -> Vec<u8> {
    packets().into_iter().find(|(name, _)| *name == wanted).unwrap().1
}

#[test]
fn every_captured_packet_reads_as_dhcproto_reads_it() {
    assert!(50 < packets().len());
    for (name, bytes) in packets() {
        let ours = Message::parse(&bytes).unwrap();
        let theirs = v4::Message::from_bytes(&bytes).unwrap();
        assert_eq!(ours.is_request(), theirs.opcode() == v4::Opcode::BootRequest, "{name}");
        assert_eq!(ours.xid(), theirs.xid(), "{name}");
        assert_eq!(ours.secs(), theirs.secs(), "{name}");
        assert_eq!(ours.wants_broadcast(), theirs.flags().broadcast(), "{name}");
        assert_eq!(ours.ciaddr(), theirs.ciaddr(), "{name}");
        assert_eq!(ours.yiaddr(), theirs.yiaddr(), "{name}");
        assert_eq!(ours.siaddr(), theirs.siaddr(), "{name}");
        assert_eq!(ours.giaddr(), theirs.giaddr(), "{name}");
        assert_eq!(ours.ethernet().as_ref().map(|it| &it[..]), Some(theirs.chaddr()), "{name}");
        let kind = theirs.opts().msg_type().map(u8::from);
        assert_eq!(ours.message_type().map(|it| it as u8), kind, "{name}");
        check_options(name, &ours, &theirs);
    }
}

/// The options whose typed form of `dhcproto` shows the bytes that came.
#[track_caller]
fn check_options(name: &str, ours: &Message<'_>, theirs: &v4::Message) {
    let value = |code| ours.option(code).map(|it| it.read(<[u8]>::to_vec));
    let theirs = |code: u8| theirs.opts().get(OptionCode::from(code));
    for wanted in [code::CLIENT_ID, code::VENDOR_CLASS, code::HOSTNAME, code::SERVER_ID] {
        let same = match theirs(wanted) {
            Some(DhcpOption::ClientIdentifier(it) | DhcpOption::ClassIdentifier(it)) => {
                value(wanted).as_ref() == Some(it)
            }
            Some(DhcpOption::Hostname(it)) => value(wanted) == Some(it.as_bytes().to_vec()),
            Some(DhcpOption::ServerIdentifier(it)) => ours.server_id() == Some(*it),
            other => other.is_none() && value(wanted).is_none(),
        };
        assert!(same, "{name}: option {wanted}");
    }
    match theirs(code::PARAMETERS) {
        Some(DhcpOption::ParameterRequestList(list)) => {
            assert!(list.iter().all(|it| ours.wants(u8::from(*it))), "{name}");
        }
        _ => assert!(value(code::PARAMETERS).is_none(), "{name}"),
    }
}

#[test]
fn a_client_is_known_by_what_it_sent() {
    const EDK2_UUID: [u8; 16] = *b"\x77\x77\0\0\0\0\x40\0\x80\0\0\0\0\0\0\x10";
    let rows = [
        // Packet, type, architecture, user class iPXE, class starts with, UUID.
        ("aavmf-arm64-pxe-grub-tftp/4", 1, Some(0x0b), false, "PXEClient:Arch:00011", true),
        ("ovmf-pxe-tftp-snponly-ipxe/2", 1, Some(7), false, "PXEClient:Arch:00007", true),
        ("ovmf-http-boot-snponly-ipxe/3", 1, Some(0x10), false, "HTTPClient:Arch:00016", true),
        ("ovmf-http-boot-snponly-ipxe/34", 3, Some(7), true, "PXEClient:Arch:00007", true),
        ("seabios-ipxe-http-no-ra/1", 1, Some(0), true, "PXEClient:Arch:00000", true),
        ("busybox-udhcpc/1", 1, None, false, "d-i", false),
        ("isc-dhclient-full-cycle/9", 7, None, false, "", false),
        ("nmap-dhcp-discover-udp67/8", 8, None, false, "", false),
    ];
    for (name, kind, arch, ipxe, class, uuid) in rows {
        let bytes = packet(name);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.message_type(), MessageType::from_wire(kind), "{name}");
        let archs = (0..0x30).filter(|it| message.has_architecture(*it));
        assert_eq!(archs.collect::<Vec<u16>>(), Vec::from_iter(arch), "{name}");
        assert_eq!(message.has_user_class(b"iPXE"), ipxe, "{name}");
        let sent = message.option(code::VENDOR_CLASS);
        assert_eq!(sent.is_some(), !class.is_empty(), "{name}");
        assert!(sent.is_none_or(|it| it.starts_with(class.as_bytes())), "{name}");
        assert_eq!(message.uuid(), uuid.then_some(EDK2_UUID), "{name}");
    }
}

/// EDK2's list names option 235, which nobody knows; udhcpc says 576, EDK2 65,280.
#[test]
fn limits_and_lists_are_taken_with_care() {
    let rows = [
        ("ovmf-pxe-tftp-snponly-ipxe/6", 1472),
        ("busybox-udhcpc/1", 548),
        ("isc-dhclient-full-cycle/1", 548),
        ("dhcpcd/1", 1444),
    ];
    for (name, want) in rows {
        let bytes = packet(name);
        assert_eq!(Message::parse(&bytes).unwrap().reply_bytes_max(), want, "{name}");
    }
    let bytes = packet("ovmf-http-boot-snponly-ipxe/3");
    let message = Message::parse(&bytes).unwrap();
    assert!(message.wants(code::SUBNET_MASK) && !message.wants(code::TFTP_SERVER));
}

/// Reading a packet and writing what was read gives its options back, in any order of pieces.
#[test]
fn every_captured_packet_survives_our_encoder() {
    for (name, bytes) in packets() {
        let message = Message::parse(&bytes).unwrap();
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, &Header::reply_to(&message), 1472);
        for code in 1..=254 {
            if let Some(value) = message.option(code) {
                assert!(value.read(|it| encoder.option(code, it)), "{name}: option {code}");
            }
        }
        encoder.finish();
        let again = Message::parse(&out).unwrap();
        assert!(again.is_reply() && again.xid() == message.xid(), "{name}");
        for code in 1..=254 {
            let value = |it: &Message<'_>| it.option(code).map(|it| it.read(<[u8]>::to_vec));
            assert_eq!(value(&message), value(&again), "{name}: option {code}");
        }
    }
}
