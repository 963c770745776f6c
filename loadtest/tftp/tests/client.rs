//! The clients against our own TFTP server, both without a network between them: what one says the
//! other hears, but for what a seeded fault takes away, doubles or changes.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use ironherd_proto::tftp::{Config, Server};
use ironherd_proto::{FileRef, Files, Instant, Made, Now, UnixSeconds};
use ironherd_tftp_load::{Answer, Client, Tally, Wants};
use ironherd_wire::tftp::{Granted, push_ack, push_read_request};

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 4_000);
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const PATIENCE: Duration = Duration::from_millis(900);

struct OneFile(Bytes);

impl Files for OneFile {
    fn open(&self, _: &str) -> Option<FileRef> {
        Some(FileRef { bytes: self.0.clone(), sha256: String::new().into() })
    }

    fn made(&self, _: &str) -> Option<Made> {
        None
    }

    fn by_digest(&self, _: &str) -> Option<FileRef> {
        None
    }

    fn is_arriving(&self, _: &str) -> bool {
        false
    }
}

/// What becomes of a datagram on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Sound,
    Lost,
    Twice,
    Changed,
}

fn file(len: usize) -> Vec<u8> {
    (0..len).map(|it| u8::try_from(it % 251).unwrap()).collect()
}

/// Plays one download; how it ended and what was seen. `fate` decides by the number of the
/// datagram, and by whether the server sent it.
fn play(len: usize, window: u16, fate: impl Fn(u32, bool) -> Fate) -> (Answer, Tally) {
    let (bytes, mut server) = (file(len), Server::new(Config::default()));
    let files = OneFile(bytes.clone().into());
    let wants = Wants { patience: PATIENCE, expect: Some(&bytes) };
    let asked = Granted {
        block_bytes: Some(1428),
        window_blocks: Some(window).filter(|it| 1 < *it),
        ..Granted::default()
    };
    let (mut client, mut tally) = (Client::new(Duration::ZERO), Tally::default());
    let mut answers = VecDeque::from([Answer::Ask]);
    let (mut out, mut sent, mut socket) = (Vec::new(), 0, None);
    for millis in (0..120_000).step_by(50) {
        let now = Duration::from_millis(millis);
        let instant = Instant::from_nanos(1) + now;
        let wall = Now { instant, wall: UnixSeconds(1_000_000) };
        answers.push_back(client.handle_time(wants, &mut tally, now));
        server.handle_timeouts(wall);
        loop {
            while let Some(answer) = answers.pop_front() {
                let mut message = Vec::new();
                match answer {
                    Answer::Nothing => continue,
                    Answer::Ask => push_read_request(&mut message, "file", &asked),
                    Answer::Ack(block) | Answer::Done(block) => push_ack(&mut message, block),
                    Answer::Failed(_) => return (answer, tally),
                }
                sent += 1;
                let times = match fate(sent, false) {
                    Fate::Lost => 0,
                    Fate::Twice => 2,
                    Fate::Sound | Fate::Changed => 1,
                };
                for _ in 0..times {
                    // What changes nothing is refused by name, and no matter here.
                    let _ = match (answer, socket) {
                        (Answer::Ask, _) => {
                            server.handle_request(&files, PEER, LOCAL, &message, wall)
                        }
                        (_, Some(socket)) => server.handle_packet(socket, PEER, &message, wall),
                        (_, None) => Ok(()),
                    };
                }
                if matches!(answer, Answer::Done(_)) {
                    return (answer, tally);
                }
            }
            let Some(send) = server.poll_output(&mut out) else { break };
            socket = Some(send.socket);
            for datagram in out.chunks_mut(send.segment_bytes) {
                sent += 1;
                let fate = fate(sent, true);
                if fate == Fate::Changed {
                    let last = datagram.len() - 1;
                    datagram[last] ^= 1;
                }
                for _ in 0..[1, 0, 2, 1][fate as usize] {
                    answers.push_back(client.handle(wants, datagram, &mut tally, now));
                }
            }
        }
    }
    panic!("it never ends: {tally:?}");
}

/// A cheap hash: which datagrams meet a fault.
fn dice(seed: u32, number: u32) -> u32 {
    let mixed = (seed.wrapping_mul(0x9e37_79b9) ^ number).wrapping_mul(0x85eb_ca6b);
    (mixed ^ mixed >> 13).wrapping_mul(0xc2b2_ae35) >> 16
}

#[test]
fn a_sound_network_brings_each_block_once() {
    for (len, window) in [(0, 1), (1427, 4), (1428, 4), (1429, 1), (100_000, 1), (1_000_000, 16)] {
        let (end, tally) = play(len, window, |_, _| Fate::Sound);
        assert!(matches!(end, Answer::Done(_)), "{len} {window}: {end:?}");
        let bytes = u64::try_from(len).unwrap();
        assert_eq!(tally, Tally { bytes, ..Tally::default() }, "{len} {window}");
    }
}

#[test]
fn every_download_ends_whole_over_a_bad_network() {
    let mut seen = Tally::default();
    for seed in 0..60 {
        let (end, tally) = play(60_000, [1, 4, 16][seed as usize % 3], |number, _| {
            match dice(seed, number) % 100 {
                0..5 => Fate::Lost,
                5..8 => Fate::Twice,
                _ => Fate::Sound,
            }
        });
        assert!(matches!(end, Answer::Done(_)), "seed {seed}: {end:?} {tally:?}");
        assert_eq!(tally.bytes, 60_000, "seed {seed}");
        seen.repeats += tally.repeats;
        seen.gaps += tally.gaps;
        seen.timeouts += tally.timeouts;
    }
    assert!(0 < seen.repeats && 0 < seen.gaps && 0 < seen.timeouts, "{seen:?}");
}

#[test]
fn a_byte_that_is_wrong_and_a_server_that_is_silent_are_told() {
    let changed = |number, of_server| {
        if of_server && number == 20 { Fate::Changed } else { Fate::Sound }
    };
    let (end, _) = play(100_000, 4, changed);
    assert_eq!(end, Answer::Failed("a block holds other bytes than the file"));
    let (end, tally) =
        play(100_000, 4, |_, of_server| if of_server { Fate::Lost } else { Fate::Sound });
    assert_eq!(end, Answer::Failed("the server is silent"));
    assert_eq!(tally.timeouts, 7);
}
