use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::engine::Stage;

/// What a load has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// How long it was measured; what finished later is not in the rate.
    pub seconds: f64,
    pub begun: u64,
    pub offers: u64,
    /// DISCOVER to ACK, or renewals.
    pub completed: u64,
    pub per_second: f64,
    pub lost_discovers: u64,
    pub lost_requests: u64,
    /// Lost transactions as part of those begun.
    pub loss: f64,
    pub naks: u64,
    /// A second answer to one question.
    pub duplicates: u64,
    /// Answers that came after the client had given up.
    pub late: u64,
    /// First answers that took longer than a second.
    pub slow_offers: u64,
    pub errors: Errors,
    /// From when a client meant to ask to its OFFER.
    pub offer: Latency,
    /// From when a client meant to ask to its ACK.
    pub whole: Latency,
}

/// Answers that no sound server gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    pub malformed: u64,
    pub wrong_xid: u64,
    pub wrong_chaddr: u64,
    /// The ACK names another address than was asked for.
    pub wrong_address: u64,
    /// Two clients were promised one address.
    pub address_twice: u64,
}

impl Errors {
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { malformed, wrong_xid, wrong_chaddr, wrong_address, address_twice } = self;
        malformed + wrong_xid + wrong_chaddr + wrong_address + address_twice
    }
}

/// In microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
}

/// A report that grows.
#[derive(Debug)]
pub(crate) struct Measures {
    pub(crate) begun: u64,
    pub(crate) completed: u64,
    in_time: u64,
    offers: u64,
    slow_offers: u64,
    lost_discovers: u64,
    lost_requests: u64,
    pub(crate) naks: u64,
    pub(crate) duplicates: u64,
    pub(crate) late: u64,
    pub(crate) errors: Errors,
    offer: Histogram<u64>, // In nanoseconds.
    whole: Histogram<u64>,
}

/// Longer waits are counted as this long; patience is far below.
const LONGEST_NS: u64 = 600_000_000_000;
const SLOW: Duration = Duration::from_secs(1);

impl Measures {
    pub(crate) fn new() -> Self {
        let histogram =
            || Histogram::new_with_bounds(1_000, LONGEST_NS, 3).expect("the bounds are sound");
        Self {
            begun: 0,
            completed: 0,
            in_time: 0,
            offers: 0,
            slow_offers: 0,
            lost_discovers: 0,
            lost_requests: 0,
            naks: 0,
            duplicates: 0,
            late: 0,
            errors: Errors::default(),
            offer: histogram(),
            whole: histogram(),
        }
    }

    pub(crate) fn offer(&mut self, waited: Duration) {
        self.offers += 1;
        self.slow_offers += u64::from(SLOW < waited);
        self.offer.saturating_record(nanos(waited));
    }

    pub(crate) fn complete(&mut self, waited: Duration, in_time: bool) {
        self.completed += 1;
        self.in_time += u64::from(in_time);
        self.whole.saturating_record(nanos(waited));
    }

    pub(crate) fn lose(&mut self, stage: Stage) {
        match stage {
            Stage::Discovering => self.lost_discovers += 1,
            Stage::Requesting | Stage::Renewing => self.lost_requests += 1,
            Stage::Idle => {}
        }
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost_discovers + self.lost_requests
    }

    #[expect(clippy::cast_precision_loss, reason = "a load counts far below 2^52")]
    pub(crate) fn report(&self, measured: Duration) -> Report {
        let seconds = measured.as_secs_f64();
        Report {
            seconds,
            begun: self.begun,
            offers: self.offers,
            completed: self.completed,
            per_second: if 0.0 < seconds { self.in_time as f64 / seconds } else { 0.0 },
            lost_discovers: self.lost_discovers,
            lost_requests: self.lost_requests,
            loss: self.lost() as f64 / self.begun.max(1) as f64,
            naks: self.naks,
            duplicates: self.duplicates,
            late: self.late,
            slow_offers: self.slow_offers,
            errors: self.errors,
            offer: latency(&self.offer),
            whole: latency(&self.whole),
        }
    }
}

fn nanos(waited: Duration) -> u64 {
    u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "ten minutes in nanoseconds are below 2^52")]
fn latency(histogram: &Histogram<u64>) -> Latency {
    let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
    let max_us = histogram.max() as f64 / 1_000.0;
    Latency { p50_us: at(0.5), p90_us: at(0.9), p99_us: at(0.99), p999_us: at(0.999), max_us }
}
