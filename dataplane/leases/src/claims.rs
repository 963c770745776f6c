//! Who has which address, over all shards, without a lock.
//!
//! One word an address says which shard has it, in which state, and for which card. A shard takes
//! an address by one compare-and-swap on what it saw, so no address ever has two holders; and
//! whoever wants to know which card holds an address reads one word, from any thread. What is free
//! may be taken by any shard; what is bound is let go by its own shard alone.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ironherd_snapshot::Mac;

use crate::record::State;

/// The claims of one rack. A clone is the same claims.
#[derive(Clone)]
pub struct Claims(Arc<Shared>);

struct Shared {
    top: Node<Node<Node<Page>>>, // By the bytes of the address; made where one is claimed.
    sequence: AtomicU64,         // Number of the last record in any shard's journal.
}

struct Node<T>([OnceLock<Box<T>>; 256]);
struct Page([AtomicU64; 256]);

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; 256])
    }
}

impl<T: Default> Node<T> {
    fn get(&self, byte: u8) -> Option<&T> {
        self.0[usize::from(byte)].get().map(|it| &**it)
    }

    fn made(&self, byte: u8) -> &T {
        self.0[usize::from(byte)].get_or_init(Box::default)
    }
}

impl Default for Page {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; 256])
    }
}

/// What one word says: shard + 1 (8 bits), state (8), card (48). Zero: nobody ever had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim(u64);

impl Claim {
    pub(crate) const NOBODY: Self = Self(0);

    pub(crate) fn new(shard: u32, state: State, mac: Mac) -> Self {
        let [a, b, c, d, e, f] = mac.0;
        let mac = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Self(u64::from(shard + 1) << 56 | (state as u64) << 48 | mac)
    }

    pub(crate) fn is_of(self, shard: u32) -> bool {
        self.0 >> 56 == u64::from(shard + 1)
    }

    pub(crate) fn state(self) -> State {
        let [_, state, ..] = self.0.to_be_bytes();
        match state {
            1 => State::Offered,
            2 => State::Bound,
            3 => State::Quarantined,
            _ => State::Free,
        }
    }

    pub(crate) fn mac(self) -> Mac {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        Mac([a, b, c, d, e, f])
    }
}

/// Addresses by what they are used for at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub bound: u64,
    pub offered: u64,
    pub quarantined: u64,
}

impl Usage {
    fn count(&mut self, state: State) {
        match state {
            State::Free => {}
            State::Offered => self.offered += 1,
            State::Bound => self.bound += 1,
            State::Quarantined => self.quarantined += 1,
        }
    }
}

