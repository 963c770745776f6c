//! DHCPv6 as real firmware speaks it, and as `dhcproto` reads and writes it.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::net::Ipv6Addr;

use dhcproto::v6::{self, DhcpOption, OptionCode};
use dhcproto::{Decodable as _, Encodable as _};
use ironherd_wire::dhcp6::{
    Encoder, IaKind, Items, Message, MessageType, Options, RELAYS_MAX, Relayed, code,
};
use ironherd_wire::error::Dhcp6Error;
use proptest::prelude::*;

const PACKETS: &str = include_str!("packets/dhcp6.txt");
const MAC: [u8; 6] = [0x52, 0x54, 0, 0x77, 0, 0x10];

/// Name and payload of each packet of the fixture file.
fn packets() -> Vec<(&'static str, Vec<u8>)> {
    let packet = |paragraph: &'static str| {
        let (name, digits) = paragraph.split_once('\n').unwrap();
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks_exact(2).map(|it| std::str::from_utf8(it).unwrap());
        (name, pairs.map(|it| u8::from_str_radix(it, 16).unwrap()).collect())
    };
    PACKETS.split("\n\n").skip(1).map(packet).collect()
}

fn packet(wanted: &str) -> Vec<u8> {
    packets().into_iter().find(|(name, _)| *name == wanted).unwrap().1
}

#[test]
fn every_captured_packet_reads_as_dhcproto_reads_it() {
    assert_eq!(packets().len(), 10);
    for (name, bytes) in packets() {
        let ours = Message::parse(&bytes).unwrap();
        let theirs = v6::Message::from_bytes(&bytes).unwrap();
        assert_eq!(ours.kind as u8, u8::from(theirs.msg_type()), "{name}");
        assert_eq!(ours.transaction, theirs.xid(), "{name}");
        check_options(name, &ours, &theirs);
    }
}

#[track_caller]
fn check_options(name: &str, ours: &Message<'_>, theirs: &v6::Message) {
    let options = theirs.opts();
    let codes: Vec<u16> = options.iter().map(|it| OptionCode::from(it).into()).collect();
    let read: Vec<u16> = ours.options.iter().map(|it| it.0).collect();
    assert!(codes.iter().all(|it| read.contains(it)), "{name}: {read:?}, {codes:?}");
    assert_eq!(read.len(), options.iter().count(), "{name}");
    for option in options.iter() {
        match option {
            DhcpOption::ClientId(it) => assert_eq!(ours.client_id().unwrap().bytes(), it, "{name}"),
            DhcpOption::ServerId(it) => assert_eq!(ours.server_id().unwrap(), it, "{name}"),
            DhcpOption::ORO(it) => {
                for code in &it.opts {
                    assert!(ours.wants((*code).into()), "{name}: {code:?}");
                }
            }
            DhcpOption::IANA(it) => check_association(name, ours, it),
            DhcpOption::StatusCode(it) => {
                assert_eq!(ours.options.status(), Some(it.status.into()), "{name}");
            }
            DhcpOption::VendorClass(it) => {
                let (enterprise, items) = ours.vendor_class().unwrap();
                assert_eq!(enterprise, it.num, "{name}");
                assert_eq!(items.map(<[u8]>::to_vec).collect::<Vec<_>>(), it.data, "{name}");
            }
            DhcpOption::ClientArchType(it) => {
                assert!(it.iter().all(|it| ours.has_architecture((*it).into())), "{name}");
            }
            _ => {}
        }
    }
}

#[track_caller]
fn check_association(name: &str, ours: &Message<'_>, theirs: &v6::IANA) {
    let ia = ours.ias().next().expect(name);
    assert_eq!((ia.kind, ia.id), (IaKind::Address, theirs.id), "{name}");
    assert_eq!((ia.t1, ia.t2), (theirs.t1, theirs.t2), "{name}");
    let addresses: Vec<_> = ia.resources().map(|it| (it.address, it.preferred, it.valid)).collect();
    let want = theirs.opts.iter().filter_map(|it| match it {
        DhcpOption::IAAddr(it) => Some((it.addr, it.preferred_life, it.valid_life)),
        _ => None,
    });
    assert_eq!(addresses, want.collect::<Vec<_>>(), "{name}");
}

