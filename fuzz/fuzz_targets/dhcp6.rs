//! Any datagrams on port 547: nothing panics, every one is answered or named, no lease has two
//! holders, and what we send can be read again and fits a frame.
#![no_main]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};

use ironherd_leases::v6::Table6;
use ironherd_proto::dhcp6::{Config, Datagram6, Link6, Server};
use ironherd_proto::{Instant, Link, Now, UnixSeconds};
use ironherd_snapshot::{Index, PrefixPool, Range6, Settings, Snapshot, Subnet6};
use ironherd_wire::dhcp6::{Message, MessageType, Options, code};
use libfuzzer_sys::fuzz_target;

const FRAME_BYTES: usize = 1452;

fn index() -> Index {
    let net = |last| Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, last);
    let subnet = Subnet6 {
        id: "subnet".to_owned(),
        cidr: "fd77::/64".parse().unwrap(),
        dns_servers: vec![net(1)],
        domain_search: vec!["lab.test".to_owned()],
        preferred_seconds: 300,
        valid_seconds: 600,
        ranges: vec![Range6 { first: net(0x100), last: net(0x103) }],
        prefix_pools: vec![PrefixPool { prefix: "fd80::/62".parse().unwrap(), delegated_len: 64 }],
        ..Subnet6::default()
    };
    let settings = Settings { enlist: true, ..Settings::default() };
    let subnets6 = vec![subnet.into()];
    Index::new(Snapshot { generation: 1, settings, subnets6, ..Snapshot::default() })
}

/// The input is a list of datagrams, each behind its length (two bytes).
fn datagrams(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_le_bytes(*len)).min(after.len());
        let (datagram, after) = after.split_at(len);
        rest = after;
        Some(datagram)
    })
}

/// The message inside a reply's envelopes.
fn innermost(mut payload: &[u8]) -> &[u8] {
    while payload.first() == Some(&(MessageType::RelayReply as u8)) {
        payload = Options::new(&payload[34..]).find(code::RELAY_MESSAGE).unwrap();
    }
    payload
}

fuzz_target!(|input: &[u8]| {
    let index = index();
    let ours = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
    let address = Ipv4Addr::UNSPECIFIED;
    let link = Link { index: 1, address, host6: None, http_port: 5248, gateway_port: 5249 };
    let link = Link6 { link, link_local: None, addresses: vec![ours] };
    let duid = vec![0, 4, 1, 2, 3];
    let mut server = Server::new(Config::default(), duid, Table6::default());
    let (mut disk, mut payload, mut wall) = (Vec::new(), Vec::new(), 0);
    for (at, datagram) in datagrams(input).take(64).enumerate() {
        let at = at as u64;
        let instant = Instant::from_nanos(at * 100_000_000_000);
        wall = 1_000_000 + at * 100;
        let now = Now { instant, wall: UnixSeconds(wall) };
        let source = SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9), 546, 0, 1);
        let destination = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
        server.handle_timeouts(now);
        let datagram = Datagram6 { source, destination, payload: datagram };
        let _ = server.handle_datagram(&index, &link, &datagram, now);
        if let Some(position) = server.take_journal_batch(&mut disk) {
            server.handle_committed(position);
        }
        while server.poll_reply(&mut payload).is_some() {
            assert!(payload.len() <= FRAME_BYTES || datagram.payload[0] == 12);
            let reply = Message::parse(innermost(&payload)).unwrap();
            assert!(!reply.kind.is_from_client() && reply.server_id().is_some());
        }
        while server.poll_event().is_some() || server.poll_card().is_some() {}
        let mut bound: Vec<_> = server.leases().bound().map(|it| it.block).collect();
        assert!(bound.len() <= 8);
        bound.sort_unstable();
        assert!(bound.windows(2).all(|it| it[0] != it[1]));
    }
    let (mut table, recovery) = Table6::recover(&disk);
    while table.expire(wall).is_some() {} // The end of a lease is in its record already.
    assert!(!recovery.torn && recovery.damaged == 0);
    assert_eq!(table.bound().count(), server.leases().bound().count());
});
