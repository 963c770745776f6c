//! What does it cost to read a DISCOVER and to write an OFFER? `dhcproto` is the yardstick.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dhcproto::{Decodable as _, v4};
use ironherd_wire::dhcp::{Encoder, Header, Message, code};
use ironherd_wire::frame::{UdpFrame, udp_ipv4};

const PACKETS: &str = include_str!("../dataplane/wire/tests/packets/dhcp.txt");

/// A DISCOVER as EDK2 and as iPXE sent it.
const DISCOVERS: [(&str, &str); 2] =
    [("edk2", "ovmf-pxe-tftp-snponly-ipxe/2"), ("ipxe", "seabios-ipxe-http-no-ra/1")];

fn packet(name: &str) -> Vec<u8> {
    let paragraph = PACKETS.split("\n\n").find(|it| it.lines().next() == Some(name)).unwrap();
    let lines = paragraph.lines().skip(1).filter(|line| !line.starts_with(';'));
    let digits: String = lines.collect();
    let pairs = digits.as_bytes().chunks_exact(2).map(|it| std::str::from_utf8(it).unwrap());
    pairs.map(|it| u8::from_str_radix(it, 16).unwrap()).collect()
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire_parse");
    group.throughput(Throughput::Elements(1));
    for (client, name) in DISCOVERS {
        let bytes = packet(name);
        group.bench_function(format!("ours/{client}"), |bench| {
            bench.iter(|| {
                let message = Message::parse(black_box(&bytes)).unwrap();
                // What the server asks of every message.
                black_box((message.message_type(), message.ethernet(), message.uuid()));
                black_box((message.has_architecture(7), message.has_user_class(b"iPXE")));
                black_box(message.wants(code::ROUTER))
            });
        });
        group.bench_function(format!("dhcproto/{client}"), |bench| {
            bench.iter(|| v4::Message::from_bytes(black_box(&bytes)).unwrap());
        });
    }
    group.finish();
}

fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire_write");
    group.throughput(Throughput::Elements(1));
    let bytes = packet(DISCOVERS[0].1);
    let request = Message::parse(&bytes).unwrap();
    let mut out = Vec::with_capacity(1500);
    group.bench_function("offer", |bench| {
        bench.iter(|| {
            out.clear();
            let header = Header::reply_to(black_box(&request));
            let mut encoder = Encoder::new(&mut out, &header, request.reply_bytes_max());
            encoder.option(code::MESSAGE_TYPE, &[2]);
            for code in [code::SERVER_ID, code::SUBNET_MASK, code::ROUTER, code::DNS_SERVER] {
                encoder.option(code, &[10, 77, 0, 1]);
            }
            encoder.seconds(code::LEASE_SECONDS, 3600);
            encoder.option(code::BOOT_FILE, b"snponly.efi\0");
            encoder.finish();
        });
    });
    let payload = out;
    let mut frame = Vec::with_capacity(1500);
    group.bench_function("frame", |bench| {
        bench.iter(|| {
            frame.clear();
            let source = "10.77.0.1:67".parse().unwrap();
            let destination = "10.77.0.100:68".parse().unwrap();
            let (source_mac, destination_mac) = ([2; 6], [4; 6]);
            let payload = black_box(&payload);
            let whole = UdpFrame { source_mac, destination_mac, source, destination, payload };
            udp_ipv4(&mut frame, &whole)
        });
    });
    group.finish();
}

criterion_group!(benches, parse, write);
criterion_main!(benches);
