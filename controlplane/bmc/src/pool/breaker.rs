//! Spares a silent BMC, and us the waiting for it. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(super) struct BreakerConfig {
    pub(super) threshold: u32,
    pub(super) pause_min: Duration,
    pub(super) pause_max: Duration,
}

/// Counts consecutive silences; from the threshold on, each opens it for twice as long.
#[derive(Debug)]
pub(super) struct Breaker {
    config: BreakerConfig,
    silences: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self { config, silences: 0, open_until: None }
    }

    /// How long to wait before the next request, or `None` to send it now.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        let left = self.open_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Whether there is anything to remember.
    pub(super) fn is_clear(&self) -> bool {
        self.silences == 0
    }

    pub(super) fn handle_answer(&mut self) {
        self.silences = 0;
        self.open_until = None;
    }

    pub(super) fn handle_silence(&mut self, now: Instant) {
        self.silences = self.silences.saturating_add(1);
        if let Some(beyond) = self.silences.checked_sub(self.config.threshold) {
            let doubled = 2u32.saturating_pow(beyond);
            let pause = self.config.pause_min.saturating_mul(doubled).min(self.config.pause_max);
            self.open_until = Some(now + pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound() {
        let config = BreakerConfig {
            threshold: 3,
            pause_min: Duration::from_secs(5),
            pause_max: Duration::from_secs(30),
        };
        let (mut breaker, now) = (Breaker::new(config), Instant::now());
        for (silence, want) in
            [None, None, Some(5), Some(10), Some(20), Some(30), Some(30)].into_iter().enumerate()
        {
            breaker.handle_silence(now);
            assert_eq!(breaker.pause(now), want.map(Duration::from_secs), "silence {silence}");
        }
        assert_eq!(breaker.pause(now + Duration::from_secs(30)), None, "half open: one may try");
        breaker.handle_answer();
        assert_eq!(breaker.pause(now), None);
        assert!(breaker.is_clear());
    }
}
