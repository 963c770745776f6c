//! The IPv6 table at its bounds: full, and with pools that change while leases run.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use ironherd_leases::State;
use ironherd_leases::v6::{Ask6, Association, Block, Kind, Refusal6, Table6};
use ironherd_snapshot::{Index, PrefixPool, Range6, Snapshot, Subnet6};

/// As many as a table keeps.
const RECORDS_MAX: u32 = 1 << 18;

fn subnet(cidr: &str, first: &str, last: &str, delegated: &[(&str, u8)]) -> Subnet6 {
    let pool = |it: &(&str, u8)| PrefixPool { prefix: it.0.parse().unwrap(), delegated_len: it.1 };
    Subnet6 {
        id: cidr.to_owned(),
        cidr: cidr.parse().unwrap(),
        ranges: vec![Range6 { first: first.parse().unwrap(), last: last.parse().unwrap() }],
        prefix_pools: delegated.iter().map(pool).collect(),
        ..Subnet6::default()
    }
}

fn index(generation: u64, subnets: Vec<Subnet6>) -> Index {
    let subnets6 = subnets.into_iter().map(Into::into).collect();
    Index::new(Snapshot { generation, subnets6, ..Snapshot::default() })
}

fn holder(client: u32, kind: Kind) -> Association {
    Association { duid: client.to_be_bytes().as_slice().into(), iaid: 1, kind }
}

fn ask<'a>(index: &'a Index, subnet: usize, holder: &'a Association) -> Ask6<'a> {
    Ask6 { index, subnet, holder, mac: None, reserved: None, ours: &[] }
}

/// What a client gets, if anything.
fn take(table: &mut Table6, ask: &Ask6<'_>, until: u64) -> Result<Block, Refusal6> {
    let block = table.choose(ask, None).ok_or(Refusal6::NotOurs)?;
    table.bind(ask, block, until).map(|it| it.lease.block)
}

/// Leaves no more waiting for the journal than one batch.
fn commit(table: &mut Table6, disk: &mut Vec<u8>) {
    if let Some(position) = table.take_batch(disk) {
        table.handle_committed(position);
    }
}

#[test]
fn a_full_table_forgets_what_was_free_for_longest_and_no_lease() {
    let wide = || subnet("fd77::/64", "fd77::1:0:0", "fd77::2:0:0", &[]);
    let small = || subnet("fd78::/64", "fd78::10", "fd78::1f", &[]);
    let index = index(1, vec![wide(), small()]);
    let mut table = Table6::default();
    table.follow(&index);
    let mut disk = Vec::new();
    // A small network's clients come, and one of them goes again.
    let small: Vec<_> = (0..8).map(|it| holder(it, Kind::Address)).collect();
    let given: Vec<_> =
        small.iter().map(|it| take(&mut table, &ask(&index, 1, it), 900_000).unwrap()).collect();
    table.release(&small[0], given[0], 10).unwrap();
    // Then somebody claims one identity after the other, each for ten seconds.
    let claim = |table: &mut Table6, client: u32, now: u64| {
        while table.expire(now).is_some() {}
        let holder = holder(client, Kind::Address);
        take(table, &ask(&index, 0, &holder), now + 10)
    };
    for client in 0..RECORDS_MAX {
        let now = 1000 + u64::from(client / 1000);
        if client == RECORDS_MAX / 2 {
            table.release(&small[1], given[1], now).unwrap();
        }
        claim(&mut table, 100 + client, now).unwrap();
        commit(&mut table, &mut disk);
    }
    assert_eq!(table.lease_at(given[0]), None, "it was free for longest");
    assert_eq!(table.lease_at(given[1]).unwrap().state, State::Free, "it is free since late");
    for (client, block) in small.iter().zip(&given).skip(2) {
        assert!(table.lease_at(*block).unwrap().is_held_by(client));
    }
    // What was forgotten can be had again, down to the last address of the small network.
    let late: Vec<_> = (50..60).map(|it| holder(it, Kind::Address)).collect();
    let mut fresh: Vec<_> = late
        .iter()
        .map(|it| take(&mut table, &ask(&index, 1, it), 900_000).unwrap())
        .chain(given[2..].iter().copied())
        .collect();
    fresh.sort_unstable();
    fresh.dedup();
    assert_eq!(fresh.len(), 16, "each has one of its own");
    let none = holder(70, Kind::Address);
    assert_eq!(table.choose(&ask(&index, 1, &none), None), None);

    // The journal tells of more than fit, and not of what has ended: no lease is left out.
    commit(&mut table, &mut disk);
    let (after, recovery) = Table6::recover(&disk);
    assert!(RECORDS_MAX < u32::try_from(recovery.records).unwrap());
    for block in &fresh {
        assert_eq!(after.lease_at(*block).unwrap().state, State::Bound, "{block}");
    }
}