#[test]
fn firmware_shows_what_it_is() {
    let bytes = packet("solicit of PXE");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.kind, MessageType::Solicit);
    assert!(message.has_vendor_class(b"PXEClient:Arch:00007:UNDI:003000"));
    assert!(!message.has_vendor_class(b"HTTPClient") && !message.has_user_class(b"iPXE"));
    assert!(message.has_architecture(7) && !message.has_architecture(16));
    assert!(message.wants(code::BOOT_FILE_URL) && !message.wants(code::DOMAIN_SEARCH));
    let uuid = message.client_id().unwrap().uuid().unwrap();
    assert_eq!(uuid[..8], [0, 0, 0x77, 0x77, 0, 0, 0, 0x40], "as SMBIOS keeps it");
    let reply = packet("reply to PXE");
    let url = Message::parse(&reply).unwrap().options.find(code::BOOT_FILE_URL);
    assert_eq!(url, Some(&b"tftp://[fd77::1]/snponly.efi"[..]));
}

/// What the encoder writes, `dhcproto` reads as it was meant.
#[test]
fn our_replies_read_back() {
    let address: Ipv6Addr = "fd77::17b".parse().unwrap();
    let prefix: Ipv6Addr = "fd80:0:0:100::".parse().unwrap();
    let mut out = vec![0xaa];
    let mut encoder = Encoder::new(&mut out, MessageType::Reply, [1, 2, 3], 1452);
    assert!(encoder.option(code::CLIENT_ID, &[0, 4, 7]));
    assert!(encoder.ia(IaKind::Address, 9, (1800, 2880), |it| {
        it.ia_address(address, 3600, 7200);
    }));
    assert!(encoder.ia(IaKind::Prefix, 10, (0, 0), |it| {
        it.ia_prefix(prefix, 56, 3600, 7200);
        it.status(code::status::SUCCESS, "fine");
    }));
    assert!(encoder.ia(IaKind::Temporary, 11, (7, 7), |it| {
        it.status(code::status::NO_ADDRESSES, "none");
    }));
    assert!(encoder.addresses(code::DNS_SERVERS, &[address, prefix]));
    assert!(encoder.vendor_class(code::ENTERPRISE_PXE, b"HTTPClient"));
    let theirs = v6::Message::from_bytes(&out[1..]).unwrap();
    assert_eq!(theirs.xid(), [1, 2, 3]);
    let find = |code| theirs.opts().get(code).unwrap();
    let DhcpOption::IANA(na) = find(OptionCode::IANA) else { panic!() };
    assert_eq!((na.id, na.t1, na.t2), (9, 1800, 2880));
    let DhcpOption::IAAddr(it) = na.opts.get(OptionCode::IAAddr).unwrap() else { panic!() };
    assert_eq!((it.addr, it.preferred_life, it.valid_life), (address, 3600, 7200));
    let DhcpOption::IAPD(pd) = find(OptionCode::IAPD) else { panic!() };
    let DhcpOption::IAPrefix(it) = pd.opts.get(OptionCode::IAPrefix).unwrap() else { panic!() };
    assert_eq!((it.prefix_ip, it.prefix_len, it.valid_lifetime), (prefix, 56, 7200));
    let DhcpOption::IATA(ta) = find(OptionCode::IATA) else { panic!() };
    assert_eq!(ta.id, 11);
    assert!(ta.opts.get(OptionCode::StatusCode).is_some());
    let want = DhcpOption::DomainNameServers(vec![address, prefix]);
    assert_eq!(find(OptionCode::DomainNameServers), &want);
    let DhcpOption::VendorClass(it) = find(OptionCode::VendorClass) else { panic!() };
    assert_eq!((it.num, it.data.clone()), (343, vec![b"HTTPClient".to_vec()]));
    // And we read our own.
    let ours = Message::parse(&out[1..]).unwrap();
    let kinds: Vec<_> = ours.ias().map(|it| (it.kind, it.id, it.resources().count())).collect();
    let want = [(IaKind::Address, 9, 1), (IaKind::Prefix, 10, 1), (IaKind::Temporary, 11, 0)];
    assert_eq!(kinds, want);
}

