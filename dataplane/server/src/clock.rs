use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ironherd_proto::{Instant, Now, UnixSeconds};

/// The one place where the data plane asks what time it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        // Never zero, which a fresh timer may mean "never" by.
        let since = self.origin.elapsed() + Duration::from_secs(1);
        Now { instant: Instant::default() + since, wall: UnixSeconds(since_epoch().as_secs()) }
    }
}

/// Wall-clock time since 1970; zero before.
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
