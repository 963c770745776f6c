//! Where replies go, and which subnet a client is on.

use std::net::{Ipv4Addr, SocketAddrV4};

use ironherd_proto::DropReason;
use ironherd_proto::dhcp::Destination;
use ironherd_wire::dhcp::MessageType::{Discover, Inform, Nak, Request};
use ironherd_wire::dhcp::{Header, Message, MessageType, code};

use crate::lab::{Lab, MAC, NOBODY, OURS, Said, address, frame, mac, snapshot, value};

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 9, 253);

fn unicast(ip: Ipv4Addr, port: u16) -> Destination {
    Destination::Unicast(SocketAddrV4::new(ip, port))
}

const BROADCAST: Destination = Destination::Broadcast { port: 68 };

#[test]
fn a_reply_goes_where_rfc_2131_says() {
    let relayed = |it: &mut Header| it.giaddr = RELAY;
    let rows: [(&str, Said, Destination); 9] = [
        ("no address yet", Said::new(Discover, MAC), frame(MAC, address(150))),
        ("flag", Said::new(Discover, MAC).header(|it| it.flags = 0x8000), BROADCAST),
        ("selecting", Said::new(Request, MAC).select(address(150)), frame(MAC, address(150))),
        (
            "renewing",
            Said::new(Request, MAC).header(|it| it.ciaddr = address(150)),
            unicast(address(150), 68),
        ),
        (
            "renewing, with the flag",
            Said::new(Request, MAC).header(|it| (it.ciaddr, it.flags) = (address(150), 0x8000)),
            unicast(address(150), 68),
        ),
        ("relayed", Said::new(Discover, MAC).header(relayed), unicast(RELAY, 67)),
        (
            "relayed from its own port",
            Said::new(Discover, MAC).header(relayed).with(code::RELAY_AGENT, &[19, 0]),
            unicast(RELAY, 1067),
        ),
        ("refused", Said::new(Request, MAC).select(address(9)), BROADCAST),
        (
            "refused behind a relay",
            Said::new(Request, MAC).select(address(9)).header(relayed),
            unicast(RELAY, 67),
        ),
    ];
    for (name, said, want) in rows {
        let mut lab = Lab::new(snapshot(None, false));
        // What the client is offered shall not depend on its card.
        let said = if name == "no address yet" { said.wish(address(150)) } else { said };
        let source = SocketAddrV4::new(NOBODY, 1067);
        let (reply, payload) = lab.tell_from(source, &said.bytes()).unwrap().remove(0);
        assert_eq!(reply.to, want, "{name}");
        assert_eq!((reply.link, reply.source_port), (7, 67), "{name}");
        let message = Message::parse(&payload).unwrap();
        let must_broadcast = name == "refused behind a relay";
        assert_eq!(message.wants_broadcast(), must_broadcast || said.header.flags != 0, "{name}");
        assert_eq!(message.giaddr(), said.header.giaddr, "{name}");
        assert_eq!(message.chaddr(), said.header.chaddr, "{name}");
        assert_eq!(message.xid(), said.header.xid, "{name}");
    }
}

#[test]
fn inform_is_answered_to_an_address_that_can_hear_it() {
    let rows = [
        (address(250), "10.77.0.250:68", Ok(unicast(address(250), 68))),
        (address(250), "0.0.0.0:68", Ok(unicast(address(250), 68))),
        (Ipv4Addr::BROADCAST, "10.77.0.250:64322", Ok(unicast(address(250), 64322))),
        (NOBODY, "10.77.0.250:68", Ok(unicast(address(250), 68))),
        (NOBODY, "0.0.0.0:68", Err(DropReason::DhcpNoDestination)),
        (Ipv4Addr::LOCALHOST, "0.0.0.0:68", Err(DropReason::DhcpNoDestination)),
        (NOBODY, "10.77.0.250:0", Err(DropReason::DhcpNoDestination)),
    ];
    for (ciaddr, source, want) in rows {
        let mut lab = Lab::new(snapshot(None, false));
        let said = Said::new(Inform, MAC).header(|it| it.ciaddr = ciaddr);
        let got = lab.tell_from(source.parse().unwrap(), &said.bytes());
        let to = got.as_ref().map(|it| it[0].0.to).map_err(|it| *it);
        assert_eq!(to, want, "{ciaddr} from {source}");
        if let Ok(sent) = got {
            let ack = Message::parse(&sent[0].1).unwrap();
            assert_eq!(ack.message_type(), Some(MessageType::Ack));
            assert_eq!(ack.yiaddr(), NOBODY);
            assert_eq!(value(&ack, code::LEASE_SECONDS), None);
            assert_eq!(value(&ack, code::SUBNET_MASK), Some(vec![255, 255, 255, 0]));
        }
        assert_eq!(lab.server.leases().bound().count(), 0);
    }
}