#[test]
fn what_does_not_fit_is_left_out_whole() {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, MessageType::Reply, [0; 3], 40);
    assert!(encoder.option(1, &[7; 20]));
    assert!(!encoder.option(2, &[7; 13]));
    assert!(encoder.option(3, &[7; 8]));
    assert!(!encoder.ia(IaKind::Address, 1, (0, 0), |_| unreachable!("there is no room")));
    assert_eq!(out.len(), 40);
}

/// One relay's envelope around a message, as `dhcproto` writes options and we the rest.
fn wrapped(hops: u8, link: &str, peer: &str, options: &[(u16, &[u8])], inner: &[u8]) -> Vec<u8> {
    let mut out = vec![MessageType::RelayForward as u8, hops];
    for address in [link, peer] {
        out.extend_from_slice(&address.parse::<Ipv6Addr>().unwrap().octets());
    }
    for (code, value) in options.iter().chain([&(code::RELAY_MESSAGE, inner)]) {
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        out.extend_from_slice(value);
    }
    out
}

#[test]
fn relays_are_opened_and_wrapped_again_in_their_order() {
    let solicit = packet("solicit of PXE");
    let card = [&[0, 1][..], &MAC].concat();
    let inner_options = [(code::INTERFACE_ID, &b"ge-0/1"[..]), (code::CLIENT_LINK_LAYER, &card)];
    let inner = wrapped(0, "fd01::1", "fe80::5054:ff:fe77:10", &inner_options, &solicit);
    let outer_options = [(code::REMOTE_ID, &b"\0\0\0\x09sw"[..]), (code::RELAY_PORT, &[0, 0])];
    let outer = wrapped(1, "::", "fe80::9", &outer_options, &inner);
    let opened = Relayed::open(&outer).unwrap();
    assert_eq!(opened.message, solicit);
    assert_eq!(opened.link(), Some("fd01::1".parse().unwrap()));
    assert_eq!(opened.ethernet(), Some(MAC));
    assert!(opened.has_own_port() && !opened.is_direct());
    let mut reply = vec![0xaa]; // What stands before is left alone.
    let advertise = packet("advertise to PXE");
    opened.wrap(&mut reply, |out| out.extend_from_slice(&advertise));
    assert_eq!(reply.len(), 1 + opened.envelope_bytes() + advertise.len());
    // dhcproto agrees on the outer envelope, ours with itself on both.
    let theirs = v6::RelayMessage::from_bytes(&reply[1..]).unwrap();
    assert_eq!((theirs.msg_type(), theirs.hop_count()), (v6::MessageType::RelayRepl, 1));
    assert_eq!(theirs.peer_addr(), "fe80::9".parse::<Ipv6Addr>().unwrap());
    let options = Options::new(&reply[35..]);
    assert_eq!(options.find(code::RELAY_PORT), Some(&[0, 0][..]));
    assert_eq!(options.find(code::REMOTE_ID), None, "only what the relay wants back");
    let inner = options.find(code::RELAY_MESSAGE).unwrap();
    assert_eq!(inner[..2], [13, 0]);
    let options = Options::new(&inner[34..]);
    assert_eq!(options.find(code::INTERFACE_ID), Some(&b"ge-0/1"[..]));
    assert_eq!(options.find(code::RELAY_MESSAGE), Some(&advertise[..]));
}

