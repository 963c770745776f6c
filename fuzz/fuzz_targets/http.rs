//! One HTTP connection under any bytes, split anyhow.
//!
//! Holds: nothing panics, the split changes nothing, every response is a whole one with a
//! `Content-Length` that is true, and the connection ends once the client has.
#![no_main]

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use ironherd_proto::http::{Config, Connection, Context, Output};
use ironherd_proto::token::Stamp;
use ironherd_proto::{DropReason, FileRef, Files, Link, Now};
use ironherd_snapshot::Index;
use libfuzzer_sys::fuzz_target;

struct OneFile;

impl Files for OneFile {
    fn open(&self, name: &str) -> Option<FileRef> {
        static CONTENT: [u8; 9_000] = [b'x'; 9_000];
        let file =
            || FileRef { bytes: Bytes::from_static(&CONTENT), sha256: "a".repeat(64).into() };
        (!name.contains("absent")).then(file)
    }

    fn by_digest(&self, sha256: &str) -> Option<FileRef> {
        self.open(sha256)
    }
}

fuzz_target!(|data: &[u8]| {
    let [split, input @ ..] = data else { return };
    let middle = input.len() * usize::from(*split) / 256;
    let (first, second) = input.split_at(middle);
    let whole = run(&[input]);
    assert_eq!(run(&[first, second]), whole);
    check(&whole.1);
});

fn run(parts: &[&[u8]]) -> (Result<(), DropReason>, Vec<u8>) {
    let link = Link {
        index: 2,
        address: Ipv4Addr::new(10, 77, 0, 1),
        host6: None,
        http_port: 5248,
        gateway_port: 5249,
    };
    let (snapshot, now) = (Index::default(), Now::default());
    let peer = SocketAddr::from(([10, 77, 1, 1], 4_000));
    let mut connection = Connection::new(Config::default(), peer, link, now);
    let mut handled = Ok(());
    for part in parts {
        let mut stamp = || Stamp { nonce: [7; 16], day: 20_000 };
        let owns = |_, _| true;
        let mut context =
            Context { snapshot: &snapshot, files: &OneFile, stamp: &mut stamp, owns: &owns };
        handled = handled.and(connection.handle_bytes(&mut context, part, now));
    }
    connection.handle_end();
    let mut sent = Vec::new();
    loop {
        match connection.poll_output() {
            Output::Send(bytes) => {
                sent.extend_from_slice(&bytes);
                connection.handle_sent(bytes.len(), now);
            }
            Output::Wait { .. } => panic!("a connection waits for a client that has gone"),
            Output::Close => return (handled, sent),
        }
    }
}

/// Walks the responses. The body of a HEAD's answer is absent, so there the walk may stop early.
fn check(mut sent: &[u8]) {
    while let Some(end) = sent.windows(4).position(|it| it == b"\r\n\r\n") {
        let head = std::str::from_utf8(&sent[..end]).expect("an ASCII head");
        assert!(head.starts_with("HTTP/1.1 "), "{head}");
        let length = head.lines().find_map(|it| it.strip_prefix("Content-Length: "));
        let length: usize = length.and_then(|it| it.parse().ok()).expect("a length");
        sent = &sent[end + 4..];
        if !sent.starts_with(b"HTTP/1.1 ") {
            sent = sent.get(length..).unwrap_or_default();
        }
    }
}
