use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use ironherd_snapshot::{Shared, Snapshot, Subnet6};

use super::record::{Association, Block, Kind};

/// Blocks of one size, in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u128,
    count: u128,
    len: u8,
}

impl Span {
    fn shift(self) -> u32 {
        128 - u32::from(self.len.min(128))
    }

    fn nth(self, place: u128) -> Block {
        // A prefix of length 0 has no second neighbour to step to.
        let offset = place.checked_shl(self.shift()).unwrap_or(0);
        Block { address: self.first.wrapping_add(offset).into(), len: self.len }
    }

    fn place(self, block: Block) -> Option<u128> {
        let offset = block.address.to_bits().checked_sub(self.first)?;
        let place = offset.checked_shr(self.shift()).unwrap_or(0);
        (block.len == self.len && place < self.count && self.nth(place) == block).then_some(place)
    }
}

/// What one subnet hands out of one kind to clients without a reservation.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    spans: Vec<Span>,
    total: u128,
    /// Every block before it (counted through the spans) has a record or was skipped.
    pub(crate) cursor: u128,
    /// Whether the cursor passed a blocked one, which may since have become free to use.
    pub(crate) skipped: bool,
    /// Slots that became free, about in that order; one may have been taken again meanwhile.
    pub(crate) free: VecDeque<u32>,
}

impl Pool {
    fn new(spans: Vec<Span>) -> Self {
        let total = spans.iter().fold(0_u128, |sum, it| sum.saturating_add(it.count));
        Self { spans, total, cursor: 0, skipped: false, free: VecDeque::new() }
    }

    pub(crate) fn contains(&self, block: Block) -> bool {
        self.spans.iter().any(|it| it.place(block).is_some())
    }

    /// The block at one place, counted through the spans.
    pub(crate) fn nth(&self, place: u128) -> Option<Block> {
        let mut place = place;
        for span in &self.spans {
            if place < span.count {
                return Some(span.nth(place));
            }
            place -= span.count;
        }
        None
    }

    /// Looks at a block once more that has no record any longer.
    pub(crate) fn come_back_to(&mut self, block: Block) {
        let mut before = 0_u128;
        for span in &self.spans {
            if let Some(place) = span.place(block) {
                self.cursor = self.cursor.min(before.saturating_add(place));
            }
            before = before.saturating_add(span.count);
        }
    }

    /// The blocks an association gets while nothing speaks against it: the same each time, so that
    /// a table that was lost comes back alike. `attempt` counts from 0.
    pub(crate) fn preferred(&self, holder: &Association, attempt: u8) -> Option<Block> {
        // Fixed keys: clients choose their DUID, but the worst they reach is a second attempt.
        let mut hasher = DefaultHasher::new();
        (holder, attempt).hash(&mut hasher);
        let high = u128::from(hasher.finish());
        attempt.hash(&mut hasher);
        let place = (high << 64 | u128::from(hasher.finish())).checked_rem(self.total)?;
        self.nth(place)
    }
}

fn address_spans(subnet: &Subnet6) -> Vec<Span> {
    let (low, high) = (subnet.cidr.network().to_bits(), subnet.cidr.broadcast().to_bits());
    // The first address is every router's (RFC 4291 §2.6.1), except in networks of one or two.
    let low = if subnet.cidr.prefix_len() < 127 { low + 1 } else { low };
    let clipped = |range: &ironherd_snapshot::Range6| {
        let (first, last) = (range.first.to_bits().max(low), range.last.to_bits().min(high));
        (first <= last).then_some((first, last))
    };
    let mut sorted: Vec<_> = subnet.ranges.iter().filter_map(clipped).collect();
    sorted.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::with_capacity(sorted.len());
    for (first, last) in sorted {
        match merged.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    let span = |(first, last): (u128, u128)| Span {
        first,
        count: (last - first).saturating_add(1),
        len: 128,
    };
    merged.into_iter().map(span).collect()
}

fn prefix_spans(subnet: &Subnet6) -> Vec<Span> {
    let span = |pool: &ironherd_snapshot::PrefixPool| {
        let more = pool.delegated_len.min(128).checked_sub(pool.prefix.prefix_len())?;
        let first = pool.prefix.network().to_bits();
        let count = 1_u128.checked_shl(more.into()).unwrap_or(u128::MAX);
        Some(Span { first, count, len: pool.delegated_len.min(128) })
    };
    subnet.prefix_pools.iter().filter_map(span).collect()
}

/// The pools of one snapshot generation: for each subnet in its order, one of each kind.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    all: Vec<[Pool; 2]>,
    generation: Option<u64>,
}

impl Pools {
    /// Takes over a snapshot's ranges. `true`: they changed, so every free list starts empty.
    pub(crate) fn follow(&mut self, snapshot: &Snapshot) -> bool {
        if self.generation == Some(snapshot.generation) {
            return false;
        }
        self.generation = Some(snapshot.generation);
        self.look_again(); // A reservation may be gone.
        let spans = |subnet: &Shared<Subnet6>| [address_spans(subnet), prefix_spans(subnet)];
        let wanted: Vec<_> = snapshot.subnets6.iter().map(spans).collect();
        let same = |(wanted, pools): (&[Vec<Span>; 2], &[Pool; 2])| {
            wanted.iter().eq(pools.iter().map(|it| &it.spans))
        };
        if wanted.len() == self.all.len() && wanted.iter().zip(&self.all).all(same) {
            return false;
        }
        self.all = wanted.into_iter().map(|it| it.map(Pool::new)).collect();
        true
    }

