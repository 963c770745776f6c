//! Which address a client gets, who is refused, and what time does.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::net::Ipv4Addr;

use ironherd_leases::{Ask, Change, Refusal, State, Table};
use ironherd_snapshot::{
    ClassSet, ClientClass, Identity, Index, Mac, Range, Reservation, Snapshot, Subnet,
};

const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

/// A subnet with one range, and reservations of the form (card, address).
fn index(generation: u64, range: (u8, u8), reservations: &[(u8, u8)]) -> Index {
    let reservation = |it: &(u8, u8)| Reservation::of_card(mac(it.0), address(it.1), None);
    let subnet = Subnet {
        id: "subnet".to_owned(),
        cidr: "10.0.0.0/24".parse().unwrap(),
        gateway: Some(address(254)),
        lease_seconds: 600,
        ranges: vec![Range::new(address(range.0), address(range.1))],
        reservations: reservations.iter().map(|it| reservation(it).into()).collect(),
        ..Subnet::default()
    };
    Index::new(Snapshot { generation, subnets: vec![subnet.into()], ..Snapshot::default() })
}

fn table(index: &Index) -> Table {
    let mut table = Table::default();
    table.follow(index);
    table
}

fn ask(index: &Index, card: u8) -> Ask<'_> {
    let reserved = index.reservation(0, &Identity::of_card(mac(card))).map(|it| it.address);
    Ask { index, subnet: 0, mac: mac(card), reserved, ours: OURS, classes: ClassSet::NONE }
}

/// DISCOVER and REQUEST in one.
fn take(table: &mut Table, index: &Index, card: u8, now: u64) -> Result<Ipv4Addr, Refusal> {
    let offered = table.offer(&ask(index, card), None, now + 60)?.address;
    table.bind(&ask(index, card), offered, now + 600).map(|it| it.lease.address)
}

#[test]
fn a_pool_gives_each_address_once_and_never_the_blocked_ones() {
    let index = index(1, (0, 9), &[(99, 5)]);
    let mut table = table(&index);
    let mut given: Vec<_> = (0..7).map(|it| take(&mut table, &index, it, 0).unwrap()).collect();
    given.sort_unstable();
    // Not the network's, not ours, not the reserved one.
    assert_eq!(given, [2, 3, 4, 6, 7, 8, 9].map(address));
    assert_eq!(take(&mut table, &index, 7, 0), Err(Refusal::Exhausted));
    assert_eq!(take(&mut table, &index, 99, 0), Ok(address(5)), "has its own");
}

#[test]
fn the_choice_goes_reserved_last_requested_preferred_oldest() {
    let index = index(1, (10, 100), &[(1, 200)]);
    let mut table = table(&index);
    let want = |table: &mut Table, card, wish: Option<u8>| {
        table.offer(&ask(&index, card), wish.map(address), 60).unwrap().address
    };
    assert_eq!(want(&mut table, 1, Some(50)), address(200), "reserved");
    assert_eq!(want(&mut table, 2, Some(50)), address(50), "requested");
    assert_eq!(want(&mut table, 2, Some(51)), address(50), "last");
    let preferred = want(&mut table, 3, Some(50));
    assert_ne!(preferred, address(50), "taken");
    let mut other = Table::default();
    other.follow(&index);
    assert_eq!(want(&mut other, 3, Some(101)), preferred, "the same on every rack");
}

#[test]
fn the_address_unused_for_longest_goes_first() {
    let index = index(1, (10, 12), &[]);
    let mut table = table(&index);
    let given: Vec<_> = (0..3).map(|it| take(&mut table, &index, it, 0).unwrap()).collect();
    for card in [2, 0, 1] {
        assert!(table.release(mac(card), given[usize::from(card)], 10).is_some());
    }
    // Strangers whose preferred address is taken get the one that was freed first.
    let next: Vec<_> = (100..103).map(|it| take(&mut table, &index, it, 20).unwrap()).collect();
    let mut sorted = next.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [10, 11, 12].map(address), "{next:?}");
}

