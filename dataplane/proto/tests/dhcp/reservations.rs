//! Addresses that belong to one client, however it is told; and subnets that share a link.

use std::net::Ipv4Addr;

use ironherd_proto::DropReason;
use ironherd_snapshot::{
    Mac, Range, RelayPort, Reservation, ReservationKey, ScopeOptions, Snapshot, Vlan,
};
use ironherd_wire::dhcp::MessageType::{self, Ack, Discover, Nak, Request};
use ironherd_wire::dhcp::{Message, code};

use crate::lab::{Lab, Said, address, mac, snapshot, subnet};

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 253);

fn reserved(key: ReservationKey, last: u8) -> Reservation {
    Reservation { key, address: address(last), hostname: None, options: ScopeOptions::NONE }
}

#[test]
fn a_reservation_is_the_clients_however_it_is_told() {
    let port = |circuit: &[u8], remote: &[u8]| {
        let (circuit_id, remote_id) = (circuit.to_vec(), remote.to_vec());
        ReservationKey::RelayPort(RelayPort { circuit_id, remote_id })
    };
    let mut snapshot = snapshot(None, false);
    snapshot.subnets[0].reservations = vec![
        reserved(ReservationKey::Mac(mac(1)), 11).into(),
        reserved(ReservationKey::ClientId(b"\0name".to_vec()), 12).into(),
        reserved(ReservationKey::Uuid([1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9, 9]), 13).into(),
        reserved(port(b"eth1", b""), 14).into(),
        reserved(port(b"eth1", b"sw"), 15).into(),
    ];
    let uuid = [0, 4, 3, 2, 1, 6, 5, 8, 7, 9, 9, 9, 9, 9, 9, 9, 9];
    let agent = |remote: &[u8]| [&[1, 4][..], b"eth1", remote].concat();
    let said = |card| Said::new(Discover, mac(card));
    let relayed = |it: Said| it.header(|it| it.giaddr = RELAY);
    let rows = [
        ("card", said(1), Some(11)),
        ("client id", said(2).with(code::CLIENT_ID, b"\0name"), Some(12)),
        ("another id", said(2).with(code::CLIENT_ID, b"\0nam"), None),
        ("UUID", said(2).with(code::CLIENT_UUID, &uuid), Some(13)),
        ("port", relayed(said(2).with(code::RELAY_AGENT, &agent(b""))), Some(14)),
        ("any switch", relayed(said(2).with(code::RELAY_AGENT, &agent(&[2, 1, 7]))), Some(14)),
        ("switch", relayed(said(2).with(code::RELAY_AGENT, &agent(b"\x02\x02sw"))), Some(15)),
        ("no relay, no port", said(2).with(code::RELAY_AGENT, &agent(b"")), None),
        ("card before id", said(1).with(code::CLIENT_ID, b"\0name"), Some(11)),
        (
            "id before port",
            relayed(said(2).with(code::CLIENT_ID, b"\0name").with(82, &agent(b""))),
            Some(12),
        ),
    ];
    for (name, said, want) in rows {
        let mut lab = Lab::new(snapshot.clone());
        let (_, offer) = lab.ask(&said.bytes());
        let last = Message::parse(&offer).unwrap().yiaddr().octets()[3];
        assert_eq!((last < 20).then_some(last), want, "{name}");
    }
}

/// Three subnets: 0 and 1 on the rack's own VLAN, 9 behind a relay.
fn shared() -> Snapshot {
    let mut snapshot = snapshot(None, false);
    let vlan = |id: &str| Vlan { id: id.to_owned(), ..Vlan::default() };
    snapshot.vlans = vec![vlan("near"), vlan("far")];
    let mut second = subnet(1);
    let net = |last| Ipv4Addr::new(10, 77, 1, last);
    second.ranges = vec![Range::new(net(100), net(101))];
    snapshot.subnets.push(second.into());
    for (subnet, vlan) in snapshot.subnets.iter_mut().zip(["near", "far", "near"]) {
        subnet.vlan = vlan.to_owned();
    }
    snapshot.subnets[0].ranges = vec![Range::new(address(100), address(100))];
    snapshot
}

