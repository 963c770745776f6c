use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use ironherd_snapshot::{Mac, Snapshot};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::backoff::Backoff;
use crate::document::ReportData;
use crate::transport::{LinkError, Region};
use crate::{LinkConfig, RACK_REPORT};

/// Something that the region should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    Lease(LeaseReport),
    Boot(BootReport),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseReport {
    pub address: Ipv4Addr,
    #[serde(rename = "macAddress")]
    pub mac: Mac,
    pub hostname: Option<String>,
    pub state: LeaseState,
    /// Unix seconds, like `expires_at`.
    pub started_at: u64,
    pub expires_at: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BootReport {
    /// Unix milliseconds.
    pub at: u64,
    #[serde(rename = "macAddress")]
    pub mac: Mac,
    pub stage: Stage,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LeaseState {
    Active,
    Released,
    Expired,
    Declined,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    Dhcp,
    Tftp,
    Http,
    Script,
    Agent,
    Installed,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    epoch: u64,
    sequence: u64,
    snapshot_generation: u64,
    leases: Vec<LeaseReport>,
    boot_events: Vec<BootReport>,
}

/// A batch leaves this long after its first entry, or when it is full.
const GATHER: Duration = Duration::from_millis(200);
const ENTRIES_MAX: usize = 500;
/// With nothing to say, the rack still says that it lives and what it answers from.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Reports in batches, in order, each until the region has acknowledged it.
pub(crate) async fn run(
    config: &LinkConfig,
    region: &Region,
    mut reports: mpsc::Receiver<Report>,
    mut generations: watch::Receiver<Option<Arc<Snapshot>>>,
) {
    let mut sequence = 0;
    let mut backoff = Backoff::new(config.retry_first, config.retry_max);
    loop {
        let mut batch = gather(&mut reports, &mut generations).await;
        sequence += 1;
        batch.epoch = config.epoch;
        batch.sequence = sequence;
        // The same numbers each time: a batch whose answer was lost counts once.
        while let Err(error) = deliver(region, &batch).await {
            tracing::debug!(id = "link.report", %error, sequence, "a report waits");
            backoff.wait().await;
        }
        backoff.reset();
    }
}

/// Takes entries until the batch is due. An empty batch is a heartbeat.
async fn gather(
    reports: &mut mpsc::Receiver<Report>,
    generations: &mut watch::Receiver<Option<Arc<Snapshot>>>,
) -> Batch {
    let mut batch = Batch::default();
    let mut due = Instant::now() + HEARTBEAT;
    let mut entries = 0;
    while entries < ENTRIES_MAX {
        tokio::select! {
            () = sleep_until(due) => break,
            Some(report) = reports.recv() => {
                due = due.min(Instant::now() + GATHER);
                entries += 1;
                match report {
                    Report::Lease(lease) => batch.leases.push(lease),
                    Report::Boot(event) => batch.boot_events.push(event),
                }
            }
            Ok(()) = generations.changed() => due = due.min(Instant::now() + GATHER),
        }
    }
    let snapshot = generations.borrow_and_update();
    batch.snapshot_generation = snapshot.as_ref().map_or(0, |it| it.generation);
    batch
}

async fn deliver(region: &Region, batch: &Batch) -> Result<(), LinkError> {
    let data: ReportData = region.execute(RACK_REPORT, json!({ "input": batch })).await?;
    match data.rack_report.user_errors.first() {
        None => Ok(()),
        Some(error) => {
            // What the region refuses once it refuses always: to repeat it would stop all others.
            let (code, message) = (&error.code, &error.message);
            tracing::warn!(id = "link.report.refused", code, message, "a report was refused");
            Ok(())
        }
    }
}