#[test]
fn bad_envelopes_are_refused_by_name() {
    let solicit = packet("solicit of PXE");
    let mut nested = solicit.clone();
    for hops in 0..RELAYS_MAX {
        nested = wrapped(u8::try_from(hops).unwrap(), "fd01::1", "fe80::9", &[], &nested);
    }
    assert_eq!(Relayed::open(&nested).unwrap().message, solicit);
    assert_eq!(Relayed::open(&nested).unwrap().envelopes().count(), RELAYS_MAX);
    let too_deep = wrapped(9, "fd01::1", "fe80::9", &[], &nested);
    let empty = wrapped(0, "fd01::1", "fe80::9", &[], &solicit)[..34].to_vec();
    let rows = [
        (too_deep, Dhcp6Error::TooDeep),
        (empty, Dhcp6Error::EmptyEnvelope),
        (vec![12; 33], Dhcp6Error::Truncated),
    ];
    for (bytes, want) in rows {
        assert_eq!(Relayed::open(&bytes), Err(want));
    }
    for (bytes, want) in [
        (&[1, 2, 3][..], Dhcp6Error::Truncated),
        (&[12, 2, 3, 4], Dhcp6Error::MessageType),
        (&[99, 2, 3, 4], Dhcp6Error::MessageType),
    ] {
        assert_eq!(Message::parse(bytes), Err(want));
    }
}

#[test]
fn lengths_that_lie_end_the_walk() {
    let good = [0, 8, 0, 2, 0, 7];
    let rows: [(&[u8], usize); 4] =
        [(&[0, 1, 0, 9, 1], 1), (&[0, 1, 0xff, 0xff], 1), (&[0, 1, 0], 1), (&[0, 1, 0, 0], 2)];
    for (tail, want) in rows {
        let bytes = [&good[..], tail].concat();
        assert_eq!(Options::new(&bytes).iter().count(), want, "{tail:?}");
    }
    assert_eq!(Items::new(&[0, 1, 7, 0, 9, 1]).collect::<Vec<_>>(), [[7]]);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), relayed: bool) {
        let mut bytes = bytes;
        if relayed && let Some(first) = bytes.first_mut() {
            *first = 12;
        }
        if let Ok(opened) = Relayed::open(&bytes) {
            let mut out = Vec::new();
            opened.wrap(&mut out, |out| out.extend_from_slice(opened.message));
            prop_assert_eq!(out.len(), opened.envelope_bytes() + opened.message.len());
            let _ = (opened.link(), opened.ethernet(), opened.has_own_port());
        }
        if let Ok(message) = Message::parse(&bytes) {
            let counted: usize = message.ias().map(|it| it.resources().count()).sum();
            prop_assert!(counted <= bytes.len());
            let _ = (message.client_id(), message.vendor_class().map(|it| it.1.count()));
        }
    }

    /// What dhcproto writes, we read.
    #[test]
    fn a_message_of_dhcproto_reads_the_same(
        xid: [u8; 3],
        id: u32,
        duid in prop::collection::vec(any::<u8>(), 3..=130),
        address: [u8; 16],
        len in 0..=128_u8,
        valid: u32,
    ) {
        let address = Ipv6Addr::from(address);
        let mut theirs = v6::Message::new_with_id(v6::MessageType::Request, xid);
        let mut opts = v6::DhcpOptions::new();
        opts.insert(DhcpOption::IAPrefix(v6::IAPrefix {
            preferred_lifetime: valid / 2,
            valid_lifetime: valid,
            prefix_len: len,
            prefix_ip: address,
            opts: v6::DhcpOptions::new(),
        }));
        theirs.opts_mut().insert(DhcpOption::ClientId(duid.clone()));
        theirs.opts_mut().insert(DhcpOption::RapidCommit);
        theirs.opts_mut().insert(DhcpOption::IAPD(v6::IAPD { id, t1: 1, t2: 2, opts }));
        let bytes = theirs.to_vec().unwrap();
        let ours = Message::parse(&bytes).unwrap();
        prop_assert_eq!(ours.kind, MessageType::Request);
        prop_assert_eq!(ours.transaction, xid);
        prop_assert_eq!(ours.client_id().unwrap().bytes(), &duid[..]);
        prop_assert!(ours.wants_rapid_commit());
        let ia = ours.ias().next().unwrap();
        prop_assert_eq!((ia.kind, ia.id, ia.t1, ia.t2), (IaKind::Prefix, id, 1, 2));
        let it = ia.resources().next().unwrap();
        prop_assert_eq!((it.address, it.len, it.valid), (address, len, valid));
    }
}
