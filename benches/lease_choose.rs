//! What does it cost to choose an address and keep it, and to bind a lease?
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ironherd_leases::{Ask, Claims, Slice, Table};
use ironherd_snapshot::{ClassSet, Index, Mac, Range, Snapshot, Subnet};

const FIRST: Ipv4Addr = Ipv4Addr::new(10, 16, 0, 0);

fn index(addresses: u32) -> Index {
    let last = Ipv4Addr::from(FIRST.to_bits() + addresses - 1);
    let subnet = Subnet {
        id: "subnet".to_owned(),
        cidr: "10.0.0.0/8".parse().unwrap(),
        lease_seconds: 3600,
        ranges: vec![Range::new(FIRST, last)],
        ..Subnet::default()
    };
    Index::new(Snapshot { generation: 1, subnets: vec![subnet.into()], ..Snapshot::default() })
}

fn ask(index: &Index, client: u32) -> Ask<'_> {
    let [a, b, c, d] = client.wrapping_mul(0x9e37_79b1).to_be_bytes();
    let (mac, ours) = (Mac([2, 0, a, b, c, d]), Ipv4Addr::new(10, 0, 0, 1));
    Ask { index, subnet: 0, mac, reserved: None, ours, classes: ClassSet::NONE }
}

fn table(index: &Index) -> Table {
    let mut table = Table::of_shard(Slice { index: 0, count: 2 }, Claims::new(), [77, 99]);
    table.follow(index);
    table
}

/// How many leases there are: the first fit the caches, the last do not.
const SIZES: [u32; 3] = [4096, 65_536, 1_000_000];

fn choose(c: &mut Criterion) {
    let mut group = c.benchmark_group("lease_choose");
    group.sample_size(20);
    for size in SIZES {
        let index = index(size * 2);
        let mut full = table(&index);
        for client in 0..size {
            let offer = full.offer(&ask(&index, client), None, 60).unwrap();
            full.bind(&ask(&index, client), offer.address, 3600).unwrap();
        }
        let mut client = 0;
        group.bench_function(BenchmarkId::new("first", size), |b| {
            b.iter(|| {
                client = (client + 1) % size;
                black_box(full.choose(&ask(&index, size + client), None))
            });
        });
        group.bench_function(BenchmarkId::new("again", size), |b| {
            b.iter(|| {
                client = (client + 1) % size;
                black_box(full.choose(&ask(&index, client), None))
            });
        });
        group.bench_function(BenchmarkId::new("offer_again", size), |b| {
            b.iter(|| {
                client = (client + 1) % size;
                black_box(full.offer(&ask(&index, client), None, 60))
            });
        });
        let mut until = 3600;
        let mut out = Vec::new();
        group.bench_function(BenchmarkId::new("renew", size), |b| {
            b.iter(|| {
                client = (client + 1) % size;
                until += u64::from(client == 0);
                let ask = ask(&index, client);
                let address = full.choose(&ask, None).unwrap().address;
                black_box(full.bind(&ask, address, until + 1)).unwrap();
                if client % 256 == 0 {
                    out.clear();
                    let position = full.take_batch(&mut out).unwrap();
                    full.handle_committed(position);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, choose);
criterion_main!(benches);
