//! What does one DORA cost the server, without sockets and disk?
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::net::{Ipv4Addr, SocketAddrV4};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ironherd_leases::Table;
use ironherd_proto::dhcp::{Config, Server, ServerPort};
use ironherd_proto::{Instant, Link, Now, UnixSeconds};
use ironherd_snapshot::{Index, Range, Settings, Snapshot, Subnet};
use ironherd_wire::dhcp::{Encoder, Header, Message, MessageType, code};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Requests that gather before one commit, as on a disk that is busy.
const BATCH: u32 = 64;
const CLIENTS: u32 = 100_000;

fn index() -> Index {
    let subnet = Subnet {
        id: "subnet".to_owned(),
        cidr: "10.0.0.0/8".parse().unwrap(),
        gateway: Some(Ipv4Addr::new(10, 0, 0, 254)),
        dns_servers: vec![OURS],
        ntp_servers: Vec::new(),
        domain: Some("lab.test".to_owned()),
        mtu: None,
        lease_seconds: 3600,
        ranges: vec![Range::new(Ipv4Addr::new(10, 1, 0, 0), Ipv4Addr::new(10, 8, 255, 255))],
        reservations: Vec::new(),
        ..Subnet::default()
    };
    let settings = Settings { enlist: true, ..Settings::default() };
    Index::new(Snapshot {
        generation: 1,
        settings,
        subnets: vec![subnet.into()],
        ..Snapshot::default()
    })
}

struct Rack {
    server: Server,
    index: Index,
    link: Link,
    now: Now,
    journal: Vec<u8>,
    payload: Vec<u8>,
}

impl Rack {
    fn new() -> Self {
        let link =
            Link { index: 1, address: OURS, host6: None, http_port: 5248, gateway_port: 5249 };
        let now = Now { instant: Instant::from_nanos(1), wall: UnixSeconds(1_000_000) };
        let server = Server::new(Config::default(), Table::default());
        let (journal, payload) = (Vec::new(), Vec::new());
        Self { server, index: index(), link, now, journal, payload }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let source = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
        let (index, link) = (&self.index, &self.link);
        self.server
            .handle_datagram(index, ServerPort::Dhcp67, source, link, bytes, self.now)
            .unwrap();
    }

    /// Commits, and hands each reply to `read`.
    fn flush(&mut self, mut read: impl FnMut(&[u8])) {
        self.journal.clear();
        if let Some(position) = self.server.take_journal_batch(&mut self.journal) {
            self.server.handle_committed(position);
        }
        while self.server.poll_reply(&mut self.payload).is_some() {
            read(&self.payload);
        }
        while self.server.poll_event().is_some() {}
    }
}

/// A client's message as PXE firmware says it, or as an operating system does.
fn message(kind: MessageType, client: u32, boots: bool, wish: Option<Ipv4Addr>) -> Vec<u8> {
    let [a, b, c, d] = client.to_be_bytes();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, &Header::request([2, 0, a, b, c, d], client), 548);
    encoder.option(code::MESSAGE_TYPE, &[kind as u8]);
    encoder.option(code::PARAMETERS, &[1, 3, 6, 12, 15, 28, 42, 51, 54, 66, 67]);
    if boots {
        encoder.option(code::VENDOR_CLASS, b"PXEClient:Arch:00007:UNDI:003000");
        encoder.option(code::ARCHITECTURE, &[0, 7]);
    }
    if let Some(wish) = wish {
        encoder.address(code::SERVER_ID, OURS);
        encoder.address(code::REQUESTED_ADDRESS, wish);
    }
    encoder.finish();
    bytes
}

fn dora(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dhcp_decide");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    for (name, boots) in [("dora/system", false), ("dora/firmware", true)] {
        let mut rack = Rack::new();
        let mut next = 0;
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let clients = (0..BATCH).map(|it| (next + it) % CLIENTS).collect::<Vec<_>>();
                next += BATCH;
                for client in &clients {
                    rack.hear(&message(MessageType::Discover, *client, boots, None));
                }
                let mut offers = Vec::with_capacity(clients.len());
                rack.flush(|bytes| offers.push(Message::parse(bytes).unwrap().yiaddr()));
                for (client, offered) in clients.iter().zip(offers) {
                    rack.hear(&message(MessageType::Request, *client, boots, Some(offered)));
                }
                rack.flush(|_| {});
            });
        });
    }
    group.finish();
}

fn repeat(criterion: &mut Criterion) {
    let mut rack = Rack::new();
    let discover = message(MessageType::Discover, 1, true, None);
    let mut group = criterion.benchmark_group("dhcp_decide");
    group.throughput(Throughput::Elements(1));
    group.bench_function("discover/repeated", |bench| {
        bench.iter(|| {
            rack.hear(&discover);
            rack.flush(|_| {});
        });
    });
    group.finish();
}

criterion_group!(benches, dora, repeat);
criterion_main!(benches);
