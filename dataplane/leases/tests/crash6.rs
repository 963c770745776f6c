//! The IPv6 journal: whatever byte the power fails at, no acknowledged lease is lost and nothing
//! has two holders.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::HashMap;

use ironherd_leases::v6::{Ask6, Association, Block, Kind, Table6};
use ironherd_leases::{Position, State};
use ironherd_snapshot::{Index, Mac, PrefixPool, Range6, Snapshot, Subnet6};
use proptest::prelude::*;

const RECORD_BYTES: usize = 208;
const CLIENTS: u8 = 6;

fn index() -> Index {
    let subnet = Subnet6 {
        id: "subnet".to_owned(),
        cidr: "fd77::/64".parse().unwrap(),
        preferred_seconds: 300,
        valid_seconds: 600,
        // Fewer than there are clients: they must share.
        ranges: vec![Range6 {
            first: "fd77::10".parse().unwrap(),
            last: "fd77::14".parse().unwrap(),
        }],
        prefix_pools: vec![PrefixPool { prefix: "fd80::/62".parse().unwrap(), delegated_len: 64 }],
        ..Subnet6::default()
    };
    Index::new(Snapshot { generation: 1, subnets6: vec![subnet.into()], ..Snapshot::default() })
}

fn holder(client: u8, kind: Kind) -> Association {
    // As long as a DUID may be, so that each byte of a record counts.
    let mut duid = vec![client; 130];
    duid[1] = 4;
    Association { duid: duid.into(), iaid: u32::from(client), kind }
}

fn ask<'a>(index: &'a Index, holder: &'a Association) -> Ask6<'a> {
    let mac = Some(Mac([2, 0, 0, 0, 0, holder.duid[0]]));
    Ask6 { index, subnet: 0, holder, mac, reserved: None, ours: &[] }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Take(u8, bool),
    Release(u8, bool),
    Decline(u8),
    Wait(u64),
    Batch,
    Commit,
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..CLIENTS, any::<bool>()).prop_map(|(it, prefix)| Step::Take(it, prefix)),
        2 => (0..CLIENTS, any::<bool>()).prop_map(|(it, prefix)| Step::Release(it, prefix)),
        1 => (0..CLIENTS).prop_map(Step::Decline),
        1 => (1..700_u64).prop_map(Step::Wait),
        3 => Just(Step::Batch),
        3 => Just(Step::Commit),
        1 => Just(Step::Compact),
    ]
}

const fn kind(prefix: bool) -> Kind {
    if prefix { Kind::Prefix } else { Kind::Address }
}

/// A rack with a disk that keeps what was committed, and may keep any part of what was not.
struct Rack {
    table: Table6,
    index: Index,
    now: u64,
    disk: Vec<u8>,
    in_flight: Option<(Position, Vec<u8>, bool)>, // Bool: replaces the whole file.
    waiting: Vec<(Position, Association, Block, u64)>,
    acknowledged: HashMap<Association, (Block, u64)>,
}

impl Rack {
    fn new(disk: &[u8], now: u64) -> Self {
        let (mut table, recovery) = Table6::recover(disk);
        let index = index();
        table.follow(&index);
        let disk = disk[..recovery.valid_bytes].to_vec();
        let (in_flight, waiting, acknowledged) = (None, Vec::new(), HashMap::new());
        Self { table, index, now, disk, in_flight, waiting, acknowledged }
    }

