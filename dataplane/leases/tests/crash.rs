//! Whatever byte the power fails at, no acknowledged lease is lost and no address has two holders.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::HashMap;
use std::net::Ipv4Addr;

use ironherd_leases::{Ask, Position, State, Table};
use ironherd_snapshot::{ClassSet, Index, Mac, Range, Snapshot, Subnet};
use proptest::prelude::*;

const CLIENTS: u8 = 6;

fn index() -> Index {
    let subnet = Subnet {
        id: "subnet".to_owned(),
        cidr: "10.0.0.0/24".parse().unwrap(),
        gateway: None,
        dns_servers: Vec::new(),
        ntp_servers: Vec::new(),
        domain: None,
        mtu: None,
        lease_seconds: 600,
        ranges: vec![Range::new(Ipv4Addr::new(10, 0, 0, 10), Ipv4Addr::new(10, 0, 0, 14))],
        reservations: Vec::new(),
        ..Subnet::default()
    };
    Index::new(Snapshot { generation: 1, subnets: vec![subnet.into()], ..Snapshot::default() })
}

fn ask(index: &Index, client: u8) -> Ask<'_> {
    let mac = Mac([2, 0, 0, 0, 0, client]);
    Ask {
        index,
        subnet: 0,
        mac,
        reserved: None,
        ours: Ipv4Addr::new(10, 0, 0, 1),
        classes: ClassSet::NONE,
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Take(u8),
    Release(u8),
    Decline(u8),
    Wait(u64),
    /// The batch starts to be written, and is on disk some steps later.
    Batch,
    Commit,
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..CLIENTS).prop_map(Step::Take),
        2 => (0..CLIENTS).prop_map(Step::Release),
        1 => (0..CLIENTS).prop_map(Step::Decline),
        1 => (1..700_u64).prop_map(Step::Wait),
        3 => Just(Step::Batch),
        3 => Just(Step::Commit),
        1 => Just(Step::Compact),
    ]
}

/// A rack with a disk that keeps what was committed, and may keep any part of what was not.
struct Rack {
    table: Table,
    index: Index,
    now: u64,
    disk: Vec<u8>,
    in_flight: Option<(Position, Vec<u8>, bool)>, // Bool: replaces the whole file.
    waiting: Vec<(Position, u8, Ipv4Addr, u64)>,
    acknowledged: HashMap<u8, (Ipv4Addr, u64)>, // Client -> address and end of its lease.
}

impl Rack {
    fn new(disk: Vec<u8>, now: u64) -> Self {
        let (mut table, recovery) = Table::recover(&disk);
        let index = index();
        table.follow(&index);
        let disk = disk[..recovery.valid_bytes].to_vec();
        let (in_flight, waiting, acknowledged) = (None, Vec::new(), HashMap::new());
        Self { table, index, now, disk, in_flight, waiting, acknowledged }
    }

