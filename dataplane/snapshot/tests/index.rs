//! What the look-up tables find.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::net::Ipv4Addr;

use ironherd_snapshot::{
    DhcpOption, Fabric, Identity, Index, Mac, RelayPort, Reservation, ReservationKey, ScopeOptions,
    Settings, Snapshot, Subnet, Vlan, WiderScope,
};

fn subnet(cidr: &str, vlan: &str) -> Subnet {
    let (id, vlan) = (cidr.to_owned(), vlan.to_owned());
    Subnet { id, vlan, cidr: cidr.parse().unwrap(), ..Subnet::default() }
}

#[test]
fn the_longest_prefix_holds_an_address() {
    let cidrs = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "192.0.2.0/31"];
    let subnets = cidrs.map(|it| subnet(it, "").into()).to_vec();
    let index = Index::new(Snapshot { subnets, ..Snapshot::default() });
    let rows = [
        ("10.9.9.9", Some(0)),
        ("10.1.9.9", Some(1)),
        ("10.1.2.9", Some(2)),
        ("10.1.2.3", Some(3)),
        ("192.0.2.1", Some(4)),
        ("192.0.2.2", None),
        ("0.0.0.0", None),
    ];
    for (address, want) in rows {
        let found = index.subnet_of(address.parse().unwrap());
        assert_eq!(found.map(|it| it.0), want, "{address}");
    }
    let all = Index::new(Snapshot {
        subnets: vec![subnet("0.0.0.0/0", "").into()],
        ..Snapshot::default()
    });
    assert!(all.subnet_of(Ipv4Addr::new(203, 0, 113, 9)).is_some());
}

#[test]
fn subnets_of_one_vlan_stand_together() {
    let cidrs = [("10.0.0.0/24", "a"), ("10.0.1.0/24", "b"), ("10.0.2.0/24", "a")];
    let alone = [("10.0.3.0/24", ""), ("10.0.4.0/24", "")];
    let subnets = cidrs.iter().chain(&alone).map(|it| subnet(it.0, it.1).into()).collect();
    let index = Index::new(Snapshot { subnets, ..Snapshot::default() });
    let together: Vec<&[usize]> = (0..6).map(|it| index.subnets_together(it)).collect();
    assert_eq!(together, [&[0, 2][..], &[1], &[2, 0], &[3], &[4], &[]]);
}

#[test]
fn a_reservation_is_found_by_the_strongest_key() {
    let port = |circuit: &str, remote: &str| {
        let (circuit_id, remote_id) = (circuit.into(), remote.into());
        ReservationKey::RelayPort(RelayPort { circuit_id, remote_id })
    };
    let card = Mac([2, 0, 0, 0, 0, 1]);
    let keys = [
        port("eth1", ""),
        port("eth1", "switch"),
        ReservationKey::Uuid([9; 16]),
        ReservationKey::ClientId(b"id".to_vec()),
        ReservationKey::Mac(card),
        ReservationKey::Mac(card), // The first of two wins.
    ];
    let mut subnet = subnet("10.0.0.0/24", "");
    subnet.reservations = (0..)
        .zip(keys)
        .map(|(last, key)| {
            let address = Ipv4Addr::new(10, 0, 0, last);
            let options = ScopeOptions::NONE;
            Reservation { key, address, hostname: None, options }.into()
        })
        .collect();
    let index = Index::new(Snapshot { subnets: vec![subnet.into()], ..Snapshot::default() });
    let nobody = Identity::of_card(Mac([2; 6]));
    let at =
        |identity: &Identity<'_>| index.reservation(0, identity).map(|it| it.address.octets()[3]);
    let with_port = |remote: Option<&'static str>| Identity {
        circuit_id: Some(b"eth1".into()),
        remote_id: remote.map(|it| it.as_bytes().into()),
        ..nobody.clone()
    };
    assert_eq!(at(&nobody), None);
    assert_eq!(at(&with_port(None)), Some(0));
    assert_eq!(at(&with_port(Some("another"))), Some(0));
    assert_eq!(at(&with_port(Some("switch"))), Some(1));
    let mut identity = with_port(Some("switch"));
    identity.uuid = Some([9; 16]);
    assert_eq!(at(&identity), Some(2));
    identity.client_id = Some(b"id".into());
    assert_eq!(at(&identity), Some(3));
    identity.mac = card;
    assert_eq!(at(&identity), Some(4));
    assert_eq!(index.reservation(1, &identity), None);
}

#[test]
fn of_the_wider_scopes_the_nearest_wins() {
    let options = |codes: &[u16], data: u8| ScopeOptions {
        v4: codes
            .iter()
            .map(|it| DhcpOption { code: *it, data: vec![data], force: false })
            .collect(),
        v6: Vec::new(),
    };
    let vlan = Vlan {
        id: "v".to_owned(),
        fabric: "f".to_owned(),
        options: options(&[1], 1),
        ..Vlan::default()
    };
    let fabric = Fabric { id: "f".to_owned(), options: options(&[1, 2], 2), ..Fabric::default() };
    let settings = Settings { options: options(&[1, 2, 3], 3), ..Settings::default() };
    let subnets = vec![subnet("10.0.0.0/24", "v").into(), subnet("10.0.1.0/24", "").into()];
    let (vlans, fabrics) = (vec![vlan], vec![fabric]);
    let index = Index::new(Snapshot { settings, subnets, vlans, fabrics, ..Snapshot::default() });
    let of = |subnet| {
        let wider = index.wider_options(subnet).iter();
        wider.map(|it| (it.option.code, it.option.data[0], it.scope)).collect::<Vec<_>>()
    };
    let global = WiderScope::Global;
    assert_eq!(of(0), [(1, 1, WiderScope::Vlan), (2, 2, WiderScope::Fabric), (3, 3, global)]);
    assert_eq!(of(1), [(1, 3, global), (2, 3, global), (3, 3, global)]);
    assert_eq!(of(2), []);
}
