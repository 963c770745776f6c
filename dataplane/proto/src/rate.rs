//! How much one card, and one relay, may ask.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

use crate::Instant;

/// Packets a second that are answered, with bursts of [`BURST_SECONDS`] seconds' worth. Zero: no
/// limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate(pub u32);

/// A boot sends its packets within seconds, and then none for hours; a hall behind one relay
/// powers on at once.
const BURST_SECONDS: u32 = 8;
/// Places for relays, and for clients: enough that those of one storm seldom share one.
pub(crate) const RELAYS: usize = 1 << 10;
pub(crate) const CLIENTS: usize = 1 << 14;

/// Until when somebody's allowance is used up already.
///
/// The generic cell rate algorithm: each packet takes its interval from a balance that is given
/// back as time goes by. One instant says it all, and nothing ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used(Instant);

impl Used {
    /// Takes one packet into account; `false` if it is one too many, which costs nothing.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> bool {
        if rate.0 == 0 {
            return true;
        }
        let until = self.0.max(now) + Duration::from_secs(1) / rate.0;
        if Duration::from_secs(BURST_SECONDS.into()) < until.saturating_since(now) {
            return false;
        }
        self.0 = until;
        true
    }
}

/// What each of many has used. Two that share a place are both let through: forgetting one gives it
/// a new allowance, and nobody pays for another.
#[derive(Debug)]
pub(crate) struct Allowances<K> {
    places: Vec<Option<(K, Used)>>,
}

impl<K: Copy + Eq + Hash> Allowances<K> {
    pub(crate) fn new(places: usize) -> Self {
        Self { places: vec![None; places] }
    }

    /// Takes one packet of somebody into account; `false` if it is one too many.
    pub(crate) fn take(&mut self, who: K, rate: Rate, now: Instant) -> bool {
        if rate.0 == 0 {
            return true;
        }
        // Fixed keys: who aims at another's place only gives that one a new allowance.
        let mut hasher = DefaultHasher::new();
        who.hash(&mut hasher);
        let count = u64::try_from(self.places.len()).unwrap_or(u64::MAX);
        let at = hasher.finish().checked_rem(count).and_then(|it| usize::try_from(it).ok());
        let Some(place) = at.and_then(|it| self.places.get_mut(it)) else { return true };
        let mut used = place.filter(|it| it.0 == who).map(|it| it.1).unwrap_or_default();
        let may = used.take(rate, now);
        *place = Some((who, used));
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(1) + Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let (rate, mut used) = (Rate(4), Used::default());
        let passed = |used: &mut Used, now, of| (0..of).filter(|_| used.take(rate, now)).count();
        assert_eq!(passed(&mut used, at(0), 100), 32, "eight seconds' worth");
        assert_eq!(passed(&mut used, at(249), 100), 0);
        assert_eq!(passed(&mut used, at(250), 100), 1);
        assert_eq!(passed(&mut used, at(1250), 100), 4, "what was refused cost nothing");
        assert_eq!(passed(&mut used, at(600_000), 100), 32, "and no more after a long silence");
    }

    #[test]
    fn in_the_long_run_no_more_than_the_rate_passes() {
        for rate in [1, 3, 8, 1000] {
            let mut used = Used::default();
            let seconds = 100;
            let passed = (0..seconds * 2000).filter(|it| {
                used.take(Rate(rate), Instant::from_nanos(1) + Duration::from_micros(it * 500))
            });
            let most = u64::from(rate) * (seconds + u64::from(BURST_SECONDS)) + 1;
            let count = u64::try_from(passed.count()).unwrap();
            assert!(u64::from(rate) * seconds <= count && count <= most, "{rate}: {count}");
        }
    }

    #[test]
    fn each_has_an_allowance_of_its_own() {
        let mut all = Allowances::new(RELAYS);
        let mut passed = |who: u32, rate| (0..50).filter(|_| all.take(who, rate, at(0))).count();
        assert_eq!(passed(1, Rate(1)), 8);
        assert_eq!(passed(2, Rate(1)), 8);
        assert_eq!(passed(1, Rate(1)), 0);
        assert_eq!(passed(1, Rate(0)), 50, "no limit");
        let mut shared = Allowances::new(1);
        let mut passed = |who: u32| (0..50).filter(|_| shared.take(who, Rate(1), at(0))).count();
        assert_eq!([passed(1), passed(2), passed(1)], [8, 8, 8], "a place for two");
        assert!(Allowances::new(0).take(1, Rate(1), at(0)));
    }
}