    fn run(&mut self, step: Step) {
        while self.table.expire(self.now).is_some() {}
        if let Step::Release(client) | Step::Decline(client) = step {
            // Whoever gives an address up waits for no promise about it any more.
            self.waiting.retain(|(_, other, ..)| *other != client);
        }
        match step {
            Step::Take(client) => self.take(client),
            Step::Release(client) => {
                if let Some((address, _)) = self.acknowledged.remove(&client) {
                    let mac = ask(&self.index, client).mac;
                    self.table.release(mac, address, self.now);
                }
            }
            Step::Decline(client) => {
                if let Some((address, _)) = self.acknowledged.remove(&client) {
                    self.table.decline(&ask(&self.index, client), address, self.now + 50);
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

    fn take(&mut self, client: u8) {
        let ask = ask(&self.index, client);
        let Ok(offer) = self.table.offer(&ask, None, self.now + 60) else { return };
        let end = self.now + 600;
        let grant = self.table.bind(&ask, offer.address, end).unwrap();
        // A client that asks again has given up what it was promised, until it is promised anew.
        self.waiting.retain(|(_, other, ..)| *other != client);
        self.waiting.push((grant.lease.position, client, offer.address, end));
    }

    fn commit(&mut self) {
        let Some((position, bytes, whole)) = self.in_flight.take() else { return };
        if whole {
            self.disk.clear();
        }
        self.disk.extend_from_slice(&bytes);
        self.table.handle_committed(position);
        for (waits_for, client, address, end) in std::mem::take(&mut self.waiting) {
            if waits_for <= position {
                let others = self.acknowledged.iter().filter(|(other, _)| **other != client);
                let mut others = others.filter(|(_, it)| self.now < it.1);
                assert!(others.all(|(_, it)| it.0 != address), "{address} has two holders");
                if self.now < end {
                    self.acknowledged.insert(client, (address, end));
                }
            } else {
                self.waiting.push((waits_for, client, address, end));
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
        (0..=torn.len()).map(|cut| [&self.disk, &torn[..cut]].concat()).collect()
    }

    fn check_survives(&self) {
        for disk in self.crashes() {
            let bytes = disk.len();
            let mut after = Self::new(disk, self.now);
            while after.table.expire(after.now).is_some() {}
            for (client, (address, end)) in &self.acknowledged {
                let lease = after.table.lease_at(*address).unwrap();
                let mac = ask(&self.index, *client).mac;
                assert_eq!((lease.mac, lease.state), (mac, State::Bound), "cut at {bytes}");
                assert!(*end <= lease.expires, "cut at {bytes}");
            }
            // Strangers get what is left, and nothing that is held.
            for stranger in 100..110 {
                let ask = ask(&after.index, stranger);
                if let Ok(offer) = after.table.offer(&ask, None, after.now + 60) {
                    let held = self.acknowledged.values().any(|(it, _)| *it == offer.address);
                    assert!(!held, "{} is held, cut at {bytes}", offer.address);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_crash_at_any_byte_loses_no_promise(steps in prop::collection::vec(step(), 1..60)) {
        let mut rack = Rack::new(Vec::new(), 1_000);
        for step in steps {
            rack.run(step);
            rack.check_survives();
        }
        // Life goes on behind the crash, with the numbers going on too.
        let mut rack = Rack::new(rack.crashes().pop().unwrap(), rack.now);
        for step in [Step::Take(1), Step::Batch, Step::Commit, Step::Take(2), Step::Compact] {
            rack.run(step);
            rack.check_survives();
        }
    }

    /// A bit that flips somewhere costs at most the record it is in.
    #[test]
    fn one_damaged_record_hides_no_other(at in 0..640_usize, flip in 1..=255_u8) {
        let index = index();
        let mut table = Table::default();
        table.follow(&index);
        let mut disk = Vec::new();
        for round in 0..2 {
            for client in 0..5 {
                let address = Ipv4Addr::new(10, 0, 0, 10 + client);
                table.bind(&ask(&index, client), address, 600 + round).unwrap();
            }
        }
        table.take_batch(&mut disk).unwrap();
        prop_assert_eq!(disk.len(), 640);
        disk[at] ^= flip;
        let (table, recovery) = Table::recover(&disk);
        prop_assert_eq!(table.bound().count(), 5);
        prop_assert_eq!(recovery.records, 9);
        let last = at / 64 == 9;
        prop_assert_eq!((recovery.torn, recovery.damaged), (last, usize::from(!last)));
    }
}

#[test]
fn zeros_behind_the_records_are_room_and_anything_else_is_torn() {
    let index = index();
    let mut table = Table::default();
    table.follow(&index);
    table.bind(&ask(&index, 1), Ipv4Addr::new(10, 0, 0, 10), 600).unwrap();
    let mut disk = Vec::new();
    table.take_batch(&mut disk).unwrap();
    let rows: [(&[u8], bool); 4] =
        [(&[], false), (&[0; 640], false), (&[0, 0, 7], true), (&disk[..63], true)];
    for (tail, torn) in rows {
        let (table, recovery) = Table::recover(&[&disk, tail].concat());
        assert_eq!((recovery.valid_bytes, recovery.torn), (64, torn));
        assert_eq!(table.bound().count(), 1);
    }
    // The same record again is an old one: its number does not rise.
    let (_, recovery) = Table::recover(&[&disk[..], &disk].concat());
    assert_eq!((recovery.valid_bytes, recovery.torn), (64, true));
}

#[test]
fn a_failed_journal_grants_again_once_it_is_rewritten() {
    let index = index();
    let mut table = Table::default();
    table.follow(&index);
    let bind = |client: u8, table: &mut Table| {
        let address = Ipv4Addr::new(10, 0, 0, 10 + client);
        table.bind(&ask(&index, client), address, 600).unwrap().lease.position
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
    assert_eq!(table.committed(), second);
    assert_eq!(table.take_batch(&mut disk), Some(third));
    let (after, recovery) = Table::recover(&disk);
    assert_eq!((after.bound().count(), recovery.torn), (3, false));
    assert_eq!(Table::recover(&table.compact()).0.bound().count(), 3);
}

#[test]
fn an_abandoned_compaction_loses_nothing_that_waited() {
    let index = index();
    let mut table = Table::default();
    table.follow(&index);
    let bind = |client: u8, table: &mut Table| {
        let address = Ipv4Addr::new(10, 0, 0, 10 + client);
        table.bind(&ask(&index, client), address, 600).unwrap().lease.position
    };
    let mut disk = Vec::new();
    let first = bind(1, &mut table);
    table.take_batch(&mut disk).unwrap();
    table.handle_committed(first);
    let second = bind(2, &mut table);
    assert_eq!(table.take_compaction(&mut Vec::new()), Some(second));
    let third = bind(3, &mut table);
    table.handle_compaction_abandoned();
    assert!(!table.is_failed());
    assert_eq!(table.committed(), first, "nothing new is promised yet");
    assert_eq!(table.take_batch(&mut disk), Some(third));
    table.handle_committed(third);
    let (after, recovery) = Table::recover(&disk);
    assert_eq!((after.bound().count(), recovery.records, recovery.torn), (3, 3, false));
}