#[test]
fn a_client_comes_back_to_its_address_after_release_and_expiry() {
    let index = index(1, (10, 200), &[]);
    let mut table = table(&index);
    let first = take(&mut table, &index, 1, 0).unwrap();
    assert!(table.release(mac(1), first, 5).is_some());
    assert!(table.release(mac(1), first, 5).is_none(), "it holds nothing any more");
    assert_eq!(take(&mut table, &index, 1, 10), Ok(first));
    assert_eq!(table.expire(609), None);
    let ended = table.expire(610).unwrap();
    assert_eq!((ended.address, ended.mac, ended.state), (first, mac(1), State::Free));
    assert_eq!(table.expire(610), None);
    assert_eq!(take(&mut table, &index, 1, 700), Ok(first));
}

#[test]
fn only_the_holder_can_release_or_decline() {
    let index = index(1, (10, 11), &[(9, 99)]);
    let mut table = table(&index);
    let held = take(&mut table, &index, 1, 0).unwrap();
    assert!(table.release(mac(2), held, 1).is_none());
    assert!(table.decline(&ask(&index, 2), held, 100).is_none());
    assert!(table.decline(&ask(&index, 1), held, 100).is_some());
    let other = take(&mut table, &index, 1, 1).unwrap();
    assert_ne!(other, held, "the declined address is let alone");
    assert_eq!(take(&mut table, &index, 2, 1), Err(Refusal::Exhausted));
    while table.expire(100).is_some() {}
    assert_eq!(take(&mut table, &index, 2, 101), Ok(held));
    // A reserved address stays with its card whatever it says.
    assert_eq!(take(&mut table, &index, 9, 1), Ok(address(99)));
    assert!(table.decline(&ask(&index, 9), address(99), 1000).is_some());
    assert_eq!(take(&mut table, &index, 9, 2), Ok(address(99)));
}

#[test]
fn binding_is_refused_by_name() {
    let index = index(1, (10, 20), &[(9, 15), (8, 99)]);
    let mut table = table(&index);
    table.bind(&ask(&index, 1), address(10), 600).unwrap();
    table.offer(&ask(&index, 2), Some(address(11)), 60).unwrap();
    let rows = [
        (1, 10, Ok(())),
        (2, 10, Err(Refusal::Held)),
        (1, 11, Err(Refusal::Held)),
        (2, 11, Ok(())),
        (1, 15, Err(Refusal::NotOurs)),
        (9, 15, Ok(())),
        (8, 99, Ok(())),
        (1, 99, Err(Refusal::NotOurs)),
        (1, 21, Err(Refusal::NotOurs)),
        (1, 254, Err(Refusal::NotOurs)),
    ];
    for (card, last, want) in rows {
        assert_eq!(table.can_bind(&ask(&index, card), address(last)), want, "{card} {last}");
    }
}

#[test]
fn a_repeat_writes_nothing_and_a_renewal_does() {
    let index = index(1, (10, 20), &[]);
    let mut table = table(&index);
    let mut bind = |until| table.bind(&ask(&index, 1), address(10), until).unwrap();
    let first = bind(600);
    assert_eq!(first.change, Change::Granted);
    let again = bind(590);
    assert_eq!((again.change, again.lease), (Change::Repeated, first.lease));
    let longer = bind(900);
    assert_eq!((longer.change, longer.lease.expires), (Change::Renewed, 900));
    assert!(first.lease.position < longer.lease.position);
}

#[test]
fn a_reservation_made_for_a_held_address_waits_for_its_holder() {
    let before = index(1, (10, 20), &[]);
    let mut table = table(&before);
    table.bind(&ask(&before, 1), address(10), 600).unwrap();
    let after = index(2, (10, 20), &[(2, 10)]);
    table.follow(&after);
    let renewed = table.bind(&ask(&after, 1), address(10), 1200).unwrap();
    assert_eq!((renewed.change, renewed.lease.expires), (Change::Repeated, 600), "drains");
    assert!(table.is_draining(&after, &renewed.lease));
    let meanwhile = take(&mut table, &after, 2, 5).unwrap();
    assert_ne!(meanwhile, address(10), "never two clients at once");
    while table.expire(600).is_some() {}
    assert_eq!(take(&mut table, &after, 2, 601), Ok(address(10)));
}

