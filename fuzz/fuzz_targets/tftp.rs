//! The TFTP parser, and the server under any order of requests, packets and time.
//!
//! Holds: nothing panics, no output breaks the bounds of one send, no input makes the server talk
//! without end, and once every client is silent every transfer ends.
#![no_main]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use ironherd_proto::tftp::{Config, Server};
use ironherd_proto::{FileRef, Files, Instant, Now};
use ironherd_wire::tftp::parse;
use libfuzzer_sys::fuzz_target;

const LOCAL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

struct OneFile;

impl Files for OneFile {
    fn open(&self, name: &str) -> Option<FileRef> {
        static CONTENT: [u8; 20_000] = [7; 20_000];
        let len = name.bytes().fold(0, |sum, byte| (sum * 31 + usize::from(byte)) % CONTENT.len());
        let bytes = Bytes::from_static(&CONTENT[..len]);
        (name != "absent").then(|| FileRef { bytes, sha256: "0".repeat(64).into() })
    }

    fn by_digest(&self, _sha256: &str) -> Option<FileRef> {
        None
    }
}

fuzz_target!(|data: &[u8]| {
    let _ = parse(data);
    let config = Config { sockets: 2, transfers_max: 3, ..Config::default() };
    let (mut server, mut now) = (Server::new(config), Now::default());
    let mut rest = data;
    // A step: what it is, how long its payload is, the payload.
    while let [step, len, after @ ..] = rest {
        let (payload, after) = after.split_at(after.len().min(usize::from(*len)));
        rest = after;
        let from = SocketAddr::from(([10, 77, 1, 1], 2_000 + u16::from(step >> 2 & 3)));
        let _ = match step & 3 {
            0 => server.handle_request(&OneFile, from, LOCAL.into(), payload, now),
            1 => server.handle_packet(usize::from(step >> 4 & 1), from, payload, now),
            // The most common packet, so that transfers get somewhere.
            2 => server.handle_packet(usize::from(step >> 4 & 1), from, &[0, 4, 0, *len], now),
            _ => {
                now.instant = now.instant + Duration::from_millis(u64::from(*len) * 40);
                server.handle_timeouts(now);
                Ok(())
            }
        };
        drain(&mut server);
    }
    for _ in 0..10_000 {
        let Some(deadline) = server.next_deadline() else { break };
        now.instant = now.instant.max(deadline);
        server.handle_timeouts(now);
        drain(&mut server);
    }
    assert_eq!((server.transfers(), server.next_deadline()), (0, None::<Instant>));
});

fn drain(server: &mut Server) {
    let mut out = Vec::new();
    let mut sends = 0;
    while let Some(send) = server.poll_output(&mut out) {
        assert!(0 < send.segment_bytes && !out.is_empty() && out.len() <= 65_507);
        assert!(out.len().div_ceil(send.segment_bytes) <= 64);
        for datagram in out.chunks(send.segment_bytes) {
            parse(datagram).expect("a packet of ours");
        }
        sends += 1;
        assert!(sends <= 8, "one input is answered by one window or error a transfer");
    }
    while server.poll_event().is_some() {}
}
