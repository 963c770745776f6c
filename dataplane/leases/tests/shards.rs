//! Several shards share the ranges: no address has two holders, whichever shard is dry, whenever
//! the power fails, and with however many shards the rack comes back.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use ironherd_leases::{Ask, Claims, Position, Refusal, Replay, Slice, State, Table, join};
use ironherd_snapshot::{ClassSet, Index, Mac, Range, Snapshot, Subnet};
use proptest::prelude::*;

/// A range of so many addresses.
fn index(addresses: u32) -> Index {
    let first = Ipv4Addr::new(10, 0, 1, 0);
    let last = Ipv4Addr::from(first.to_bits() + addresses - 1);
    let subnet = Subnet {
        id: "subnet".to_owned(),
        cidr: "10.0.0.0/16".parse().unwrap(),
        lease_seconds: 600,
        ranges: vec![Range::new(first, last)],
        ..Subnet::default()
    };
    Index::new(Snapshot { generation: 1, subnets: vec![subnet.into()], ..Snapshot::default() })
}

fn mac(client: u32) -> Mac {
    let [a, b, c, d] = client.to_be_bytes();
    Mac([2, 0, a, b, c, d])
}

fn ask(index: &Index, client: u32) -> Ask<'_> {
    let (ours, classes) = (Ipv4Addr::new(10, 0, 0, 1), ClassSet::NONE);
    Ask { index, subnet: 0, mac: mac(client), reserved: None, ours, classes }
}

/// Several shards, and a disk that keeps what was committed.
struct Rack {
    index: Index,
    tables: Vec<Table>,
    disks: Vec<Vec<u8>>,
    in_flight: Vec<Option<(Position, Vec<u8>)>>,
    waiting: Vec<(usize, Position, u32, Ipv4Addr, u64)>,
    promised: HashMap<u32, (Ipv4Addr, u64)>,
    now: u64,
}

impl Rack {
    fn new(addresses: u32, count: u32) -> Self {
        let mut rack = Self {
            index: index(addresses),
            tables: Vec::new(),
            disks: Vec::new(),
            in_flight: Vec::new(),
            waiting: Vec::new(),
            promised: HashMap::new(),
            now: 1000,
        };
        rack.restart(count);
        rack
    }

    /// Forgets everything but the disk, and comes back with so many shards.
    fn restart(&mut self, count: u32) {
        let claims = Claims::new();
        let table = |index| Table::of_shard(Slice { index, count }, claims.clone(), [7, 9]);
        let mut tables: Vec<_> = (0..count).map(table).collect();
        for (at, disk) in self.disks.iter().enumerate() {
            let mut replay = Replay::default();
            let table = &mut tables[at % count as usize];
            for piece in disk.chunks(100) {
                table.replay(&mut replay, piece);
            }
            assert!(!table.end_replay(replay).torn);
        }
        let joined = join(tables);
        // What stands in no shard's file would be lost with it.
        if joined.moved || joined.tables.len() < self.disks.len() {
            self.disks = joined.tables.iter().map(Table::compact).collect();
        }
        self.disks.resize(count as usize, Vec::new());
        self.tables = joined.tables;
        self.tables.iter_mut().for_each(|it| it.follow(&self.index));
        self.in_flight = vec![None; self.tables.len()];
        self.waiting.clear();
    }

    fn shard_of(&self, client: u32) -> usize {
        self.tables.iter().position(|it| it.slice().holds(mac(client))).unwrap()
    }

    fn take(&mut self, client: u32) -> Result<Ipv4Addr, Refusal> {
        let shard = self.shard_of(client);
        let (ask, table) = (ask(&self.index, client), &mut self.tables[shard]);
        let address = table.offer(&ask, None, self.now + 60)?.address;
        let until = self.now + 600;
        let position = table.bind(&ask, address, until)?.lease.position;
        self.waiting.retain(|it| it.2 != client);
        self.waiting.push((shard, position, client, address, until));
        Ok(address)
    }

    fn release(&mut self, client: u32) {
        let shard = self.shard_of(client);
        self.waiting.retain(|it| it.2 != client);
        if let Some((address, _)) = self.promised.remove(&client) {
            self.tables[shard].release(mac(client), address, self.now);
        }
    }

    fn batch(&mut self, shard: usize) {
        let mut bytes = Vec::new();
        if let Some(position) = self.tables[shard].take_batch(&mut bytes) {
            self.in_flight[shard] = Some((position, bytes));
        }
    }

    fn commit(&mut self, shard: usize) {
        let Some((position, bytes)) = self.in_flight[shard].take() else { return };
        self.disks[shard].extend_from_slice(&bytes);
        self.tables[shard].handle_committed(position);
        let is_done = |it: &mut (usize, Position, u32, _, _)| it.0 == shard && it.1 <= position;
        for (_, _, client, address, until) in self.waiting.extract_if(.., is_done) {
            if self.now < until {
                self.promised.insert(client, (address, until));
            }
        }
    }

    /// Time goes by, and every shard looks at its calendar.
    fn wait(&mut self, seconds: u64) {
        self.now += seconds;
        for table in &mut self.tables {
            while table.expire(self.now).is_some() {}
        }
        let now = self.now;
        self.promised.retain(|_, (_, until)| now < *until);
    }