#[test]
fn a_table_full_of_leases_refuses_and_takes_again_once_one_ends() {
    let index = index(1, vec![subnet("fd77::/64", "fd77::1:0:0", "fd77::2:0:0", &[])]);
    let mut table = Table6::default();
    table.follow(&index);
    let mut disk = Vec::new();
    let mut claim = |table: &mut Table6, client: u32| {
        disk.clear();
        commit(table, &mut disk);
        take(table, &ask(&index, 0, &holder(client, Kind::Address)), 1000)
    };
    let first = claim(&mut table, 0).unwrap();
    for client in 1..RECORDS_MAX {
        claim(&mut table, client).unwrap();
    }
    assert_eq!(claim(&mut table, RECORDS_MAX), Err(Refusal6::Full));
    assert_eq!(claim(&mut table, 0), Ok(first), "who has one keeps it");
    table
        .release(
            &holder(7, Kind::Address),
            table.lease_of(&holder(7, Kind::Address), "fd77::".parse().unwrap()).unwrap().block,
            10,
        )
        .unwrap();
    claim(&mut table, RECORDS_MAX).unwrap();
    assert_eq!(claim(&mut table, RECORDS_MAX + 1), Err(Refusal6::Full));
}

/// Whatever the delegated length becomes, no two clients have a part of one prefix.
#[test]
fn prefixes_of_another_length_never_meet_those_that_are_held() {
    let of = |len| vec![subnet("fd77::/64", "fd77::10", "fd77::1f", &[("fd80::/56", len)])];
    for (before, after) in [(60, 64), (64, 60), (56, 64), (64, 56), (62, 63)] {
        let mut table = Table6::default();
        let old = index(1, of(before));
        table.follow(&old);
        let mut held = Vec::new();
        let clients = 3.min(1_u32 << (before - 56));
        for client in 0..clients {
            let holder = holder(client, Kind::Prefix);
            held.push(take(&mut table, &ask(&old, 0, &holder), 900).unwrap());
        }
        let mut disk = Vec::new();
        commit(&mut table, &mut disk);
        // With the table as it is, and as it comes back from the disk.
        for mut table in [table, Table6::recover(&disk).0] {
            let new = index(2, of(after));
            table.follow(&new);
            let mut all = held.clone();
            for client in 10..300 {
                let holder = holder(client, Kind::Prefix);
                all.extend(take(&mut table, &ask(&new, 0, &holder), 900));
            }
            let net = |it: &Block| ipnet::Ipv6Net::new(it.address, it.len).unwrap();
            for (place, one) in all.iter().enumerate() {
                for other in &all[..place] {
                    let (one, other) = (net(one), net(other));
                    let apart = !one.contains(&other) && !other.contains(&one);
                    assert!(apart, "{before} to {after}: {one} and {other}");
                }
            }
            // All that is left was handed out.
            let size = |it: &Block| 1_u32 << (64 - it.len);
            let lost: u32 = if after < before {
                // A shorter prefix is lost with the first part of it that is held.
                let mut parts: Vec<_> =
                    held.iter().map(|it| net(it).network().to_bits() >> (128 - after)).collect();
                parts.sort_unstable();
                parts.dedup();
                u32::try_from(parts.len()).unwrap() << (64 - after)
            } else {
                held.iter().map(size).sum()
            };
            let granted: u32 = all[held.len()..].iter().map(size).sum();
            assert_eq!(granted, 256 - lost, "{before} to {after}");
            // And once the old ones end, theirs are free again.
            for (client, block) in (0..clients).zip(&held) {
                table.release(&holder(client, Kind::Prefix), *block, 100).unwrap();
            }
            let late: Vec<_> = (400..700)
                .filter_map(|it| {
                    take(&mut table, &ask(&new, 0, &holder(it, Kind::Prefix)), 900).ok()
                })
                .collect();
            assert_eq!(late.iter().map(size).sum::<u32>(), lost, "{before} to {after}");
        }
    }
}
