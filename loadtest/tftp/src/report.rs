use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::Tally;

/// What a load has shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub seconds: f64,
    pub completed: u64,
    /// Downloads that failed, by why.
    pub failed: BTreeMap<&'static str, u64>,
    pub bytes: u64,
    pub megabytes_per_second: f64,
    /// Blocks that came although they had come before.
    pub repeats: u64,
    /// Blocks that came while one before them was missing.
    pub gaps: u64,
    /// Waits in vain of clients.
    pub timeouts: u64,
    /// From a client's request to its last block.
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

/// How a load that runs is doing.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub completed: u64,
    pub failed: u64,
    pub bytes: u64,
}

/// A report that grows.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    pub(crate) tally: Tally,
    took: Vec<Duration>,
    failed: BTreeMap<&'static str, u64>,
}

impl Measures {
    pub(crate) fn complete(&mut self, took: Duration) {
        self.took.push(took);
    }

    pub(crate) fn fail(&mut self, why: &'static str) {
        *self.failed.entry(why).or_default() += 1;
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            completed: u64::try_from(self.took.len()).unwrap_or(u64::MAX),
            failed: self.failed.values().sum(),
            bytes: self.tally.bytes,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a load counts far below 2^52")]
    pub(crate) fn report(mut self, measured: Duration) -> Report {
        self.took.sort_unstable();
        let at = |part: usize| {
            let place = (self.took.len() * part).div_ceil(1000).max(1) - 1;
            self.took.get(place).map_or(0.0, |it| it.as_secs_f64() * 1e3)
        };
        let seconds = measured.as_secs_f64();
        let Tally { bytes, repeats, gaps, timeouts } = self.tally;
        Report {
            seconds,
            completed: self.progress().completed,
            bytes,
            megabytes_per_second: if 0.0 < seconds { bytes as f64 / 1e6 / seconds } else { 0.0 },
            repeats,
            gaps,
            timeouts,
            p50_ms: at(500),
            p99_ms: at(990),
            max_ms: at(1000),
            failed: self.failed,
        }
    }
}
