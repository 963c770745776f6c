use std::ops::Range;

use ironherd_snapshot::{ClassSet, Index, Mac, Subnet};

use crate::record::NO_SLOT;

/// The addresses that one subnet hands out to clients without a reservation: to the members of one
/// class, or to everyone.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    shape: Shape,
    /// Every address of our slice before it (counted through the ranges) was claimed or skipped.
    pub(crate) cursor: u32,
    /// The same for the slices of the other shards.
    pub(crate) beyond: u32,
    /// Where the search for what other shards have free goes on.
    pub(crate) search: u32,
    /// Whether the cursor passed a blocked address, which may since have become free to use.
    pub(crate) skipped: bool,
    pub(crate) oldest: u32, // Ends of the free list.
    pub(crate) newest: u32,
}

/// What makes two pools the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    class: Option<usize>, // Place of the class whose members alone are served from here.
    ranges: Vec<(u32, u32)>, // Sorted, apart, inside the subnet's host addresses.
    len: u32,
}

impl Shape {
    /// The pools of one subnet, those of classes first: members leave the rest to the others.
    fn all_of(index: &Index, subnet: &Subnet) -> Vec<Self> {
        // Nobody is a member of a class that does not exist.
        let place = |id: &String| index.class(id).map_or(usize::MAX, |(at, _)| at);
        let mut classes: Vec<_> =
            subnet.ranges.iter().filter_map(|it| it.class.as_ref()).map(place).collect();
        classes.sort_unstable();
        classes.dedup();
        let classes = classes.into_iter().map(Some).chain([None]);
        let of_class =
            |range: &&ironherd_snapshot::Range, class| range.class.as_ref().map(place) == class;
        let shape = |class| Self::of(subnet, class, |range| of_class(&range, class));
        classes.map(shape).collect()
    }

    fn of(
        subnet: &Subnet,
        class: Option<usize>,
        is_in: impl Fn(&ironherd_snapshot::Range) -> bool,
    ) -> Self {
        let (network, broadcast) = (subnet.cidr.network(), subnet.cidr.broadcast());
        let (mut low, mut high) = (network.to_bits(), broadcast.to_bits());
        // A network of two addresses or one has no reserved ends (RFC 3021).
        if subnet.cidr.prefix_len() < 31 {
            (low, high) = (low + 1, high - 1);
        }
        let clipped = |range: &ironherd_snapshot::Range| {
            let (first, last) = (range.first.to_bits().max(low), range.last.to_bits().min(high));
            (first <= last).then_some((first, last))
        };
        let mut sorted: Vec<_> =
            subnet.ranges.iter().filter(|it| is_in(it)).filter_map(clipped).collect();
        sorted.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match ranges.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        let len = ranges.iter().map(|(first, last)| last - first + 1).sum();
        Self { class, ranges, len }
    }
}

impl Pool {
    fn new(shape: Shape) -> Self {
        Self {
            shape,
            cursor: 0,
            beyond: 0,
            search: 0,
            skipped: false,
            oldest: NO_SLOT,
            newest: NO_SLOT,
        }
    }

    pub(crate) fn serves(&self, classes: &ClassSet) -> bool {
        self.shape.class.is_none_or(|it| classes.contains(it))
    }

    pub(crate) fn contains(&self, address: u32) -> bool {
        self.shape.ranges.iter().any(|(first, last)| (*first..=*last).contains(&address))
    }

    pub(crate) fn len(&self) -> u32 {
        self.shape.len
    }

    /// The address at one place, counted through the ranges.
    pub(crate) fn nth(&self, place: u32) -> Option<u32> {
        let mut place = place;
        for (first, last) in &self.shape.ranges {
            let len = last - first + 1;
            if place < len {
                return Some(first + place);
            }
            place -= len;
        }
        None
    }

    /// The address a card gets while nothing speaks against it: the same each time, so that a
    /// table that was lost comes back alike.
    pub(crate) fn preferred(&self, mac: Mac) -> Option<u32> {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325; // FNV-1a
        const PRIME: u64 = 0x0100_0000_01b3;
        let hash =
            mac.0.iter().fold(OFFSET, |hash, it| (hash ^ u64::from(*it)).wrapping_mul(PRIME));
        let mixed = hash ^ (hash >> 32);
        let place = mixed.checked_rem(u64::from(self.shape.len))?;
        self.nth(u32::try_from(place).ok()?)
    }
}