#[test]
fn the_relay_says_which_subnet_is_meant() {
    let (here, there) = (Some(0), Some(9));
    let relayed = |it: &mut Header| it.giaddr = RELAY;
    let rows: [(&str, Said, Option<u8>); 9] = [
        ("direct", Said::new(Discover, MAC), here),
        ("relayed", Said::new(Discover, MAC).header(relayed), there),
        (
            "link selection",
            Said::new(Discover, MAC).header(relayed).with(code::RELAY_AGENT, &[5, 4, 10, 77, 0, 0]),
            here,
        ),
        (
            "link selection without a relay is the client's own invention",
            Said::new(Discover, MAC).with(code::RELAY_AGENT, &[5, 4, 10, 77, 9, 0]),
            here,
        ),
        (
            "subnet selection",
            Said::new(Discover, MAC).header(relayed).with(code::SUBNET_SELECTION, &[10, 77, 0, 0]),
            here,
        ),
        (
            "link selection before subnet selection",
            Said::new(Discover, MAC)
                .header(relayed)
                .with(code::SUBNET_SELECTION, &[10, 77, 0, 0])
                .with(code::RELAY_AGENT, &[5, 4, 10, 77, 9, 0]),
            there,
        ),
        (
            "a subnet nobody knows",
            Said::new(Discover, MAC).header(relayed).with(code::RELAY_AGENT, &[5, 4, 10, 99, 0, 0]),
            None,
        ),
        (
            "a relay nobody knows",
            Said::new(Discover, MAC).header(|it| it.giaddr = Ipv4Addr::new(10, 99, 0, 1)),
            None,
        ),
        (
            "renewing through a router",
            Said::new(Request, MAC).header(|it| it.ciaddr = Ipv4Addr::new(10, 77, 9, 150)),
            there,
        ),
    ];
    for (name, said, want) in rows {
        let mut lab = Lab::new(snapshot(None, false));
        let got = lab.tell(&said.bytes());
        let third = got.map(|it| Message::parse(&it[0].1).unwrap().yiaddr().octets()[2]);
        assert_eq!(third, want.ok_or(DropReason::DhcpNoSubnet), "{name}");
    }
}

/// Whatever the relay put into option 82 comes back as it was, last, in every kind of reply.
#[test]
fn option_82_comes_back_whole_and_last() {
    let relay_agent = [&[1, 4][..], b"eth0", &[2, 6], &MAC.0, &[11, 4, 10, 77, 9, 253]].concat();
    let said = |kind: MessageType| {
        let said = Said::new(kind, MAC).header(|it| it.giaddr = RELAY);
        said.with(code::RELAY_AGENT, &relay_agent).booting("PXEClient", "", 7)
    };
    let mut lab = Lab::new(snapshot(None, true));
    let (_, offer) = lab.ask(&said(Discover).bytes());
    let offered = Message::parse(&offer).unwrap().yiaddr();
    let chosen = |wish| said(Request).with(code::SERVER_ID, &RELAY.octets()).wish(wish);
    let (_, ack) = lab.ask(&chosen(offered).bytes());
    let (_, nak) = lab.ask(&chosen(address(9)).bytes());
    let kinds = [MessageType::Offer, MessageType::Ack, Nak];
    for (payload, kind) in [offer, ack, nak].into_iter().zip(kinds) {
        let reply = Message::parse(&payload).unwrap();
        assert_eq!(reply.message_type(), Some(kind));
        assert_eq!(reply.server_id(), Some(RELAY), "the relay stands in for us (RFC 5107)");
        let end = payload.iter().rposition(|it| *it == code::END).unwrap();
        assert!(payload[..end].ends_with(&relay_agent), "{kind:?}");
        assert_eq!(value(&reply, code::RELAY_AGENT).unwrap(), relay_agent);
    }
}

#[test]
fn a_choice_of_another_server_frees_our_offer() {
    let mut snapshot = snapshot(None, false);
    snapshot.subnets[0].ranges = vec![ironherd_snapshot::Range::new(address(100), address(100))];
    let mut lab = Lab::new(snapshot);
    lab.ask(&Said::new(Discover, mac(1)).bytes());
    let discover = Said::new(Discover, mac(2)).bytes();
    assert_eq!(lab.tell(&discover), Err(DropReason::DhcpNoAddress));
    let other = Said::new(Request, mac(1)).with(code::SERVER_ID, &[10, 77, 0, 77]);
    let other = other.wish(address(100)).bytes();
    assert_eq!(lab.tell(&other), Err(DropReason::DhcpOtherServer));
    let (_, offer) = lab.ask(&discover);
    assert_eq!(Message::parse(&offer).unwrap().yiaddr(), address(100));
    assert_eq!(Message::parse(&offer).unwrap().server_id(), Some(OURS));
}