impl Claims {
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared { top: Node::default(), sequence: AtomicU64::new(0) }))
    }

    /// The card that holds an address by a lease that runs. An offer binds nobody yet, and a free
    /// or quarantined address only remembers who had it.
    #[must_use]
    pub fn bound_to(&self, address: Ipv4Addr) -> Option<Mac> {
        let claim = self.get(address.to_bits());
        (claim.state() == State::Bound).then(|| claim.mac())
    }

    /// What is in use of the addresses from `first` to `last`, both included. Looks at the parts
    /// alone in which anything ever was.
    #[must_use]
    pub fn usage(&self, first: Ipv4Addr, last: Ipv4Addr) -> Usage {
        let (first, last) = (first.to_bits(), last.to_bits());
        let mut usage = Usage::default();
        let mut page = first >> 8;
        while page <= last >> 8 {
            let [_, a, b, c] = page.to_be_bytes();
            let (top, middle) = (self.0.top.get(a), self.0.top.get(a).and_then(|it| it.get(b)));
            if let Some(words) = middle.and_then(|it| it.get(c)) {
                for (low, word) in (0..).zip(&words.0) {
                    if (first..=last).contains(&(page << 8 | low)) {
                        usage.count(Claim(word.load(Ordering::Relaxed)).state());
                    }
                }
            }
            // Where a whole branch is missing the next one comes next.
            page = match (top, middle) {
                (None, _) => (page | 0xffff) + 1,
                (_, None) => (page | 0xff) + 1,
                _ => page + 1,
            };
        }
        usage
    }

    pub(crate) fn get(&self, address: u32) -> Claim {
        let [a, b, c, d] = address.to_be_bytes();
        let page = self.0.top.get(a).and_then(|it| it.get(b)).and_then(|it| it.get(c));
        page.map_or(Claim::NOBODY, |it| Claim(it.0[usize::from(d)].load(Ordering::Acquire)))
    }

    /// Takes or changes a claim, unless someone changed it since it was seen.
    pub(crate) fn swap(&self, address: u32, seen: Claim, new: Claim) -> bool {
        let [a, b, c, d] = address.to_be_bytes();
        let word = &self.0.top.made(a).made(b).made(c).0[usize::from(d)];
        word.compare_exchange(seen.0, new.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Numbers a journal record: rising over all shards, so that of two records about one address
    /// in two journals the later is known.
    pub(crate) fn next_number(&self) -> u64 {
        self.0.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn last_number(&self) -> u64 {
        self.0.sequence.load(Ordering::Relaxed)
    }

    pub(crate) fn start_after(&self, number: u64) {
        self.0.sequence.fetch_max(number, Ordering::Relaxed);
    }
}

impl Default for Claims {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("last_number", &self.last_number()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_says_what_was_put_in() {
        let mac = Mac([0xfe, 1, 2, 3, 4, 0xff]);
        for state in [State::Free, State::Offered, State::Bound, State::Quarantined] {
            let claim = Claim::new(15, state, mac);
            assert_eq!((claim.state(), claim.mac()), (state, mac));
            assert!(claim.is_of(15) && !claim.is_of(0));
        }
        assert!((0..16).all(|shard| !Claim::NOBODY.is_of(shard)));
    }

    #[test]
    fn of_all_who_want_an_address_one_gets_it() {
        let claims = Claims::new();
        let wins = std::thread::scope(|scope| {
            let shard = |index: u32| {
                let claims = claims.clone();
                let mac = Mac([2, 0, 0, 0, 0, 1]);
                scope.spawn(move || {
                    let claim = Claim::new(index, State::Bound, mac);
                    let mine = |it: &u32| claims.swap(*it, Claim::NOBODY, claim);
                    (0x0a00_0000..0x0a00_1000).filter(mine).count()
                })
            };
            let threads: Vec<_> = (0..4).map(shard).collect();
            threads.into_iter().map(|it| it.join().unwrap()).sum::<usize>()
        });
        assert_eq!(wins, 0x1000);
        assert_eq!(claims.bound_to([10, 0, 0, 9].into()), Some(Mac([2, 0, 0, 0, 0, 1])));
        assert_eq!(claims.bound_to([10, 1, 0, 9].into()), None);
    }
    #[test]
    fn usage_counts_what_lies_between_two_addresses() {
        let claims = Claims::new();
        let address = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        let rows = [
            ("10.0.0.9", State::Bound),
            ("10.0.0.10", State::Bound),
            ("10.0.1.0", State::Offered),
            ("10.3.0.255", State::Quarantined),
            ("10.3.1.0", State::Free),
            ("11.0.0.0", State::Bound),
        ];
        for (at, state) in rows {
            let claim = Claim::new(0, state, Mac([2, 0, 0, 0, 0, 1]));
            assert!(claims.swap(address(at).to_bits(), Claim::NOBODY, claim));
        }
        let of = |first, last| claims.usage(address(first), address(last));
        let usage = |bound, offered, quarantined| Usage { bound, offered, quarantined };
        assert_eq!(of("10.0.0.0", "10.255.255.255"), usage(2, 1, 1));
        assert_eq!(of("10.0.0.10", "10.0.1.0"), usage(1, 1, 0));
        assert_eq!(of("10.3.0.255", "11.0.0.0"), usage(1, 0, 1));
        assert_eq!(of("0.0.0.0", "255.255.255.255"), usage(3, 1, 1));
        assert_eq!(of("12.0.0.0", "12.0.0.5"), Usage::default());
    }
}
