//! The rack's GraphQL client: snapshot down, events up, boot files by digest.
//!
//! The rack answers without any of this. The link only keeps what it answers from fresh, and says
//! what it did. Everything here is retried with patience and bounded in memory.

mod backoff;
mod delta;
mod document;
mod fetch;
mod report;
mod request;
mod rounds;
mod secret;
mod session;
mod store;
mod transport;
mod websocket;

pub use delta::{Delta, ReservationsChange, SubnetChange, apply};
pub use document::{
    DecodeError, RACK_ANSWER, RACK_DELTAS, RACK_REGISTER, RACK_REPORT, RACK_REQUESTS,
    RACK_SNAPSHOT, decode_delta, decode_snapshot,
};
pub use report::{AlarmKind, AlarmReport, BootReport, LeaseReport, LeaseState, Report, Stage};
pub use request::{Reply, Request};
pub use rounds::Rounds;
pub use secret::Secret;
pub use store::{Partial, Store, StoreFuture};
pub use transport::LinkError;

use std::sync::Arc;
use std::time::Duration;

use ironherd_snapshot::Snapshot;
use tokio::sync::{mpsc, watch};

use crate::session::Session;
use crate::transport::Region;

/// Who the rack is and where its region is.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// `http://host:5240` or `https://…`, without a path.
    pub region_url: String,
    pub token: Secret,
    pub name: String,
    pub version: String,
    /// Marks one run of the rack; grows with every start. Part of what makes reports idempotent.
    pub epoch: u64,
    /// The first wait after a failure; it doubles, with chance, up to `retry_max`.
    pub retry_first: Duration,
    pub retry_max: Duration,
}

/// What the link takes from the rack and gives to it.
#[derive(Debug)]
pub struct Ends {
    /// The snapshot of the last run, from which deltas are resumed.
    pub base: Option<Arc<Snapshot>>,
    /// The newest snapshot. It is sent again, unchanged, when one of its files has arrived.
    pub snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    pub reports: mpsc::Receiver<Report>,
    /// In which rounds those who report tell all of their leases.
    pub rounds: Rounds,
    /// Where machines reach this rack, for people to read. A change is told at once.
    pub addresses: watch::Receiver<Vec<String>>,
    pub store: Arc<dyn Store>,
    /// All that operators should know at the moment.
    pub alarms: watch::Receiver<Arc<Vec<AlarmReport>>>,
    /// What people ask this rack.
    pub requests: mpsc::Sender<Request>,
}

/// Serves until dropped. Every await may be dropped: files are renamed when whole, and what was
/// not acknowledged is re-derived by the next run.
///
/// # Errors
/// Only what no patience mends, e.g. a `region_url` that is no URL.
pub async fn run(config: LinkConfig, ends: Ends) -> Result<(), LinkError> {
    let region = Region::new(&config)?;
    let (wanted, wanted_files) = watch::channel(Arc::default());
    let (arrived, arrivals) = mpsc::channel(64);
    let generations = ends.snapshots.subscribe();
    let session = Session { config: &config, region: &region, addresses: ends.addresses, arrivals };
    let session = session.run(&ends.snapshots, ends.base, wanted);
    let fetch = fetch::run(&config, &region, &*ends.store, wanted_files, arrived);
    let report = report::run(&config, &region, ends.reports, ends.rounds, generations, ends.alarms);
    let request = request::run(&config, &region, ends.requests);
    tokio::join!(session, fetch, report, request);
    Ok(())
}
