//! What does it cost to keep each DHCP packet for captures? (On top of what `dhcp_decide` says.)
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ironherd_proto::Instant;
use ironherd_proto::tape::{Packet, Tape};
use ironherd_snapshot::Mac;

fn record(criterion: &mut Criterion) {
    let (from, to) = ("0.0.0.0:68".parse().unwrap(), "255.255.255.255:67".parse().unwrap());
    let mut group = criterion.benchmark_group("tape");
    group.throughput(Throughput::Elements(1));
    // Off, as small as a cache, and as it is by default; always full, so that the oldest must go.
    for (name, bytes) in [("off", 0), ("64 KiB", 64 << 10), ("4 MiB", 4 << 20)] {
        let mut tape = Tape::new(bytes);
        let payload = [7; 300];
        let mut at = 0;
        group.bench_function(format!("record/{name}"), |bench| {
            bench.iter(|| {
                at += 1;
                tape.record(&Packet {
                    at: Instant::from_nanos(at),
                    interface: 2,
                    sent: false,
                    mac: Mac([2, 0, 0, 0, 0, 1]),
                    from,
                    to,
                    dropped: None,
                    payload: black_box(&payload),
                });
            });
        });
    }
    let mut tape = Tape::new(4 << 20);
    for client in 0..20_000_u32 {
        let [_, b, c, d] = client.to_be_bytes();
        tape.record(&Packet {
            at: Instant::from_nanos(client.into()),
            interface: 2,
            sent: false,
            mac: Mac([2, 0, 0, b, c, d]),
            from,
            to,
            dropped: None,
            payload: &[7; 300],
        });
    }
    let wanted = Mac([2, 0, 0, 0, 0x4e, 0x1f]);
    group.bench_function("find one card/4 MiB", |bench| {
        bench.iter(|| black_box(tape.only(usize::MAX, |it| it.mac == wanted)));
    });
    group.finish();
}

criterion_group!(benches, record);
criterion_main!(benches);