/// The pools of one snapshot generation, in the order of its subnets.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    pub(crate) all: Vec<Pool>,
    by_subnet: Vec<Range<usize>>,
    by_range: Vec<(u32, u32, u32)>, // First, last, pool; sorted.
    generation: Option<u64>,
}

impl Pools {
    /// Takes over a snapshot's ranges. `true`: they changed, so every free list starts empty.
    pub(crate) fn follow(&mut self, index: &Index) -> bool {
        let snapshot = index.snapshot();
        if self.generation == Some(snapshot.generation) {
            return false;
        }
        self.generation = Some(snapshot.generation);
        for pool in self.all.iter_mut().filter(|it| it.skipped) {
            // A reservation may be gone: look once more at what was skipped because of it.
            (pool.cursor, pool.beyond, pool.skipped) = (0, 0, false);
        }
        let mut shapes = Vec::with_capacity(snapshot.subnets.len());
        self.by_subnet.clear();
        for subnet in &snapshot.subnets {
            let first = shapes.len();
            shapes.extend(Shape::all_of(index, subnet));
            self.by_subnet.push(first..shapes.len());
        }
        if shapes.iter().eq(self.all.iter().map(|it| &it.shape)) {
            return false;
        }
        self.by_range.clear();
        for (at, shape) in (0..).zip(&shapes) {
            self.by_range.extend(shape.ranges.iter().map(|(first, last)| (*first, *last, at)));
        }
        self.by_range.sort_unstable();
        self.all = shapes.into_iter().map(Pool::new).collect();
        true
    }

    /// Whether no snapshot was taken over yet.
    pub(crate) fn is_unset(&self) -> bool {
        self.generation.is_none()
    }

    /// The places of one subnet's pools.
    pub(crate) fn of_subnet(&self, subnet: usize) -> Range<usize> {
        self.by_subnet.get(subnet).cloned().unwrap_or_default()
    }

    /// The pool whose ranges hold `address`.
    pub(crate) fn at(&self, address: u32) -> Option<u32> {
        let after = self.by_range.partition_point(|(first, ..)| *first <= address);
        let (_, last, pool) = self.by_range.get(after.checked_sub(1)?)?;
        (address <= *last).then_some(*pool)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn shape(cidr: &str, ranges: &[(u8, u8)]) -> Shape {
        let address = |last| Ipv4Addr::new(10, 0, 0, last);
        let range = |it: &(u8, u8)| ironherd_snapshot::Range::new(address(it.0), address(it.1));
        let subnet = Subnet {
            id: String::new(),
            cidr: cidr.parse().unwrap(),
            gateway: None,
            dns_servers: Vec::new(),
            ntp_servers: Vec::new(),
            domain: None,
            mtu: None,
            lease_seconds: 600,
            ranges: ranges.iter().map(range).collect(),
            reservations: Vec::new(),
            ..Subnet::default()
        };
        Shape::of(&subnet, None, |_| true)
    }

    #[test]
    fn ranges_are_sorted_merged_and_kept_inside_the_subnet() {
        type Ranges = &'static [(u8, u8)];
        let rows: [(&str, Ranges, Ranges); 6] = [
            ("10.0.0.0/24", &[(20, 30), (10, 12)], &[(10, 12), (20, 30)]),
            ("10.0.0.0/24", &[(10, 20), (15, 30), (30, 30)], &[(10, 30)]),
            ("10.0.0.0/24", &[(0, 255)], &[(1, 254)]),
            ("10.0.0.0/28", &[(10, 20), (40, 50)], &[(10, 14)]),
            ("10.0.0.0/31", &[(0, 255)], &[(0, 1)]),
            ("10.0.0.0/24", &[(9, 3)], &[]),
        ];
        for (cidr, ranges, want) in rows {
            let base = 0x0a00_0000;
            let want: Vec<_> =
                want.iter().map(|it| (base + u32::from(it.0), base + u32::from(it.1))).collect();
            let pool = Pool::new(shape(cidr, ranges));
            assert_eq!(pool.shape.ranges, want, "{cidr} {ranges:?}");
            let counted: Vec<_> = (0..pool.shape.len).filter_map(|it| pool.nth(it)).collect();
            let listed: Vec<_> = want.iter().flat_map(|it| it.0..=it.1).collect();
            assert_eq!(counted, listed);
            assert_eq!(pool.nth(pool.shape.len), None);
            assert_eq!(pool.preferred(Mac([1; 6])).is_some(), !want.is_empty());
        }
    }
}
