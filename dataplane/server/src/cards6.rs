//! Which card holds which IPv6 address: written by the DHCPv6 thread, read by every shard.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::Ipv6Addr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ironherd_snapshot::Mac;

type Bucket = Arc<Vec<(Ipv6Addr, Mac)>>;

/// A table whose readers never wait: each bucket is replaced whole by its one writer.
pub(crate) struct Cards6 {
    buckets: Vec<ArcSwap<Vec<(Ipv6Addr, Mac)>>>,
}

/// With a hundred thousand leases a bucket holds about fifty.
const BUCKETS: usize = 2048;

impl Default for Cards6 {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| ArcSwap::from_pointee(Vec::new())).collect() }
    }
}

impl std::fmt::Debug for Cards6 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cards6").finish_non_exhaustive()
    }
}

impl Cards6 {
    pub(crate) fn card_of(&self, address: Ipv6Addr) -> Option<Mac> {
        let bucket: Bucket = self.bucket(address)?.load_full();
        bucket.iter().find(|it| it.0 == address).map(|it| it.1)
    }

    /// Notes who holds an address; `None`: nobody does, or nobody knows which card.
    pub(crate) fn set(&self, address: Ipv6Addr, mac: Option<Mac>) {
        let Some(bucket) = self.bucket(address) else { return };
        let before: Bucket = bucket.load_full();
        if before.iter().find(|it| it.0 == address).map(|it| it.1) == mac {
            return;
        }
        let mut after: Vec<_> = before.iter().copied().filter(|it| it.0 != address).collect();
        after.extend(mac.map(|it| (address, it)));
        bucket.store(Arc::new(after));
    }

    fn bucket(&self, address: Ipv6Addr) -> Option<&ArcSwap<Vec<(Ipv6Addr, Mac)>>> {
        let mut hasher = DefaultHasher::new();
        address.hash(&mut hasher);
        let place = hasher.finish() % BUCKETS as u64;
        self.buckets.get(usize::try_from(place).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_card_that_was_set_last() {
        let cards = Cards6::default();
        let address = |last: u16| Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, last);
        let mac = |last| Mac([2, 0, 0, 0, 0, last]);
        for last in 0..5000 {
            cards.set(address(last), Some(mac(1)));
        }
        cards.set(address(7), Some(mac(2)));
        cards.set(address(8), None);
        let rows = [(6, Some(mac(1))), (7, Some(mac(2))), (8, None), (5000, None)];
        for (last, want) in rows {
            assert_eq!(cards.card_of(address(last)), want, "{last}");
        }
    }
}