    fn run(&mut self, step: Step) {
        while self.table.expire(self.now).is_some() {}
        match step {
            Step::Take(client, prefix) => self.take(holder(client, kind(prefix))),
            Step::Release(client, prefix) => {
                let holder = holder(client, kind(prefix));
                self.waiting.retain(|(_, other, ..)| *other != holder);
                if let Some((block, _)) = self.acknowledged.remove(&holder) {
                    self.table.release(&holder, block, self.now);
                }
            }
            Step::Decline(client) => {
                let holder = holder(client, Kind::Address);
                self.waiting.retain(|(_, other, ..)| *other != holder);
                if let Some((block, _)) = self.acknowledged.remove(&holder) {
                    self.table.decline(&holder, block, self.now + 50);
                }
            }
            Step::Wait(seconds) => self.now += seconds,
            Step::Batch => {
                let mut bytes = Vec::new();
                if let Some(position) = self.table.take_batch(&mut bytes) {
                    self.in_flight = Some((position, bytes, false));
                }
            }
            Step::Compact => {
                let mut bytes = Vec::new();
                if let Some(position) = self.table.take_compaction(&mut bytes) {
                    self.in_flight = Some((position, bytes, true));
                }
            }
            Step::Commit => self.commit(),
        }
        let now = self.now;
        self.acknowledged.retain(|_, (_, end)| now < *end);
    }

    fn take(&mut self, holder: Association) {
        let ask = ask(&self.index, &holder);
        let Some(block) = self.table.choose(&ask, None) else { return };
        let end = self.now + 600;
        let grant = self.table.bind(&ask, block, end).unwrap();
        // A client that asks again has given up what it was promised, until it is promised anew.
        self.waiting.retain(|(_, other, ..)| *other != holder);
        self.waiting.push((grant.lease.position, holder, block, end));
    }

    fn commit(&mut self) {
        let Some((position, bytes, whole)) = self.in_flight.take() else { return };
        if whole {
            self.disk.clear();
        }
        self.disk.extend_from_slice(&bytes);
        self.table.handle_committed(position);
        for (waits_for, holder, block, end) in std::mem::take(&mut self.waiting) {
            if waits_for <= position {
                let mut others = self.acknowledged.iter().filter(|(other, _)| **other != holder);
                assert!(others.all(|(_, it)| it.0 != block), "{block} has two holders");
                if self.now < end {
                    self.acknowledged.insert(holder, (block, end));
                }
            } else {
                self.waiting.push((waits_for, holder, block, end));
            }
        }
    }

    /// What a crash may leave: all that was committed, and any start of what was not.
    fn crashes(&self) -> Vec<Vec<u8>> {
        let torn = match &self.in_flight {
            // A file is replaced by renaming it: the old or the new, never a mixture.
            Some((_, bytes, true)) => return vec![self.disk.clone(), bytes.clone()],
            Some((_, bytes, false)) => bytes.as_slice(),
            None => &[],
        };
        // Each byte of the last record, and the ends of the ones before.
        let near_end = torn.len().saturating_sub(RECORD_BYTES);
        let cuts = (0..=torn.len()).filter(|cut| near_end <= *cut || cut % RECORD_BYTES < 2);
        cuts.map(|cut| [&self.disk, &torn[..cut]].concat()).collect()
    }

