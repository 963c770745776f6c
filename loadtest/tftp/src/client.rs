//! One client and one file.

use std::time::Duration;

use ironherd_wire::tftp::{Packet, parse};

/// Waits in vain before a client gives up, as firmware does.
const WAITS_MAX: u8 = 6;
/// The block size where none was negotiated (RFC 1350).
const PLAIN_BLOCK_BYTES: u16 = 512;

/// What a client wants of its file.
#[derive(Clone, Copy, Debug)]
pub struct Wants<'a> {
    pub patience: Duration,
    /// What the file holds, to compare each byte with.
    pub expect: Option<&'a [u8]>,
}

/// Fetches one file, from the request to the last ACK. Blocks count from 1; only the wire number
/// wraps.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    began: Duration,
    heard: Duration, // Or when it last asked.
    took: u32,       // Blocks that came in order.
    acked: u32,      // Invariant: acked <= took.
    told_gap: u32,   // Behind which block the last gap was told; 0: none.
    block_bytes: u16,
    window_blocks: u16,
    waits: u8,
    answered: bool,
}

/// What a client does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    /// The request goes to the server's port, for the first time or again.
    Ask,
    Ack(u16),
    /// The file is whole; this is the last ACK.
    Done(u16),
    Failed(&'static str),
}

/// What all clients have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub bytes: u64,
    /// Blocks that came although they had come before.
    pub repeats: u64,
    /// Blocks that came while one before them was missing.
    pub gaps: u64,
    /// Waits in vain.
    pub timeouts: u64,
}

impl Client {
    /// One that is to ask at once.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self {
            began: now,
            heard: now,
            took: 0,
            acked: 0,
            told_gap: 0,
            block_bytes: PLAIN_BLOCK_BYTES,
            window_blocks: 1,
            waits: 0,
            answered: false,
        }
    }

    #[must_use]
    pub fn began(&self) -> Duration {
        self.began
    }

    /// How long a datagram with a whole block is: the kernel may hand over many as one.
    #[must_use]
    pub fn segment_bytes(&self) -> usize {
        ironherd_wire::tftp::DATA_HEAD_BYTES + usize::from(self.block_bytes)
    }

    /// Takes one datagram of the server.
    pub fn handle(
        &mut self,
        wants: Wants<'_>,
        datagram: &[u8],
        tally: &mut Tally,
        now: Duration,
    ) -> Answer {
        let Ok(packet) = parse(datagram) else { return Answer::Failed("an answer is no TFTP") };
        self.heard = now;
        match packet {
            Packet::OptionAck(granted) => {
                if 0 < self.took {
                    tally.repeats += 1;
                    return Answer::Nothing;
                }
                tally.repeats += u64::from(self.answered);
                self.answered = true;
                self.block_bytes = granted.block_bytes.unwrap_or(PLAIN_BLOCK_BYTES);
                self.window_blocks = granted.window_blocks.unwrap_or(1).max(1);
                self.waits = 0;
                Answer::Ack(0)
            }
            Packet::Data { block, payload } => self.take(wants, block, payload, tally),
            Packet::Error { .. } => Answer::Failed("the server sent an ERROR"),
            _ => Answer::Failed("an answer is nothing a server sends"),
        }
    }

    fn take(&mut self, wants: Wants<'_>, block: u16, payload: &[u8], tally: &mut Tally) -> Answer {
        self.answered = true;
        match block.wrapping_sub(wire(self.took)) {
            1 => {}
            // Our ACK was lost, or is on its way: the server shall hear it again, once a window.
            0 => {
                tally.repeats += 1;
                return Answer::Ack(wire(self.took));
            }
            ahead if ahead < 0x8000 => {
                tally.gaps += 1;
                if self.told_gap == self.took && 0 < self.took {
                    return Answer::Nothing;
                }
                (self.told_gap, self.acked) = (self.took, self.took);
                return Answer::Ack(wire(self.took));
            }
            _ => {
                tally.repeats += 1;
                return Answer::Nothing;
            }
        }
        if usize::from(self.block_bytes) < payload.len() {
            return Answer::Failed("a block is longer than was agreed");
        }
        if let Some(file) = wants.expect {
            let start = self.took as usize * usize::from(self.block_bytes);
            let want = file.get(start..file.len().min(start + usize::from(self.block_bytes)));
            if want != Some(payload) {
                return Answer::Failed("a block holds other bytes than the file");
            }
        }
        self.took += 1;
        self.waits = 0;
        tally.bytes += u64::try_from(payload.len()).unwrap_or_default();
        if payload.len() < usize::from(self.block_bytes) {
            return Answer::Done(wire(self.took));
        }
        if self.took - self.acked < u32::from(self.window_blocks) {
            return Answer::Nothing;
        }
        self.acked = self.took;
        Answer::Ack(wire(self.took))
    }

    /// Asks again if nothing was heard for too long.
    pub fn handle_time(&mut self, wants: Wants<'_>, tally: &mut Tally, now: Duration) -> Answer {
        if now.saturating_sub(self.heard) < wants.patience {
            return Answer::Nothing;
        }
        tally.timeouts += 1;
        self.waits += 1;
        self.heard = now;
        if WAITS_MAX < self.waits {
            return Answer::Failed("the server is silent");
        }
        if !self.answered {
            return Answer::Ask;
        }
        self.acked = self.took;
        Answer::Ack(wire(self.took))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the wire number wraps to 0 by design")]
fn wire(block: u32) -> u16 {
    block as u16
}