    #[track_caller]
    fn check(&self) {
        let mut bound = HashSet::new();
        for (shard, lease) in self
            .tables
            .iter()
            .enumerate()
            .flat_map(|(shard, table)| table.bound().map(move |it| (shard, it)))
        {
            assert!(bound.insert(lease.address), "{} is bound twice", lease.address);
            assert_eq!(self.tables[shard].claims().bound_to(lease.address), Some(lease.mac));
        }
        for (client, (address, until)) in &self.promised {
            let lease = self.tables[self.shard_of(*client)].lease_at(*address);
            let kept = lease.filter(|it| it.mac == mac(*client) && it.state == State::Bound);
            assert!(kept.is_some_and(|it| *until <= it.expires), "client {client} lost {address}");
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Take(u32),
    Release(u32),
    Wait(u64),
    Batch(usize),
    Commit(usize),
    Restart(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..24_u32).prop_map(Step::Take),
        3 => (0..24_u32).prop_map(Step::Release),
        1 => (1..700_u64).prop_map(Step::Wait),
        4 => (0..4_usize).prop_map(Step::Batch),
        4 => (0..4_usize).prop_map(Step::Commit),
        1 => (1..5_u32).prop_map(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_promise_is_lost_and_no_address_has_two_holders(
        count in 1..5_u32,
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut rack = Rack::new(12, count);
        for step in steps {
            let shards = rack.tables.len();
            match step {
                Step::Take(client) => { let _ = rack.take(client); }
                Step::Release(client) => rack.release(client),
                Step::Wait(seconds) => rack.wait(seconds),
                Step::Batch(shard) => rack.batch(shard % shards),
                Step::Commit(shard) => rack.commit(shard % shards),
                Step::Restart(count) => rack.restart(count),
            }
            rack.check();
        }
    }
}

#[test]
fn a_dry_shard_takes_what_the_others_have_free() {
    let mut rack = Rack::new(256, 4);
    // All of one shard's clients: it may use the whole range.
    let given: HashSet<_> = (0..256).map(|it| rack.take(it * 4).unwrap()).collect();
    assert_eq!(given.len(), 256);
    assert_eq!(rack.take(1), Err(Refusal::Exhausted));
    rack.batch(0);
    rack.commit(0);
    // What they give back is used by the clients of another shard.
    (0..256).for_each(|it| rack.release(it * 4));
    let given: HashSet<_> = (0..256).map(|it| rack.take(it * 4 + 1).unwrap()).collect();
    assert_eq!(given.len(), 256);
    assert_eq!(rack.take(0), Err(Refusal::Exhausted));
    rack.check();
    rack.batch(1);
    rack.commit(1);
    for count in [2, 1, 3] {
        rack.restart(count);
        rack.check();
        assert_eq!(rack.promised.len(), 256);
        assert_eq!(rack.take(0), Err(Refusal::Exhausted));
    }
}

#[test]
fn a_card_prefers_one_address_whatever_the_number_of_shards() {
    let address = |count| Rack::new(250, count).take(77);
    assert!((2..=16).all(|count| address(count) == address(1)));
}

#[test]
fn shards_on_threads_never_share_an_address() {
    let index = index(2000);
    let claims = Claims::new();
    let shard = |at: u32| {
        let (index, claims) = (&index, claims.clone());
        move || {
            let mut table = Table::of_shard(Slice { index: at, count: 4 }, claims, [1, 2]);
            table.follow(index);
            let mut held = Vec::new();
            // Each wants more than its part; every third address is given back for others to take.
            for client in (0..4000).filter(|it| it % 4 == at) {
                let Ok(offer) = table.offer(&ask(index, client), None, 60) else { continue };
                table.bind(&ask(index, client), offer.address, 600).unwrap();
                if client % 3 == 0 {
                    table.release(mac(client), offer.address, 1).unwrap();
                } else {
                    held.push(offer.address);
                }
            }
            let mut journal = Vec::new();
            table.take_batch(&mut journal).unwrap();
            (held, journal)
        }
    };
    let ends: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|at| scope.spawn(shard(at))).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let (held, journals): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
    let mut held: Vec<_> = held.into_iter().flatten().collect();
    assert!(1500 < held.len(), "{}", held.len());
    let distinct: HashSet<_> = held.iter().collect();
    assert_eq!(distinct.len(), held.len());
    // The journals agree on who had each address last.
    let claims = Claims::new();
    let tables = (0..4).zip(&journals).map(|(index, journal)| {
        let mut table = Table::of_shard(Slice { index, count: 4 }, claims.clone(), [3, 4]);
        let mut replay = Replay::default();
        table.replay(&mut replay, journal);
        assert!(!table.end_replay(replay).torn);
        table
    });
    let joined = join(tables.collect());
    let mut again: Vec<_> =
        joined.tables.iter().flat_map(|it| it.bound().map(|it| it.address)).collect();
    held.sort_unstable();
    again.sort_unstable();
    assert_eq!(held, again);
}
