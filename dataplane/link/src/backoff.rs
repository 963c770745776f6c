use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Waits between tries: doubled each time, and drawn from the upper half, so that a thousand racks
/// do not come back in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, next: first }
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// Whether nothing has succeeded since the last wait.
    pub(crate) fn is_waiting(&self) -> bool {
        self.next != self.first
    }

    pub(crate) fn next_wait(&mut self) -> Duration {
        self.next_wait_drawn(RandomState::new().hash_one(0_u8))
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next_wait()).await;
    }

    fn next_wait_drawn(&mut self, chance: u64) -> Duration {
        let half = self.next / 2;
        self.next = (self.next * 2).min(self.max);
        let permille = u32::try_from(chance % 1000).unwrap_or_default();
        half + half * permille / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_start_over() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(500));
        let waits: Vec<_> = (0..5).map(|_| backoff.next_wait_drawn(0)).collect();
        assert_eq!(waits, [ms(50), ms(100), ms(200), ms(250), ms(250)]);
        backoff.reset();
        assert_eq!(backoff.next_wait_drawn(500), ms(75));
        assert!(backoff.next_wait_drawn(u64::MAX) <= ms(200));
    }
}
