use std::time::Duration;

use bytes::Bytes;
use ironherd_wire::tftp::{DATA_HEAD_BYTES, Granted, push_data_head, push_option_ack};

use super::ends::Ends;
use super::rtt::Rtt;
use crate::{DropReason, Instant};

/// Waits in vain before a silent client is given up.
const REPEATS_MAX: u8 = 6;
/// Waits in vain before a client is given up that speaks but gets nowhere.
const STALLS_MAX: u8 = 40;
/// After this many waits in vain, a repeated request means that the client started over.
const REPEATS_RESTART: u8 = 2;

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    Complete,
    /// Every block went out and the last ACK never came: most such clients have the file.
    Unconfirmed,
    /// The client wanted to know the size and said so with ERROR 8.
    Probe,
    ClientAborted,
    ClientSilent,
    /// The client asked for something else from the same port.
    Replaced,
}

/// What the transfer wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// `out` holds datagrams back to back, all this long but the last.
    Send {
        segment_bytes: usize,
        first: bool,
    },
    Wait {
        until: Instant,
    },
    Done(Finish),
}

/// Where a new transfer stands: all that the request and the file decide.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) file: Bytes,
    pub(super) ends: Ends,
    pub(super) socket: u16,
    pub(super) request_hash: u32,
    pub(super) granted: Granted,
}

/// Sends one file to one client, from the accepted request to the last ACK.
///
/// Blocks count from 1; only the wire number wraps, to 0. Block 0 stands for the OACK.
#[derive(Debug)]
pub(super) struct Transfer {
    file: Bytes,
    pub(super) ends: Ends,
    deadline: Instant,
    timed_at: Instant,
    rtt: Rtt,
    block_last: u32, // The short, maybe empty, block that ends the file.
    acked: u32,      // Invariant: acked <= sent <= min(block_last, acked + window_blocks).
    sent: u32,
    rewound: u32, // The highest block sent before the last rewind: asks below it are echoes.
    timed: u32,   // The block whose ACK measures the round trip; 0: none is measured.
    pub(super) request_hash: u32,
    block_bytes: u16,
    window_blocks: u16,
    pub(super) socket: u16,
    timeout_seconds: u8, // Zero: not asked, so the round trip decides.
    repeats: u8,         // Waits in vain since the client was last heard.
    stalls: u8,          // Waits in vain since it last got on. Invariant: repeats <= stalls.
    told: Told,
    greeting: Greeting,
}

// Ten thousand transfers at once must stay a small matter.
const _: () = assert!(size_of::<Transfer>() <= 128);

/// Which options the OACK carries, apart from `timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told(u8);

impl Told {
    const BLOCK_BYTES: u8 = 1;
    const WINDOW_BLOCKS: u8 = 2;
    const TRANSFER_BYTES: u8 = 4;

    fn has(self, option: u8) -> bool {
        self.0 & option != 0
    }
}

/// How far the first exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    OptionAckDue,
    OptionAckSent,
    Over,
}

impl Transfer {
    /// Starts with the OACK, or with block 1 if nothing was granted.
    pub(super) fn new(opening: Opening, now: Instant) -> Result<Self, DropReason> {
        let Opening { file, ends, socket, request_hash, granted } = opening;
        let block_bytes = granted.block_bytes.unwrap_or(512);
        let blocks_full = file.len() / usize::from(block_bytes);
        let block_last = u32::try_from(blocks_full + 1).map_err(|_| DropReason::TftpTooLarge)?;
        let told = [
            (granted.block_bytes.is_some(), Told::BLOCK_BYTES),
            (granted.window_blocks.is_some(), Told::WINDOW_BLOCKS),
            (granted.transfer_bytes.is_some(), Told::TRANSFER_BYTES),
        ];
        let told = told.iter().filter(|(is, _)| *is).fold(0, |sum, (_, bit)| sum | bit);
        let empty = granted.is_empty();
        Ok(Self {
            file,
            ends,
            deadline: now,
            timed_at: now,
            rtt: Rtt::default(),
            block_last,
            acked: 0,
            sent: 0,
            rewound: 0,
            timed: 0,
            request_hash,
            block_bytes,
            window_blocks: granted.window_blocks.unwrap_or(1),
            socket,
            timeout_seconds: granted.timeout_seconds.unwrap_or(0),
            repeats: 0,
            stalls: 0,
            told: Told(told),
            greeting: if empty { Greeting::Over } else { Greeting::OptionAckDue },
        })
    }

    /// Takes the block number of one ACK. A refused ACK changes nothing; the caller counts it.
    pub(super) fn handle_ack(&mut self, wire: u16, now: Instant) -> Result<(), DropReason> {
        if self.greeting != Greeting::Over {
            if wire != 0 || self.greeting == Greeting::OptionAckDue {
                return Err(DropReason::TftpAckOutsideWindow);
            }
            self.greeting = Greeting::Over;
            (self.repeats, self.stalls) = (0, 0);
            self.restart_timer(now);
            return Ok(());
        }
        // The window is far below 2^15 blocks, so the wrapped distance names exactly one block.
        let ahead = u32::from(wire.wrapping_sub(wire_number(self.acked)));
        let highest = self.sent.max(self.rewound);
        match ahead {
            // Answering a repeated ACK doubles all later traffic (RFC 1123 §4.2.3.1). EDK2 sends
            // one for every block behind a lost one.
            0 => {
                self.hear_repeat(now);
                return Err(DropReason::TftpAckRepeated);
            }
            n if highest - self.acked < n => return Err(DropReason::TftpAckOutsideWindow),
            n => self.acked += n,
        }
        self.sent = self.sent.max(self.acked);
        (self.repeats, self.stalls) = (0, 0);
        if self.timed != 0 && self.timed <= self.acked {
            self.rtt.measure(now.saturating_since(self.timed_at));
            self.timed = 0;
        }
        if self.rewound <= self.acked && self.acked < self.sent {
            self.rewind(); // An ACK inside the window asks for the rest again (RFC 7440 §4).
        }
        self.restart_timer(now);
        Ok(())
    }