    fn check_survives(&self) {
        for disk in self.crashes() {
            let bytes = disk.len();
            let mut after = Self::new(&disk, self.now);
            while after.table.expire(after.now).is_some() {}
            for (holder, (block, end)) in &self.acknowledged {
                let lease = after.table.lease_at(*block).unwrap();
                assert!(lease.is_held_by(holder), "cut at {bytes}");
                assert_eq!(lease.mac, Some(Mac([2, 0, 0, 0, 0, holder.duid[0]])));
                assert!(*end <= lease.expires, "cut at {bytes}");
            }
            // Strangers get what is left, and nothing that is held.
            for stranger in 100..110 {
                for kind in [Kind::Address, Kind::Prefix] {
                    let holder = holder(stranger, kind);
                    let chosen = after.table.choose(&ask(&after.index, &holder), None);
                    let held = |it| self.acknowledged.values().any(|(block, _)| *block == it);
                    assert!(!chosen.is_some_and(held), "{chosen:?} is held, cut at {bytes}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_crash_at_any_byte_loses_no_promise(steps in prop::collection::vec(step(), 1..50)) {
        let mut rack = Rack::new(&[], 1_000);
        for step in steps {
            rack.run(step);
            rack.check_survives();
        }
        // Life goes on behind the crash, with the numbers going on too.
        let mut rack = Rack::new(&rack.crashes().pop().unwrap(), rack.now);
        let take = |client| Step::Take(client, false);
        for step in [take(1), Step::Batch, Step::Commit, take(2), Step::Compact] {
            rack.run(step);
            rack.check_survives();
        }
    }

    /// A bit that flips somewhere costs at most the record it is in.
    #[test]
    fn one_damaged_record_hides_no_other(at in 0..2080_usize, flip in 1..=255_u8) {
        let index = index();
        let mut table = Table6::default();
        table.follow(&index);
        for round in 0..2 {
            for client in 0..5 {
                let holder = holder(client, Kind::Address);
                let block = Block::address(format!("fd77::1{client}").parse().unwrap());
                table.bind(&ask(&index, &holder), block, 600 + round).unwrap();
            }
        }
        let mut disk = Vec::new();
        table.take_batch(&mut disk).unwrap();
        prop_assert_eq!(disk.len(), 10 * RECORD_BYTES);
        disk[at] ^= flip;
        let (table, recovery) = Table6::recover(&disk);
        prop_assert_eq!(table.bound().count(), 5);
        prop_assert_eq!(recovery.records, 9);
        let last = at / RECORD_BYTES == 9;
        prop_assert_eq!((recovery.torn, recovery.damaged), (last, usize::from(!last)));
    }
}

#[test]
fn a_failed_journal_grants_again_once_it_is_rewritten() {
    let index = index();
    let mut table = Table6::default();
    table.follow(&index);
    let bind = |client: u8, table: &mut Table6| {
        let holder = holder(client, Kind::Address);
        let block = Block::address(format!("fd77::1{client}").parse().unwrap());
        table.bind(&ask(&index, &holder), block, 600).unwrap().lease.position
    };
    let mut disk = Vec::new();
    let first = bind(1, &mut table);
    assert_eq!(table.take_batch(&mut disk), Some(first));
    assert_eq!(table.take_batch(&mut disk), None, "one at a time");
    assert_eq!(table.take_compaction(&mut disk), None, "one at a time");
    table.handle_commit_failed();
    assert!(table.is_failed());
    let second = bind(2, &mut table);
    assert_eq!(table.take_batch(&mut disk), None, "the file cannot be trusted");
    disk.clear();
    assert_eq!(table.take_compaction(&mut disk), Some(second));
    let third = bind(3, &mut table);
    table.handle_committed(second);
    assert!(!table.is_failed());
    assert_eq!(table.take_batch(&mut disk), Some(third));
    let (after, recovery) = Table6::recover(&disk);
    assert_eq!((after.bound().count(), recovery.torn), (3, false));
}

/// Every address of a small pool is found, and what is free again goes to the next.
#[test]
fn a_small_pool_is_used_up_and_used_again() {
    let index = index();
    let mut table = Table6::default();
    table.follow(&index);
    for kind in [Kind::Address, Kind::Prefix] {
        let count = if kind == Kind::Address { 5 } else { 4 };
        let mut seen = Vec::new();
        for client in 0..count {
            let holder = holder(client, kind);
            let block = table.choose(&ask(&index, &holder), None).expect("one is left");
            let again = table.choose(&ask(&index, &holder), None);
            assert_eq!(again, Some(block), "who merely asks changes nothing");
            table.bind(&ask(&index, &holder), block, 600).unwrap();
            assert!(!seen.contains(&block));
            seen.push(block);
        }
        let late = holder(99, kind);
        assert_eq!(table.choose(&ask(&index, &late), None), None, "{kind:?}");
        table.release(&holder(2, kind), seen[2], 100).unwrap();
        assert_eq!(table.choose(&ask(&index, &late), None), Some(seen[2]));
        table.bind(&ask(&index, &late), seen[2], 600).unwrap();
        assert_eq!(table.lease_at(seen[2]).unwrap().state, State::Bound);
    }
}
