//! Every packet that real clients sent in the laboratory gets the right answer.

use std::net::SocketAddrV4;

use ironherd_proto::DropReason;
use ironherd_snapshot::Intent;
use ironherd_wire::dhcp::{Message, MessageType, code};

use crate::lab::{Lab, NOBODY, snapshot, value};

const PACKETS: &str = include_str!("../../../wire/tests/packets/dhcp.txt");

/// Capture and payload of each packet.
fn packets() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    PACKETS.split("\n\n").skip(1).map(|paragraph| {
        let mut lines = paragraph.lines();
        let name = lines.next().unwrap();
        let digits: String = lines.filter(|line| !line.starts_with(';')).collect();
        let pairs = digits.as_bytes().chunks_exact(2).map(|it| std::str::from_utf8(it).unwrap());
        (name, pairs.map(|it| u8::from_str_radix(it, 16).unwrap()).collect())
    })
}

/// What a client's message is answered with.
fn answer_to(kind: MessageType) -> Option<MessageType> {
    match kind {
        MessageType::Discover => Some(MessageType::Offer),
        MessageType::Request | MessageType::Inform => Some(MessageType::Ack),
        _ => None,
    }
}

#[test]
fn every_captured_client_is_served() {
    let mut served = 0;
    for (name, bytes) in packets() {
        let message = Message::parse(&bytes).unwrap();
        // Each has its own rack: some packets are the third of a conversation.
        let mut lab = Lab::new(snapshot(Some(Intent::Commission), true));
        let source = SocketAddrV4::new(NOBODY, 68);
        let Some(kind) = message.message_type().filter(|_| message.is_request()) else {
            assert_eq!(lab.tell(&bytes), Err(DropReason::DhcpNotRequest), "{name}");
            continue;
        };
        let got = match name {
            // INIT-REBOOT and RELEASE need the lease they speak of.
            "isc-dhclient-full-cycle/5" | "isc-dhclient-full-cycle/9" => {
                let (_, first) = packets().find(|it| it.0 == "isc-dhclient-full-cycle/3").unwrap();
                assert_eq!(lab.tell(&first).unwrap().len(), 1);
                lab.tell(&bytes)
            }
            "nmap-dhcp-discover-udp67/6" => {
                lab.tell_from("10.77.0.250:64322".parse().unwrap(), &bytes)
            }
            _ => lab.tell_from(source, &bytes),
        };
        let sent = got.unwrap();
        let kinds = sent.iter().map(|(_, payload)| {
            let reply = Message::parse(payload).unwrap();
            check_reply(name, &message, &reply);
            reply.message_type()
        });
        assert_eq!(kinds.collect::<Vec<_>>(), Vec::from_iter(answer_to(kind).map(Some)), "{name}");
        served += 1;
    }
    assert!(30 < served);
}

/// The boot file of each capture, as the laboratory's own server gave it or better.
#[track_caller]
fn check_reply(name: &str, asked: &Message<'_>, reply: &Message<'_>) {
    let (ipxe, arch) = (asked.has_user_class(b"iPXE"), |it| asked.has_architecture(it));
    let script = "http://10.77.0.1:5248/ipxe/52-54-00-77-00-10";
    let want = match () {
        () if ipxe => Some(script),
        () if arch(0x07) => Some("snponly.efi"),
        () if arch(0x0b) => Some("grub-arm64.efi"),
        () if arch(0x10) => Some("http://10.77.0.1:5248/boot/snponly.efi"),
        () => None,
    };
    assert_eq!(reply.file(), want.unwrap_or("").as_bytes(), "{name}");
    assert_eq!(value(reply, code::IPXE).is_some(), ipxe, "{name}");
    let echoed = [code::CLIENT_ID, code::CLIENT_UUID];
    for code in echoed.into_iter().filter(|it| *it == code::CLIENT_ID || want.is_some()) {
        assert_eq!(value(reply, code), value(asked, code), "{name}: option {code}");
    }
    let wish = asked.requested_address().filter(|_| asked.server_id().is_some());
    assert!(wish.is_none_or(|it| it == reply.yiaddr()), "{name}");
}
