use std::collections::VecDeque;
use std::net::Ipv4Addr;

use ironherd_leases::Position;
use ironherd_snapshot::Mac;

use super::Reply;
use crate::Event;

/// Buffers kept for the next replies: as many as wait for one sync of a slow disk.
const SPARE_MAX: usize = 4096;
/// Most replies fit without growing.
const REPLY_BYTES: usize = 576;

/// Replies on their way out: those that wait for the disk, and those that may go.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Waiting>,
    ready: VecDeque<(Reply, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
}

/// An ACK whose lease is not on disk yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) position: Position,
    pub(super) mac: Mac,
    pub(super) address: Ipv4Addr,
    pub(super) reply: Reply,
    pub(super) payload: Vec<u8>,
    pub(super) event: Option<Event>,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.ready.len()
    }

    /// An empty buffer, with room from an earlier reply if there is one.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(REPLY_BYTES))
    }

    pub(super) fn push_ready(&mut self, reply: Reply, payload: Vec<u8>) {
        self.ready.push_back((reply, payload));
    }

    pub(super) fn push_waiting(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    /// Takes the first reply in the queue if its position is on disk. A repeat may stand behind
    /// later positions; it then goes one batch later.
    pub(super) fn take_committed(&mut self, upto: Position) -> Option<Waiting> {
        self.waiting.pop_front_if(|it| it.position <= upto)
    }

    /// Forgets what waits for the disk; says how many that were.
    pub(super) fn clear_waiting(&mut self) -> u64 {
        let count = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        self.waiting.clear();
        count
    }

    pub(super) fn take_ready(&mut self, out: &mut Vec<u8>) -> Option<Reply> {
        let (reply, payload) = self.ready.pop_front()?;
        let mut old = std::mem::replace(out, payload);
        if self.spare.len() < SPARE_MAX {
            old.clear();
            self.spare.push(old);
        }
        Some(reply)
    }
}
