use std::collections::VecDeque;

use ironherd_leases::Position;
use ironherd_leases::v6::{Association, Block};

use super::Reply6;
use crate::Event;

/// Replies on their way out: those that wait for the disk, and those that may go.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Waiting>,
    ready: VecDeque<(Reply6, Vec<u8>)>,
}

/// A REPLY whose leases are not on disk yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) position: Position,
    pub(super) promised: Vec<(Block, Association)>,
    pub(super) reply: Reply6,
    pub(super) payload: Vec<u8>,
    pub(super) event: Option<Event>,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.ready.len()
    }

    pub(super) fn push_ready(&mut self, reply: Reply6, payload: Vec<u8>) {
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

    pub(super) fn take_ready(&mut self, out: &mut Vec<u8>) -> Option<Reply6> {
        let (reply, payload) = self.ready.pop_front()?;
        *out = payload;
        Some(reply)
    }
}