fn second(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 1, last)
}

#[test]
fn a_full_subnet_leaves_its_clients_to_the_next_of_the_vlan() {
    let mut lab = Lab::new(shared());
    assert_eq!(lab.lease(mac(1)), address(100));
    let mut next = [lab.lease(mac(2)), lab.lease(mac(3))];
    next.sort_unstable();
    assert_eq!(next, [second(100), second(101)]);
    let discover = Said::new(Discover, mac(4)).bytes();
    assert_eq!(lab.tell(&discover), Err(DropReason::DhcpNoAddress), "the relay's is another VLAN");
    let (_, offer) = lab.ask(&Said::new(Discover, mac(2)).bytes());
    let offer = Message::parse(&offer).unwrap();
    assert_eq!(offer.yiaddr().octets()[2], 1, "the subnet it has a lease in goes first");
    let mask_and_router = [code::SUBNET_MASK, code::ROUTER].map(|it| crate::lab::value(&offer, it));
    assert_eq!(mask_and_router[1], Some(vec![10, 77, 1, 254]));
}

#[test]
fn a_client_has_its_reservation_and_its_wish_in_any_subnet_of_the_vlan() {
    let mut snapshot = shared();
    let key = ReservationKey::Mac(mac(1));
    let own = Reservation { address: second(50), ..reserved(key, 0) };
    snapshot.subnets[2].reservations = vec![own.into()];
    let mut lab = Lab::new(snapshot);
    assert_eq!(lab.lease(mac(1)), second(50));
    let (_, offer) = lab.ask(&Said::new(Discover, mac(2)).wish(second(101)).bytes());
    assert_eq!(Message::parse(&offer).unwrap().yiaddr(), second(101));
}

#[test]
fn an_address_of_any_subnet_of_the_vlan_is_on_the_right_network() {
    let reboot = |card, ip: Ipv4Addr| Said::new(Request, mac(card)).wish(ip);
    let renew = |card, ip| Said::new(Request, mac(card)).header(|it| it.ciaddr = ip);
    let select = |card, ip| Said::new(Request, mac(card)).select(ip);
    let far = Ipv4Addr::new(10, 77, 9, 150);
    let rows: [(&str, Said, Result<MessageType, DropReason>); 7] = [
        ("rebooting there", reboot(1, second(100)), Ok(Ack)),
        ("renewing there", renew(1, second(100)), Ok(Ack)),
        ("selecting there", select(3, second(101)), Ok(Ack)),
        ("selecting another's", select(3, second(100)), Ok(Nak)),
        ("rebooting on another VLAN", reboot(1, far), Ok(Nak)),
        ("selecting on another VLAN", select(1, far), Ok(Nak)),
        ("a stranger's memory", reboot(3, second(101)), Err(DropReason::DhcpUnknownClient)),
    ];
    for (name, said, want) in rows {
        let mut lab = Lab::new(shared());
        lab.ask(&select(1, second(100)).bytes());
        let got = lab.tell(&said.bytes());
        let got = got.map(|it| Message::parse(&it[0].1).unwrap().message_type().unwrap());
        assert_eq!(got, want, "{name}");
    }
}

/// Cards are drawn from the operator's reservations however many subnets there are.
#[test]
fn a_reservation_of_another_vlan_does_not_count() {
    let mut snapshot = shared();
    let own = Reservation::of_card(Mac(mac(1).0), Ipv4Addr::new(10, 77, 9, 50), None);
    snapshot.subnets[1].reservations = vec![own.into()];
    let mut lab = Lab::new(snapshot);
    assert_eq!(lab.lease(mac(1)), address(100));
    let (_, offer) = lab.ask(
        &Said::new(Discover, mac(1)).header(|it| it.giaddr = Ipv4Addr::new(10, 77, 9, 1)).bytes(),
    );
    assert_eq!(Message::parse(&offer).unwrap().yiaddr(), Ipv4Addr::new(10, 77, 9, 50));
}