    /// The client sent its request once more.
    ///
    /// Before its first ACK it has missed our answer. Later on it is an old packet, unless the
    /// client has been silent: then it started over, and `Ok(true)` asks for a new transfer.
    pub(super) fn handle_repeated_request(&mut self) -> Result<bool, DropReason> {
        if self.greeting == Greeting::Over && self.acked == 0 && self.told.0 == 0 {
            self.rewind();
            Ok(false)
        } else if self.greeting != Greeting::Over {
            self.greeting = Greeting::OptionAckDue;
            Ok(false)
        } else if REPEATS_RESTART <= self.repeats {
            Ok(true)
        } else {
            Err(DropReason::TftpRequestRepeated)
        }
    }

    /// Whether another request from the same port may take this transfer's place: not while the
    /// client is heard, since the request may be an old packet.
    pub(super) fn may_be_replaced(&self) -> bool {
        self.greeting != Greeting::Over || self.repeats != 0
    }

    /// Resends the window (or the OACK) if the deadline has passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now < self.deadline {
            return;
        }
        self.repeats = self.repeats.saturating_add(1);
        self.stalls = self.stalls.saturating_add(1);
        match self.greeting {
            Greeting::Over => self.rewind(),
            _ => self.greeting = Greeting::OptionAckDue,
        }
        self.restart_timer(now);
    }

    /// What the client's ERROR ends.
    pub(super) fn finish_by_error(&self) -> Finish {
        let probing = self.greeting != Greeting::Over && self.told.has(Told::TRANSFER_BYTES);
        if probing { Finish::Probe } else { Finish::ClientAborted }
    }

    /// Replaces `out` by all that may be sent now.
    pub(super) fn poll_output(&mut self, out: &mut Vec<u8>, now: Instant) -> Output {
        out.clear();
        if self.acked == self.block_last {
            return Output::Done(Finish::Complete);
        }
        if REPEATS_MAX < self.repeats || STALLS_MAX < self.stalls {
            let all_sent = self.sent.max(self.rewound) == self.block_last;
            let finish = if all_sent { Finish::Unconfirmed } else { Finish::ClientSilent };
            return Output::Done(finish);
        }
        match self.greeting {
            Greeting::OptionAckDue => {
                push_option_ack(out, &self.granted());
                self.greeting = Greeting::OptionAckSent;
                self.restart_timer(now);
                Output::Send { segment_bytes: out.len(), first: false }
            }
            Greeting::Over if self.sent < self.window_end() => self.push_window(out, now),
            Greeting::Over | Greeting::OptionAckSent => Output::Wait { until: self.deadline },
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The client is alive and lacks blocks: the window goes again after one plain wait, not after
    /// the long one that silence had led to. It still goes by the timer only, never by the ACK.
    fn hear_repeat(&mut self, now: Instant) {
        self.repeats = 0;
        self.deadline = self.deadline.min(now + self.patience());
    }

    fn window_end(&self) -> u32 {
        self.block_last.min(self.acked.saturating_add(u32::from(self.window_blocks)))
    }

    fn push_window(&mut self, out: &mut Vec<u8>, now: Instant) -> Output {
        let first = self.sent.max(self.rewound) == 0;
        let resent = self.sent < self.rewound;
        let segment_bytes = DATA_HEAD_BYTES + usize::from(self.block_bytes);
        out.reserve(segment_bytes * (self.window_end() - self.sent) as usize);
        while self.sent < self.window_end() {
            let start = self.sent as usize * usize::from(self.block_bytes);
            let end = self.file.len().min(start + usize::from(self.block_bytes));
            self.sent += 1;
            push_data_head(out, wire_number(self.sent));
            out.extend_from_slice(self.file.get(start..end).unwrap_or_default());
        }
        if self.timed == 0 && !resent {
            (self.timed, self.timed_at) = (self.sent, now);
        }
        self.restart_timer(now);
        Output::Send { segment_bytes, first }
    }

    fn rewind(&mut self) {
        self.rewound = self.rewound.max(self.sent);
        self.sent = self.acked;
        self.timed = 0;
    }

    fn restart_timer(&mut self, now: Instant) {
        self.deadline = now + self.patience();
    }

    fn patience(&self) -> Duration {
        match self.timeout_seconds {
            0 => self.rtt.patience(self.repeats),
            asked => Duration::from_secs(u64::from(asked)),
        }
    }

    fn granted(&self) -> Granted {
        let told = |option, value| self.told.has(option).then_some(value);
        Granted {
            block_bytes: told(Told::BLOCK_BYTES, self.block_bytes),
            timeout_seconds: (self.timeout_seconds != 0).then_some(self.timeout_seconds),
            transfer_bytes: self.told.has(Told::TRANSFER_BYTES).then_some(self.file.len() as u64),
            window_blocks: told(Told::WINDOW_BLOCKS, self.window_blocks),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the wire number wraps to 0 by design")]
fn wire_number(block: u32) -> u16 {
    block as u16
}
