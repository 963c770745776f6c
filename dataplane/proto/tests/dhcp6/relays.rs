//! Clients behind relays: which link they are on, and the way back.

use std::net::Ipv6Addr;

use ironherd_proto::DropReason;
use ironherd_snapshot::{ClassField, ClassMatch, ClientClass, MatchOperator, ReservationKey6};
use ironherd_wire::dhcp6::{Message, MessageType, Options, Relayed, code};

use super::lab::*;

fn wrap(link: &str, peer: &str, options: &[(u16, &[u8])], inner: &[u8]) -> Vec<u8> {
    let mut out = vec![MessageType::RelayForward as u8, 0];
    out.extend_from_slice(&ip(link).octets());
    out.extend_from_slice(&ip(peer).octets());
    for (code, value) in options.iter().chain([&(code::RELAY_MESSAGE, inner)]) {
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        out.extend_from_slice(value);
    }
    out
}

fn lab() -> Lab {
    let mut snapshot = snapshot();
    let mut far = subnet("9");
    far.vlan = "far".to_owned();
    far.reservations = vec![reservation(ReservationKey6::Mac(MAC), "fd77:0:0:9::9")];
    snapshot.subnets6.push(far.into());
    snapshot.classes = vec![ClientClass {
        id: "port".to_owned(),
        matches: vec![ClassMatch {
            field: ClassField::Option { code: code::INTERFACE_ID, sub: None },
            operator: MatchOperator::Equals,
            value: b"ge-0/1".to_vec(),
            negate: false,
        }],
        boot_file: Some("port.efi".to_owned()),
        ..ClientClass::default()
    }];
    Lab::new(snapshot)
}

const RELAY: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 9, 0, 0, 0, 1);

#[test]
fn a_nested_request_goes_back_the_way_it_came() {
    let request = Ask::new(MessageType::Request).na(&[]).firmware("PXEClient", 7).bytes();
    let card = [&[0, 1][..], &MAC.0].concat();
    let options = [(code::INTERFACE_ID, &b"ge-0/1"[..]), (code::CLIENT_LINK_LAYER, &card)];
    // The client's address tells no card here; its relay does.
    let inner = wrap("fd77:0:0:9::1", "fe80::99", &options, &request);
    let outer = wrap("::", "fd77:0:0:9::1", &[(code::RELAY_PORT, &[0, 0])], &inner);
    let mut lab = lab();
    lab.hear(RELAY, OURS, &outer).unwrap();
    assert!(lab.poll().is_none(), "not before the disk");
    lab.commit();
    let got = lab.poll().unwrap();
    // RFC 8357: to the port it came from, which the lab has as 546.
    assert_eq!((*got.reply.to.ip(), got.reply.to.port()), (RELAY, 546));
    assert_eq!((got.reply.to.scope_id(), got.reply.source), (0, OURS));
    assert_eq!(got.payload[0], MessageType::RelayReply as u8);
    let outer = Options::new(&got.payload[34..]);
    assert_eq!(outer.find(code::RELAY_PORT), Some(&[0, 0][..]));
    let inner = outer.find(code::RELAY_MESSAGE).unwrap();
    let inner = Options::new(&inner[34..]);
    assert_eq!(inner.find(code::INTERFACE_ID), Some(&b"ge-0/1"[..]));
    let reply = Message::parse(inner.find(code::RELAY_MESSAGE).unwrap()).unwrap();
    let address = reply.ias().next().unwrap().resources().next().unwrap().address;
    assert_eq!(address, ip("fd77:0:0:9::9"), "by card, on the relay's link");
    let url = reply.options.find(code::BOOT_FILE_URL).unwrap();
    assert_eq!(url, b"tftp://[fd77::1]/port.efi", "by the relay's port");
}

#[test]
fn a_plain_relay_is_answered_at_its_own_port() {
    let solicit = Ask::new(MessageType::Solicit).na(&[]).bytes();
    let forward = wrap("fd77:0:0:9::1", "fe80::5054:ff:fe77:10", &[], &solicit);
    let mut lab = lab();
    lab.hear(RELAY, OURS, &forward).unwrap();
    let got = lab.poll().unwrap();
    assert_eq!(got.reply.to.port(), 547);
    // Nothing of a relay is answered as if its client were here.
    let opened = Relayed::open(&forward).unwrap();
    assert_eq!(got.payload.len(), {
        let inner = Options::new(&got.payload[34..]).find(code::RELAY_MESSAGE).unwrap();
        opened.envelope_bytes() + inner.len()
    });
}

#[test]
fn relays_that_cannot_be_followed_are_refused_by_name() {
    let solicit = Ask::new(MessageType::Solicit).na(&[]).bytes();
    let mut nested = solicit.clone();
    for _ in 0..9 {
        nested = wrap("fd77::1", "fe80::9", &[], &nested);
    }
    let rows = [
        (wrap("fd99::1", "fe80::9", &[], &solicit), DropReason::Dhcp6NoSubnet),
        (wrap("fd77::1", "fe80::9", &[], &[]), DropReason::Dhcp6Malformed),
        (wrap("fd77::1", "fe80::9", &[], &solicit)[..34].to_vec(), DropReason::Dhcp6Malformed),
        (vec![MessageType::RelayReply as u8; 80], DropReason::Dhcp6NotRequest),
        (nested, DropReason::Dhcp6TooDeep),
    ];
    for (bytes, want) in rows {
        assert_eq!(lab().hear(RELAY, OURS, &bytes), Err(want));
    }
}

/// A relay on our own link that cannot name it (RFC 6221) leaves that to us.
#[test]
fn a_layer_2_relay_is_on_our_link() {
    let solicit = Ask::new(MessageType::Solicit).na(&[]).bytes();
    let forward = wrap("::", "fe80::5054:ff:fe77:10", &[(code::INTERFACE_ID, b"7")], &solicit);
    let mut lab = lab();
    lab.hear(ip("fe80::77"), SERVERS, &forward).unwrap();
    let got = lab.poll().unwrap();
    assert_eq!((got.reply.to.port(), got.reply.to.scope_id()), (547, 7));
    let inner = Options::new(&got.payload[34..]);
    let reply = Message::parse(inner.find(code::RELAY_MESSAGE).unwrap()).unwrap();
    let address = reply.ias().next().unwrap().resources().next().unwrap().address;
    assert!(address.to_string().starts_with("fd77::"), "{address}");
}