#[test]
fn ranges_and_reservations_change_live() {
    let narrow = index(1, (10, 11), &[(7, 11)]);
    let mut table = table(&narrow);
    let first = take(&mut table, &narrow, 1, 0).unwrap();
    assert_eq!(first, address(10));
    assert_eq!(take(&mut table, &narrow, 2, 0), Err(Refusal::Exhausted));
    let unreserved = index(2, (10, 11), &[]);
    table.follow(&unreserved);
    assert_eq!(take(&mut table, &unreserved, 2, 0), Ok(address(11)), "looked at again");
    let moved = index(3, (30, 30), &[]);
    table.follow(&moved);
    let lease = table.lease_of(mac(1), NETWORK).unwrap();
    assert_eq!(lease.state, State::Bound, "until it ends");
    assert!(table.is_draining(&moved, &lease));
    let renewed = table.bind(&ask(&moved, 1), first, 9000).unwrap();
    assert_eq!((renewed.change, renewed.lease.expires), (Change::Repeated, lease.expires));
    assert_eq!(table.can_bind(&ask(&moved, 4), first), Err(Refusal::NotOurs), "its holder alone");
    assert_eq!(take(&mut table, &moved, 3, 0), Ok(address(30)));
}

#[test]
fn an_offer_lapses_and_a_newer_one_replaces_it() {
    let plain = index(1, (10, 10), &[]);
    let mut table = table(&plain);
    table.offer(&ask(&plain, 1), None, 60).unwrap();
    assert_eq!(table.offer(&ask(&plain, 2), None, 60), Err(Refusal::Exhausted));
    assert_eq!(table.next_expiry(), Some(60));
    assert_eq!(table.expire(60), None, "an offer is no lease");
    assert_eq!(table.offer(&ask(&plain, 2), None, 120).unwrap().address, address(10));
    table.withdraw_offer(mac(2), NETWORK, 61);
    assert_eq!(table.offer(&ask(&plain, 1), None, 120).unwrap().address, address(10));
    // Reserved meanwhile: the old offer is free at once.
    let reserved = index(2, (10, 10), &[(1, 50)]);
    table.follow(&reserved);
    assert_eq!(table.offer(&ask(&reserved, 1), None, 120).unwrap().address, address(50));
    assert_eq!(table.offer(&ask(&reserved, 2), None, 120).unwrap().address, address(10));
}

#[test]
fn a_range_of_a_class_is_for_its_members() {
    let range = |first, last, class: Option<&str>| Range {
        class: class.map(str::to_owned),
        ..Range::new(address(first), address(last))
    };
    let ranges = vec![
        range(10, 11, None),
        range(20, 21, Some("members")),
        range(30, 31, Some("no class of this snapshot")),
    ];
    let class = |id: &str| ClientClass { id: id.to_owned(), ..ClientClass::default() };
    let mut snapshot = index(1, (0, 0), &[]).snapshot().clone();
    snapshot.subnets[0].ranges = ranges;
    snapshot.classes = vec![class("others"), class("members")];
    let index = Index::new(snapshot);
    let mut table = table(&index);
    let mut members = ClassSet::NONE;
    members.insert(1);
    let as_member = |card| Ask { classes: members, ..ask(&index, card) };
    let mut take = |ask: &Ask<'_>| {
        let chosen = table.choose(ask, None)?;
        assert_eq!(table.choose(ask, None), Ok(chosen), "asking twice changes nothing");
        table.keep(ask, chosen.address, 60)?;
        table.bind(ask, chosen.address, 600).map(|it| it.lease.address)
    };
    let mut given = [1, 2].map(|card| take(&as_member(card)).unwrap());
    given.sort_unstable();
    assert_eq!(given, [20, 21].map(address), "members go there first");
    let mut given = [take(&ask(&index, 3)).unwrap(), take(&as_member(4)).unwrap()];
    given.sort_unstable();
    assert_eq!(given, [10, 11].map(address), "and elsewhere when it is full");
    assert_eq!(take(&ask(&index, 5)), Err(Refusal::Exhausted));
    assert_eq!(table.can_bind(&ask(&index, 1), given[0]), Err(Refusal::Held));
    let left = table.bind(&ask(&index, 1), address(20), 1200).unwrap();
    assert_eq!((left.change, left.lease.expires), (Change::Repeated, 600), "it left the class");
    assert_eq!(table.can_bind(&ask(&index, 6), address(20)), Err(Refusal::NotOurs));
}
