use ironherd_snapshot::Mac;

/// Which shard of how many: its clients, and the part of each range that it looks at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub index: u32,
    pub count: u32,
}

/// Neighbouring addresses of a range that belong to one shard's part: a claim page holds four.
const CHUNK: u32 = 64;

impl Slice {
    pub const WHOLE: Self = Self { index: 0, count: 1 };
    /// A claim names its shard in one byte.
    pub const COUNT_MAX: u32 = 16;

    /// Whether a client is this shard's. The sockets' filters say the same in the kernel: the last
    /// four bytes of the hardware address, modulo the number of shards.
    #[must_use]
    pub fn holds(self, mac: Mac) -> bool {
        let [_, _, a, b, c, d] = mac.0;
        u32::from_be_bytes([a, b, c, d]) % self.count.max(1) == self.index
    }

    /// The first place of a range, from `place` on, that lies inside this shard's part (or, with
    /// `inside` false, outside of it).
    pub(crate) fn skip_to(self, inside: bool, place: u32) -> u32 {
        let mut place = place;
        while (place / CHUNK % self.count.max(1) == self.index) != inside {
            // Past the last place there is no range either: the caller finds nothing there.
            match (place / CHUNK + 1).checked_mul(CHUNK) {
                Some(next) if 1 < self.count => place = next,
                _ => return u32::MAX,
            }
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_all_shards_are_the_whole() {
        for count in [1, 2, 3, 16] {
            let mut owners = vec![0; 4096];
            for index in 0..count {
                let slice = Slice { index, count };
                for (inside, gain) in [(true, 1), (false, 100)] {
                    let mut place = slice.skip_to(inside, 0);
                    while let Some(owned) = owners.get_mut(place as usize) {
                        *owned += gain;
                        place = slice.skip_to(inside, place + 1);
                    }
                }
            }
            let want = 1 + 100 * (count - 1);
            assert!(owners.iter().all(|it| *it == want), "{count} shards");
            for last in 0..=255 {
                let mac = Mac([2, 0, 0, 7, 9, last]);
                let holders = (0..count).filter(|index| Slice { index: *index, count }.holds(mac));
                assert_eq!(holders.count(), 1, "{count} shards, {mac}");
            }
        }
    }
}
