//! Clients as firmware writes them, good enough to lose packets against.

use std::net::SocketAddr;
use std::time::Duration;

use ironherd_wire::tftp::{Granted, Packet, parse, push_ack, push_error, push_read_request};

use crate::Instant;

const PATIENCE: Duration = Duration::from_millis(900);
const REPEATS_MAX: u32 = 12;

/// What a client does with a block it did not expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// ACKs the last good block for every unexpected one.
    Edk2,
    /// ACKs old blocks again, keeps silent about early ones.
    Grub,
    /// ACKs the last good block once a gap (RFC 7440 §4).
    Rfc,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) habit: Habit,
    pub(super) name: String,
    pub(super) asked: Granted,
    /// Asks for the size first, says ERROR 8 and asks again.
    pub(super) probes: bool,
    /// Still answers after its last block, as long as blocks come.
    pub(super) dallies: bool,
    pub(super) received: Vec<u8>,
    pub(super) done: bool,
    pub(super) gave_up: bool,
    pub(super) deadline: Option<Instant>,
    server: Option<SocketAddr>,
    block_bytes: usize,
    window_blocks: u64,
    expected: u64,
    unacked: u64,
    gap_told: bool,
    repeats: u32,
}

impl Client {
    pub(super) fn new(address: SocketAddr, habit: Habit, name: &str, asked: Granted) -> Self {
        Self {
            address,
            habit,
            name: name.to_owned(),
            asked,
            probes: false,
            dallies: true,
            received: Vec::new(),
            done: false,
            gave_up: false,
            deadline: None,
            server: None,
            block_bytes: 512,
            window_blocks: 1,
            expected: 1,
            unacked: 0,
            gap_told: false,
            repeats: 0,
        }
    }

    /// The request, to port 69.
    pub(super) fn request(&mut self, now: Instant) -> Vec<u8> {
        let mut out = Vec::new();
        let transfer_bytes = if self.probes { Some(0) } else { self.asked.transfer_bytes };
        push_read_request(&mut out, &self.name, &Granted { transfer_bytes, ..self.asked });
        self.deadline = Some(now + PATIENCE);
        out
    }

    /// Takes a datagram; the answer, if any, goes to whoever sent it.
    pub(super) fn handle(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
    ) -> Option<Vec<u8>> {
        if self.gave_up || self.server.is_some_and(|server| server != from) {
            return None;
        }
        let answer = match parse(bytes).unwrap() {
            Packet::OptionAck(options) if self.probes => {
                assert!(options.transfer_bytes.is_some());
                return Some(self.end_probe());
            }
            Packet::OptionAck(options) => {
                assert!(options.timeout_seconds.is_none() || self.asked.timeout_seconds.is_some());
                if self.server.is_some() && self.expected != 1 {
                    return None; // Late: blocks came already.
                }
                self.block_bytes = options.block_bytes.unwrap_or(512).into();
                self.window_blocks = options.window_blocks.unwrap_or(1).into();
                Some(ack(0))
            }
            Packet::Data { block, payload } => {
                assert!(payload.len() <= self.block_bytes);
                self.take_block(block, payload)
            }
            other => panic!("a server never sends {other:?}"),
        };
        self.server = Some(from);
        if answer.is_some() {
            self.deadline = (!self.done).then_some(now + PATIENCE);
        }
        answer
    }

    /// Patience ran out: what to send, and to whom (`None`: port 69).
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<(Option<SocketAddr>, Vec<u8>)> {
        self.repeats += 1;
        if REPEATS_MAX < self.repeats {
            (self.gave_up, self.deadline) = (true, None);
            return None;
        }
        if self.server.is_none() {
            return Some((None, self.request(now)));
        }
        self.deadline = Some(now + PATIENCE);
        self.unacked = 0;
        Some((self.server, ack(self.expected - 1)))
    }

    fn end_probe(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        push_error(&mut out, ironherd_wire::tftp::ErrorCode::OptionsRefused, "User aborted");
        self.probes = false;
        self.address.set_port(self.address.port() + 10_000);
        out
    }

    fn take_block(&mut self, block: u16, payload: &[u8]) -> Option<Vec<u8>> {
        if self.done || u64::from(block) != self.expected % 65_536 {
            return self.answer_unexpected(block);
        }
        self.received.extend_from_slice(payload);
        (self.repeats, self.gap_told) = (0, false);
        self.expected += 1;
        self.unacked += 1;
        self.done = payload.len() < self.block_bytes;
        if self.done || self.unacked == self.window_blocks {
            self.unacked = 0;
            return Some(ack(self.expected - 1));
        }
        None
    }

    fn answer_unexpected(&mut self, block: u16) -> Option<Vec<u8>> {
        if self.done && !self.dallies {
            return None;
        }
        // Blocks within half the number space before the expected one are old.
        let old = (self.expected % 65_536).wrapping_sub(u64::from(block)) % 65_536 < 32_768;
        let answers = match self.habit {
            Habit::Edk2 => true,
            Habit::Grub => old,
            Habit::Rfc => !std::mem::replace(&mut self.gap_told, true) || self.done,
        };
        if answers {
            self.unacked = 0;
        }
        answers.then(|| ack(self.expected - 1))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the wire number wraps")]
fn ack(block: u64) -> Vec<u8> {
    let mut out = Vec::new();
    push_ack(&mut out, block as u16);
    out
}
