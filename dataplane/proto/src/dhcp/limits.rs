//! How much one card, and one relay, may ask.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::Instant;

/// Packets a second that are answered, with bursts of [`BURST_SECONDS`] seconds' worth. Zero: no
/// limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate(pub u32);

/// A boot sends its packets within seconds, and then none for hours; a hall behind one relay
/// powers on at once.
const BURST_SECONDS: u32 = 8;
/// Places for relays; two that share one are both let through.
const RELAYS: usize = 1 << 10;

/// Until when somebody's allowance is used up already.
///
/// The generic cell rate algorithm: each packet takes its interval from a balance that is given
/// back as time goes by. One instant says it all, and nothing ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used(Instant);

impl Used {
    /// Takes one packet into account; `false` if it is one too many, which costs nothing.
    pub(super) fn take(&mut self, rate: Rate, now: Instant) -> bool {
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

/// What each relay has used.
#[derive(Debug)]
pub(super) struct Relays {
    places: Vec<(Ipv4Addr, Used)>,
}

impl Relays {
    pub(super) fn new() -> Self {
        Self { places: vec![(Ipv4Addr::UNSPECIFIED, Used::default()); RELAYS] }
    }

    /// Takes one packet of a relay into account; `false` if it is one too many.
    pub(super) fn take(&mut self, relay: Ipv4Addr, rate: Rate, now: Instant) -> bool {
        if rate.0 == 0 || relay.is_unspecified() {
            return true;
        }
        let [a, b, c, d] = relay.octets().map(usize::from);
        let (who, used) = &mut self.places[(d ^ c << 2 ^ b << 4 ^ a << 6) % RELAYS];
        if *who != relay {
            // Forgetting one gives it a new allowance: nobody pays for another.
            (*who, *used) = (relay, Used::default());
        }
        used.take(rate, now)
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
    fn relays_have_allowances_of_their_own_and_none_is_without_limit() {
        let mut relays = Relays::new();
        let (one, other) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let mut passed = |relay, rate| (0..50).filter(|_| relays.take(relay, rate, at(0))).count();
        assert_eq!(passed(one, Rate(1)), 8);
        assert_eq!(passed(other, Rate(1)), 8);
        assert_eq!(passed(one, Rate(0)), 50);
        assert_eq!(passed(Ipv4Addr::UNSPECIFIED, Rate(1)), 50, "no relay");
    }
}
