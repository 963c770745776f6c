//! What the region counts, in Prometheus' text form.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use ironherd_app::Answer;
use ironherd_domain::MachineState;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::routes::Region;

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicI64);

impl Gauge {
    pub(crate) fn add(&self, count: i64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, count: i64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }
}

type MachineCounts = Vec<(MachineState, u64)>;

/// One set a region process.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// HTTP answers by the hundreds of their status, 1xx to 5xx.
    statuses: [Counter; 5],
    http_micros: Counter,
    graphql_clean: Counter,
    graphql_errors: Counter,
    pub(crate) websockets: Gauge,
    pub(crate) image_bytes_in: Counter,
    pub(crate) image_bytes_out: Counter,
    /// When the machines were counted last, and what came out.
    machines: Mutex<Option<(Instant, MachineCounts)>>,
}

impl Metrics {
    pub(crate) fn http_answered(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.statuses.get(class) {
            counter.add(1);
        }
        self.http_micros.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn graphql_answered(&self, with_errors: bool) {
        if with_errors { &self.graphql_errors } else { &self.graphql_clean }.add(1);
    }

    fn write(&self, out: &mut String) {
        let name = "ironherd_http_responses_total";
        head(out, name, "counter", "HTTP answers by class of status.");
        for (class, counter) in (1..).zip(&self.statuses) {
            line(out, &format!("{name}{{status=\"{class}xx\"}}"), counter.value());
        }
        let name = "ironherd_http_response_microseconds_total";
        head(out, name, "counter", "Time spent on HTTP answers until their first byte.");
        line(out, name, self.http_micros.value());
        let name = "ironherd_graphql_responses_total";
        head(out, name, "counter", "GraphQL answers over HTTP, with and without errors.");
        line(out, &format!("{name}{{errors=\"no\"}}"), self.graphql_clean.value());
        line(out, &format!("{name}{{errors=\"yes\"}}"), self.graphql_errors.value());
        let name = "ironherd_websockets";
        head(out, name, "gauge", "Open GraphQL WebSocket connections.");
        line(out, name, self.websockets.0.load(Ordering::Relaxed));
        let name = "ironherd_image_bytes_total";
        head(out, name, "counter", "Bytes of images received and sent.");
        line(out, &format!("{name}{{direction=\"in\"}}"), self.image_bytes_in.value());
        line(out, &format!("{name}{{direction=\"out\"}}"), self.image_bytes_out.value());
    }
}

/// Anybody may ask, so that asking often must cost the database nothing.
const COUNTS_KEPT: Duration = Duration::from_secs(5);

/// Answers a scrape. Names of states and counts only: no token is needed to see them.
pub(crate) async fn show(State(region): State<Region>) -> Response {
    let mut text = String::new();
    region.metrics.write(&mut text);
    let name = "ironherd_snapshot_generation";
    head(&mut text, name, "gauge", "Generation of the snapshot that racks get.");
    line(&mut text, name, region.app.snapshot().generation);
    match machines_by_state(&region).await {
        Ok(counts) => {
            let name = "ironherd_machines";
            head(&mut text, name, "gauge", "Machines by state.");
            for (state, count) in counts {
                line(&mut text, &format!("{name}{{state=\"{state}\"}}"), count);
            }
        }
        // The cause is in the log; what was counted here is worth showing without the machines.
        Err(error) => tracing::warn!(event = "metrics", %error, "Cannot count the machines."),
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn machines_by_state(region: &Region) -> Answer<MachineCounts> {
    let mut kept = region.metrics.machines.lock().await; // Of many who ask at once, one counts.
    if let Some((at, counts)) = kept.as_ref()
        && at.elapsed() < COUNTS_KEPT
    {
        return Ok(counts.clone());
    }
    let counts = region.app.machines_by_state().await?;
    *kept = Some((Instant::now(), counts.clone()));
    Ok(counts)
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a `String` does not fail.
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(out: &mut String, series: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "{series} {value}");
}
