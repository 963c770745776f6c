use crate::Instant;

const TICK_NANOS: u64 = 10_000_000;
const BUCKETS: usize = 512;
const NONE: u32 = u32::MAX;

/// A timer wheel with one node a slot, so its size is known beforehand.
///
/// Ticks are 10 ms and the wheel spans 5 s; what lies beyond fires early and is set again by its
/// owner, who compares with the true deadline anyway.
pub(super) struct Wheel {
    heads: Vec<u32>,
    occupied: [u64; BUCKETS / 64], // One bit a bucket, so that empty ones cost nothing.
    nodes: Vec<Node>,
    linked: usize,
    cursor: u64, // Invariant: cursor <= tick < cursor + BUCKETS for every linked node.
}

#[derive(Clone, Copy)]
struct Node {
    before: u32,
    after: u32,
    tick: u64, // `u64::MAX`: not linked.
}

const UNLINKED: Node = Node { before: NONE, after: NONE, tick: u64::MAX };

impl Wheel {
    pub(super) fn new() -> Self {
        let (nodes, occupied) = (Vec::new(), [0; BUCKETS / 64]);
        Self { heads: vec![NONE; BUCKETS], occupied, nodes, linked: 0, cursor: 0 }
    }

    /// Makes `slot` due at `at`, unless it is due before that already.
    pub(super) fn schedule(&mut self, slot: usize, at: Instant, now: Instant) {
        if self.nodes.len() <= slot {
            self.nodes.resize(slot + 1, UNLINKED);
        }
        if self.linked == 0 {
            self.cursor = now.as_nanos() / TICK_NANOS; // Skips the time with nothing to wait for.
        }
        let tick = at.as_nanos().div_ceil(TICK_NANOS); // Rounded up: never due too early.
        let tick = tick.clamp(self.cursor, self.cursor + BUCKETS as u64 - 1);
        if tick < self.nodes[slot].tick {
            self.cancel(slot);
            self.link(slot, tick);
        }
    }

    pub(super) fn cancel(&mut self, slot: usize) {
        let Some(node) = self.nodes.get(slot).copied().filter(|it| it.tick != u64::MAX) else {
            return;
        };
        let bucket = bucket_of(node.tick);
        match node.before {
            NONE => self.heads[bucket] = node.after,
            before => self.nodes[before as usize].after = node.after,
        }
        if node.after != NONE {
            self.nodes[node.after as usize].before = node.before;
        }
        if self.heads[bucket] == NONE {
            self.occupied[bucket / 64] &= !(1 << (bucket % 64));
        }
        self.nodes[slot] = UNLINKED;
        self.linked -= 1;
    }

    /// Takes out one slot that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let tick = self.next_tick()?;
        if now.as_nanos() / TICK_NANOS < tick {
            return None;
        }
        self.cursor = tick;
        let slot = self.heads[bucket_of(tick)] as usize;
        self.cancel(slot);
        Some(slot)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.next_tick().map(|tick| Instant::from_nanos(tick.saturating_mul(TICK_NANOS)))
    }

    fn link(&mut self, slot: usize, tick: u64) {
        let bucket = bucket_of(tick);
        let after = self.heads[bucket];
        let Ok(name) = u32::try_from(slot) else { return };
        if after != NONE {
            self.nodes[after as usize].before = name;
        }
        self.nodes[slot] = Node { before: NONE, after, tick };
        self.heads[bucket] = name;
        self.occupied[bucket / 64] |= 1 << (bucket % 64);
        self.linked += 1;
    }

    /// The tick of the first occupied bucket at or after the cursor.
    fn next_tick(&self) -> Option<u64> {
        let start = bucket_of(self.cursor);
        // The start's word comes twice: first its upper part, at the end its lower part.
        let words = self.occupied.len();
        let found = (0..=words).find_map(|step| {
            let word = (start / 64 + step) % words;
            let mask = match step {
                0 => u64::MAX << (start % 64),
                last if last == words => !(u64::MAX << (start % 64)),
                _ => u64::MAX,
            };
            let bits = self.occupied[word] & mask;
            (bits != 0).then(|| word * 64 + bits.trailing_zeros() as usize)
        })?;
        Some(self.cursor + ((found + BUCKETS - start) % BUCKETS) as u64)
    }
}

impl std::fmt::Debug for Wheel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wheel").field("linked", &self.linked).finish_non_exhaustive()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the remainder is below BUCKETS")]
const fn bucket_of(tick: u64) -> usize {
    (tick % BUCKETS as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ms(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn slots_come_due_in_order_and_never_early() {
        let mut wheel = Wheel::new();
        let start = ms(77_777);
        // Slot, ms after the start; the last ones lie beyond the wheel's span.
        let rows = [(0, 1_000), (1, 15), (2, 15), (3, 4_000), (4, 9_000), (5, 255_000)];
        let due = |slot: usize| start + Duration::from_millis(rows[slot].1);
        for (slot, _) in rows {
            wheel.schedule(slot, due(slot), start);
        }
        let mut fired = Vec::new();
        while let Some(at) = wheel.next_deadline() {
            while let Some(slot) = wheel.pop_due(at) {
                if at < due(slot) {
                    assert!(start + Duration::from_secs(5) < due(slot), "slot {slot} early");
                    wheel.schedule(slot, due(slot), at);
                    continue;
                }
                assert!(at.saturating_since(due(slot)) <= Duration::from_millis(10));
                fired.push(slot);
            }
        }
        assert_eq!(fired[2..], [0, 3, 4, 5]);
        assert_eq!(wheel.linked, 0);
    }

    #[test]
    fn only_an_earlier_deadline_moves_a_slot() {
        let mut wheel = Wheel::new();
        wheel.schedule(7, ms(500), ms(0));
        wheel.schedule(7, ms(900), ms(0));
        assert_eq!(wheel.next_deadline(), Some(ms(500)));
        wheel.schedule(7, ms(100), ms(0));
        assert_eq!(wheel.next_deadline(), Some(ms(100)));
        wheel.cancel(7);
        wheel.cancel(7);
        assert_eq!(wheel.next_deadline(), None);
    }
}
