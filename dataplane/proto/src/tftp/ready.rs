use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// One pick in this many goes to whoever waits longest, so that the newest client starves never.
const FAIR_EVERY: u32 = 4;

/// Which slots have something to send, and who goes first.
///
/// The oldest transfer goes first: in a storm of equal files, serving all alike would let every
/// client finish last. Either queue holds a slot once at most; a slot taken from one may stay in
/// the other, so the owner asks it again whether it has something to send.
#[derive(Debug, Default)]
pub(super) struct Ready {
    oldest: BinaryHeap<Reverse<(u64, usize)>>,
    longest: VecDeque<usize>,
    queued: Vec<Queued>,
    picks: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Queued {
    oldest: bool,
    longest: bool,
}

impl Ready {
    /// `order` counts accepted requests.
    pub(super) fn push(&mut self, slot: usize, order: u64) {
        if self.queued.len() <= slot {
            self.queued.resize(slot + 1, Queued::default());
        }
        let queued = &mut self.queued[slot];
        if !queued.oldest {
            self.oldest.push(Reverse((order, slot)));
        }
        if !queued.longest {
            self.longest.push_back(slot);
        }
        *queued = Queued { oldest: true, longest: true };
    }

    /// The next slot to ask. It may have nothing to send any more, or hold another transfer.
    pub(super) fn pop(&mut self) -> Option<usize> {
        self.picks = self.picks.wrapping_add(1);
        if self.picks.is_multiple_of(FAIR_EVERY) && !self.longest.is_empty() {
            let slot = self.longest.pop_front()?;
            self.queued[slot].longest = false;
            return Some(slot);
        }
        let Some(Reverse((_, slot))) = self.oldest.pop() else {
            // Whatever is left was served as the oldest already.
            while let Some(slot) = self.longest.pop_front() {
                self.queued[slot].longest = false;
            }
            return None;
        };
        self.queued[slot].oldest = false;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_the_newest_is_not_forgotten() {
        let mut ready = Ready::default();
        let mut picks = Vec::new();
        for slot in [9, 8, 7, 6, 5] {
            ready.push(slot, slot as u64); // Slot 9 waits longest and is the newest.
        }
        while let Some(slot) = ready.pop() {
            picks.push(slot);
        }
        assert_eq!(picks[..4], [5, 6, 7, 9]);
        assert!(ready.longest.is_empty() && ready.oldest.is_empty());
    }

    #[test]
    fn a_slot_is_queued_once_however_often_it_is_pushed() {
        let mut ready = Ready::default();
        for _ in 0..1_000 {
            ready.push(3, 1);
        }
        assert_eq!((ready.oldest.len(), ready.longest.len()), (1, 1));
    }
}
