//! Any datagrams on port 67 and 4011: nothing panics, every one is answered or named, and what we
//! send can be read again and is no longer than what was asked for.
#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};

use ironherd_leases::Table;
use ironherd_proto::dhcp::{Config, Server, ServerPort};
use ironherd_proto::{Instant, Link, Now, UnixSeconds};
use ironherd_snapshot::{Index, Range, Settings, Snapshot, Subnet};
use ironherd_wire::dhcp::{MESSAGE_BYTES_MAX, MESSAGE_BYTES_MIN, Message, code};
use libfuzzer_sys::fuzz_target;

fn index() -> Index {
    let net = |last| Ipv4Addr::new(10, 77, 0, last);
    let subnet = Subnet {
        id: "subnet".to_owned(),
        cidr: "10.77.0.0/24".parse().unwrap(),
        gateway: Some(net(254)),
        dns_servers: vec![net(1)],
        ntp_servers: vec![net(1)],
        domain: Some("lab.test".to_owned()),
        mtu: Some(1500),
        lease_seconds: 3600,
        ranges: vec![Range::new(net(100), net(103))],
        reservations: Vec::new(),
        ..Subnet::default()
    };
    let settings = Settings { enlist: true, ..Settings::default() };
    let subnets = vec![subnet.into()];
    Index::new(Snapshot { generation: 1, settings, subnets, ..Snapshot::default() })
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

fuzz_target!(|input: &[u8]| {
    let index = index();
    let address = Ipv4Addr::new(10, 77, 0, 1);
    let link = Link { index: 1, address, host6: None, http_port: 5248, gateway_port: 5249 };
    let mut server = Server::new(Config::default(), Table::default());
    let (mut disk, mut payload) = (Vec::new(), Vec::new());
    for (at, datagram) in datagrams(input).take(64).enumerate() {
        let at = at as u64;
        let instant = Instant::from_nanos(at * 100_000_000_000);
        let now = Now { instant, wall: UnixSeconds(1_000_000 + at * 100) };
        let port = if at % 8 == 7 { ServerPort::Proxy4011 } else { ServerPort::Dhcp67 };
        let source = SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 100), 68);
        server.handle_timeouts(now);
        let _ = server.handle_datagram(&index, port, source, &link, datagram, now);
        if let Some(position) = server.take_journal_batch(&mut disk) {
            server.handle_committed(position);
        }
        while server.poll_reply(&mut payload).is_some() {
            assert!((MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&payload.len()));
            let reply = Message::parse(&payload).unwrap();
            assert!(reply.is_reply() && reply.message_type().is_some());
            let asked = Message::parse(datagram).unwrap();
            let relay = asked.option(code::RELAY_AGENT).map_or(0, |it| it.echo_bytes());
            assert!(payload.len() <= asked.reply_bytes_max() + relay);
        }
        while server.poll_event().is_some() {}
    }
    let (after, recovery) = Table::recover(&disk);
    assert!(!recovery.torn && recovery.damaged == 0);
    for lease in server.leases().bound() {
        assert_eq!(after.lease_at(lease.address).map(|it| it.mac), Some(lease.mac));
    }
});