    pub(crate) fn of(&self, subnet: usize, kind: Kind) -> Option<&Pool> {
        self.all.get(subnet).map(|it| &it[kind as usize])
    }

    pub(crate) fn of_mut(&mut self, subnet: usize, kind: Kind) -> Option<&mut Pool> {
        self.all.get_mut(subnet).map(|it| &mut it[kind as usize])
    }

    /// Looks once more at what was skipped for a reason that may be gone.
    pub(crate) fn look_again(&mut self) {
        for pool in self.iter_mut().filter(|it| it.skipped) {
            (pool.cursor, pool.skipped) = (0, false);
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pool> {
        self.all.iter_mut().flatten()
    }

    /// Whether no snapshot was taken over yet.
    pub(crate) fn is_unset(&self) -> bool {
        self.generation.is_none()
    }

    pub(crate) fn has(&self, block: Block, kind: Kind) -> bool {
        self.all.iter().any(|it| it[kind as usize].contains(block))
    }

    /// The pool that a block belongs to.
    pub(crate) fn at_mut(&mut self, block: Block, kind: Kind) -> Option<&mut Pool> {
        let mut pools = self.all.iter_mut().map(|it| &mut it[kind as usize]);
        pools.find(|it| it.contains(block))
    }
}

#[cfg(test)]
mod tests {
    use ironherd_snapshot::{PrefixPool, Range6};

    use super::*;

    fn subnet(cidr: &str, ranges: &[(&str, &str)], pools: &[(&str, u8)]) -> Subnet6 {
        let address = |text: &str| text.parse().unwrap();
        let range = |it: &(&str, &str)| Range6 { first: address(it.0), last: address(it.1) };
        let pool =
            |it: &(&str, u8)| PrefixPool { prefix: it.0.parse().unwrap(), delegated_len: it.1 };
        Subnet6 {
            cidr: cidr.parse().unwrap(),
            ranges: ranges.iter().map(range).collect(),
            prefix_pools: pools.iter().map(pool).collect(),
            ..Subnet6::default()
        }
    }

    fn listed(pool: &Pool) -> Vec<String> {
        (0..pool.total.min(8)).map(|it| pool.nth(it).unwrap().to_string()).collect()
    }

    #[test]
    fn addresses_are_counted_through_merged_ranges_inside_the_subnet() {
        type Ranges = &'static [(&'static str, &'static str)];
        let rows: [(&str, Ranges, &[&str]); 5] = [
            (
                "fd00::/64",
                &[("fd00::9", "fd00::a"), ("fd00::1", "fd00::2")],
                &["fd00::1", "fd00::2", "fd00::9", "fd00::a"],
            ),
            ("fd00::/64", &[("fd00::", "fd00::1")], &["fd00::1"]),
            ("fd00::/127", &[("fd00::", "fd00::9")], &["fd00::", "fd00::1"]),
            ("fd00::/64", &[("fd01::", "fd01::9")], &[]),
            (
                "fd00::/64",
                &[("fd00::2", "fd00::3"), ("fd00::3", "fd00::4")],
                &["fd00::2", "fd00::3", "fd00::4"],
            ),
        ];
        for (cidr, ranges, want) in rows {
            let pool = Pool::new(address_spans(&subnet(cidr, ranges, &[])));
            assert_eq!(listed(&pool), want, "{cidr} {ranges:?}");
            for place in 0..pool.total {
                assert!(pool.contains(pool.nth(place).unwrap()));
            }
            assert_eq!(pool.nth(pool.total), None);
        }
    }

    #[test]
    fn prefixes_stand_side_by_side_in_their_pool() {
        let pools = [("fd10::/62", 64), ("fd20::/56", 56)];
        let pool = Pool::new(prefix_spans(&subnet("fd00::/64", &[], &pools)));
        let want =
            ["fd10::/64", "fd10:0:0:1::/64", "fd10:0:0:2::/64", "fd10:0:0:3::/64", "fd20::/56"];
        assert_eq!(listed(&pool), want);
        let block = |text: &str, len| Block { address: text.parse().unwrap(), len };
        assert!(!pool.contains(block("fd10::", 63)));
        assert!(!pool.contains(block("fd10::1", 64)), "host bits");
        assert!(!pool.contains(block("fd10:0:0:4::", 64)));
        // The whole space, as odd as it is, neither panics nor loops.
        let odd = Pool::new(prefix_spans(&subnet("fd00::/64", &[], &[("::/0", 128), ("::/0", 0)])));
        assert!(odd.nth(u128::MAX - 1).is_some());
        assert!(odd.contains(block("::", 0)));
    }
}
