use std::sync::Arc;
use std::time::Duration;

use ironherd_snapshot::{Mac, Snapshot};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::backoff::Backoff;
use crate::document::ReportData;
use crate::rounds::{Progress, Rounds};
use crate::transport::{LinkError, Region};
use crate::{LinkConfig, RACK_REPORT};

/// Something that the region should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    Lease(LeaseReport),
    Boot(BootReport),
    /// One of the sources begins to tell all of its leases: see [`Rounds`].
    RoundBegin {
        round: u64,
    },
    /// It has told them.
    RoundEnd {
        round: u64,
        source: usize,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseReport {
    /// An address of either family, or a prefix that was delegated.
    pub address: String,
    #[serde(rename = "macAddress")]
    pub mac: Option<Mac>,
    /// DUID and IAID of a client of DHCPv6.
    pub client: Option<String>,
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
    rack: String,
    epoch: u64,
    sequence: u64,
    snapshot_generation: u64,
    leases: Vec<LeaseReport>,
    boot_events: Vec<BootReport>,
    /// From which report on every lease that the rack holds was named, once that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    resynced_since: Option<u64>,
    /// All that is so, where it differs from what was told last.
    #[serde(skip_serializing_if = "Option::is_none")]
    alarms: Option<Vec<AlarmReport>>,
}

/// Something that an operator should know of a rack, for as long as it is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlarmReport {
    pub kind: AlarmKind,
    /// With the kind it names the alarm.
    pub subject: String,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmKind {
    ForeignDhcpServer,
    PoolLow,
    PoolExhausted,
    JournalFailed,
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
    rounds: Rounds,
    mut generations: watch::Receiver<Option<Arc<Snapshot>>>,
    mut alarms: watch::Receiver<Arc<Vec<AlarmReport>>>,
) {
    alarms.mark_changed(); // The region may know of alarms of an earlier run.
    let mut sequence = 0;
    let mut refused = false;
    let mut progress = Progress::default();
    let mut backoff = Backoff::new(config.retry_first, config.retry_max);
    loop {
        sequence += 1;
        let rack = config.name.clone();
        let mut batch = Batch { rack, epoch: config.epoch, sequence, ..Batch::default() };
        let mut ends = Vec::new();
        let mut news =
            News { reports: &mut reports, generations: &mut generations, alarms: &mut alarms };
        news.gather(&mut batch, &mut ends, &mut progress).await;
        for (round, source) in ends {
            batch.resynced_since = progress.end(round, source, &rounds).or(batch.resynced_since);
        }
        let round = rounds.wanted();
        // The same numbers each time: a batch whose answer was lost counts once.
        let taken = loop {
            match deliver(region, &batch).await {
                Ok(taken) => break taken,
                Err(error) => {
                    tracing::debug!(id = "link.report", %error, sequence, "a report waits");
                    backoff.wait().await;
                }
            }
        };
        backoff.reset();
        if taken != Taken::All {
            progress.spoil();
        }
        // Asked for when the region listens again: it would refuse the round as well.
        if taken == Taken::Gap || (taken == Taken::All && refused) {
            rounds.ask_after(round);
        }
        refused = taken == Taken::Refused;
        if refused && batch.alarms.is_some() {
            alarms.mark_changed();
        }
    }
}

/// Where what is to be told comes from.
struct News<'a> {
    reports: &'a mut mpsc::Receiver<Report>,
    generations: &'a mut watch::Receiver<Option<Arc<Snapshot>>>,
    alarms: &'a mut watch::Receiver<Arc<Vec<AlarmReport>>>,
}

impl News<'_> {
    /// Takes entries until the batch is due. An empty batch is a heartbeat. `ends` gets the rounds
    /// and sources that came to their end.
    async fn gather(
        &mut self,
        batch: &mut Batch,
        ends: &mut Vec<(u64, usize)>,
        progress: &mut Progress,
    ) {
        let mut due = Instant::now() + HEARTBEAT;
        let mut entries = 0;
        while entries < ENTRIES_MAX {
            tokio::select! {
                () = sleep_until(due) => break,
                Some(report) = self.reports.recv() => {
                    due = due.min(Instant::now() + GATHER);
                    entries += 1;
                    match report {
                        Report::Lease(lease) => batch.leases.push(lease),
                        Report::Boot(event) => batch.boot_events.push(event),
                        Report::RoundBegin { round } => progress.begin(round, batch.sequence),
                        Report::RoundEnd { round, source } => ends.push((round, source)),
                    }
                }
                Ok(()) = self.generations.changed() => due = due.min(Instant::now() + GATHER),
                Ok(()) = self.alarms.changed() => {
                    due = due.min(Instant::now() + GATHER);
                    batch.alarms = Some(self.alarms.borrow_and_update().to_vec());
                }
            }
        }
        let snapshot = self.generations.borrow_and_update();
        batch.snapshot_generation = snapshot.as_ref().map_or(0, |it| it.generation);
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    All,
    /// Taken, but the region lacks some before it.
    Gap,
    Refused,
}

async fn deliver(region: &Region, batch: &Batch) -> Result<Taken, LinkError> {
    let data: ReportData = region.execute(RACK_REPORT, json!({ "input": batch })).await?;
    match data.rack_report.user_errors.first() {
        None if data.rack_report.resync == Some(true) => Ok(Taken::Gap),
        None => Ok(Taken::All),
        Some(error) => {
            // What the region refuses once it refuses always: to repeat it would stop all others.
            let (code, message) = (&error.code, &error.message);
            tracing::warn!(id = "link.report.refused", code, message, "a report was refused");
            Ok(Taken::Refused)
        }
    }
}
