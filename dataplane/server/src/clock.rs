use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ironherd_proto::{Instant, Now, UnixSeconds};

/// The one place where the data plane asks what time it is.
///
/// The wall clock is read once and then goes on by itself: a step (NTP after a boot, an operator)
/// must not end leases that clients still count on, nor keep ended ones alive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: std::time::Instant,
    wall_at_origin: Duration, // Since 1970.
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: std::time::Instant::now(), wall_at_origin: since_epoch() }
    }

    pub(crate) fn now(&self) -> Now {
        let elapsed = self.origin.elapsed();
        let instant = Instant::default() + elapsed + HEAD_START;
        Now { instant, wall: UnixSeconds((self.wall_at_origin + elapsed).as_secs()) }
    }

    /// The wall-clock time of an instant of this clock, since 1970.
    pub(crate) fn wall_at(&self, instant: Instant) -> Duration {
        let elapsed = Duration::from_nanos(instant.as_nanos()).saturating_sub(HEAD_START);
        self.wall_at_origin + elapsed
    }
}

/// No instant is zero, which a fresh timer may mean "never" by.
const HEAD_START: Duration = Duration::from_secs(1);

/// Wall-clock time since 1970; zero before.
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_wall_clock_moves_no_lease() {
        let running = Duration::from_secs(100);
        let Some(origin) = std::time::Instant::now().checked_sub(running) else { return };
        // As if the host's clock had been put forward, or back, right after the start.
        for start in [Duration::from_secs(1_000), since_epoch() + Duration::from_secs(1 << 30)] {
            let now = Clock { origin, wall_at_origin: start }.now();
            let since = now.wall.0 - start.as_secs();
            assert!((100..160).contains(&since), "{since}");
            assert_eq!(now.instant.as_nanos() / 1_000_000_000, since + 1);
            let clock = Clock { origin, wall_at_origin: start };
            assert_eq!(clock.wall_at(now.instant).as_secs(), now.wall.0);
        }
    }
}
