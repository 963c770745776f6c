//! How long does a restart take that finds a million leases on disk, and what memory do they take?
//!
//! Reads as a rack does: each shard its own file, in pieces, on a thread of its own.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ironherd_leases::{Ask, Claims, Replay, Slice, Table, join};
use ironherd_snapshot::{ClassSet, Index, Mac, Range, Snapshot, Subnet};

const LEASES: u32 = 1_000_000;
const PIECE_BYTES: usize = 1 << 20;

fn index() -> Index {
    let first = Ipv4Addr::new(10, 16, 0, 0);
    let last = Ipv4Addr::from(first.to_bits() + LEASES * 5 / 4);
    let subnet = Subnet {
        id: "subnet".to_owned(),
        cidr: "10.0.0.0/8".parse().unwrap(),
        lease_seconds: 3600,
        ranges: vec![Range::new(first, last)],
        ..Subnet::default()
    };
    Index::new(Snapshot { generation: 1, subnets: vec![subnet.into()], ..Snapshot::default() })
}

fn ask(index: &Index, client: u32) -> Ask<'_> {
    let [a, b, c, d] = client.wrapping_mul(0x9e37_79b1).to_be_bytes();
    let (mac, ours) = (Mac([2, 0, a, b, c, d]), Ipv4Addr::new(10, 0, 0, 1));
    Ask { index, subnet: 0, mac, reserved: None, ours, classes: ClassSet::NONE }
}

fn path(folder: &str, shard: u32) -> PathBuf {
    PathBuf::from(folder).join(format!("ironherd-bench-{}-{shard}", std::process::id()))
}

/// Writes the journals as running shards do: each lease granted, and renewed `renewals` times.
fn write(folder: &str, index: &Index, count: u32, renewals: u64) -> u64 {
    let claims = Claims::new();
    let mut written = 0;
    for shard in 0..count {
        let slice = Slice { index: shard, count };
        let mut table = Table::of_shard(slice, claims.clone(), [77, 99]);
        table.follow(index);
        let mut file = File::create(path(folder, shard)).unwrap();
        let mut batch = Vec::new();
        for round in 0..=renewals {
            for client in 0..LEASES {
                let ask = ask(index, client);
                if !slice.holds(ask.mac) {
                    continue;
                }
                let address = table.offer(&ask, None, 60).unwrap().address;
                // Machines came one by one: their leases end at many different seconds.
                let until = 1_000_000 + u64::from(client % 3600) + round * 1800;
                table.bind(&ask, address, until).unwrap();
                if client % 4096 == 0 || client + 1 == LEASES {
                    batch.clear();
                    if let Some(upto) = table.take_batch(&mut batch) {
                        file.write_all(&batch).unwrap();
                        written += batch.len() as u64;
                        table.handle_committed(upto);
                    }
                }
            }
        }
        if let Some(upto) = table.take_batch(&mut batch) {
            file.write_all(&batch).unwrap();
            table.handle_committed(upto);
        }
    }
    written
}

fn read(folder: &str, index: &Index, count: u32) -> (Vec<Table>, Duration) {
    let start = Instant::now();
    let claims = Claims::new();
    let shard = |shard| {
        let slice = Slice { index: shard, count };
        let mut table = Table::of_shard(slice, claims.clone(), [3, 4]);
        let mut file = File::open(path(folder, shard)).unwrap();
        let mut piece = vec![0; PIECE_BYTES];
        let mut replay = Replay::default();
        while let len @ 1.. = file.read(&mut piece).unwrap() {
            table.replay(&mut replay, &piece[..len]);
        }
        assert!(!table.end_replay(replay).torn);
        table
    };
    let shard = &shard;
    let tables = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|it| scope.spawn(move || shard(it))).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let mut joined = join(tables);
    assert!(!joined.moved);
    joined.tables.iter_mut().for_each(|it| it.follow(index));
    (joined.tables, start.elapsed())
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024
}

/// What this process has used of all processors, to ten milliseconds.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// One row: run on a process of its own, since memory that was used once stays resident.
fn measure(count: u32, renewals: u64) {
    let folder = std::env::var("TMPDIR").unwrap_or_else(|_| "/var/tmp".to_owned());
    let index = index();
    let me = std::env::current_exe().unwrap();
    if let Ok(parent) = std::env::var("LEASE_RECOVER_OF") {
        let before = resident();
        let rename = |shard| {
            let from = PathBuf::from(&folder).join(format!("ironherd-bench-{parent}-{shard}"));
            std::fs::rename(from, path(&folder, shard)).unwrap();
        };
        (0..count).for_each(rename);
        let worked = processor_time();
        let (tables, took) = read(&folder, &index, count);
        let worked = processor_time() - worked;
        let leases: usize = tables.iter().map(|it| it.bound().count()).sum();
        assert_eq!(leases, LEASES as usize);
        let bytes = (resident() - before) / u64::from(LEASES);
        println!(
            "{count} shards, renewed {renewals} times: {took:?} ({worked:?} of processors), \
             {bytes} bytes a lease"
        );
        (0..count).for_each(|it| std::fs::remove_file(path(&folder, it)).unwrap());
        return;
    }
    let written = write(&folder, &index, count, renewals);
    println!("{count} shards: {} MiB of journal", written >> 20);
    let mut child = std::process::Command::new(me);
    child.env("LEASE_RECOVER_OF", std::process::id().to_string());
    child.env("LEASE_RECOVER_ROW", format!("{count} {renewals}"));
    assert!(child.status().unwrap().success());
}

fn main() {
    if let Ok(row) = std::env::var("LEASE_RECOVER_ROW") {
        let (count, renewals) = row.split_once(' ').unwrap();
        return measure(count.parse().unwrap(), renewals.parse().unwrap());
    }
    for (count, renewals) in [(1, 0), (2, 0), (1, 1), (2, 1)] {
        measure(count, renewals);
    }
}
