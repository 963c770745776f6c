use std::convert::Infallible;
use std::sync::Arc;

use ironherd_snapshot::{BootFile, Snapshot};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::backoff::Backoff;
use crate::delta::apply;
use crate::document::{DeltasData, RegisterData, SnapshotData};
use crate::transport::{LinkError, Region};
use crate::websocket::Subscription;
use crate::{LinkConfig, RACK_DELTAS, RACK_REGISTER, RACK_SNAPSHOT};

/// The newest snapshot, and who is told of it.
struct Current<'a> {
    snapshot: Option<Arc<Snapshot>>,
    snapshots: &'a watch::Sender<Option<Arc<Snapshot>>>,
    wanted: watch::Sender<Arc<Vec<BootFile>>>,
}

/// One rack's conversation with its region.
pub(crate) struct Session<'a> {
    pub(crate) config: &'a LinkConfig,
    pub(crate) region: &'a Region,
    pub(crate) addresses: watch::Receiver<Vec<String>>,
    pub(crate) arrivals: mpsc::Receiver<String>,
}

impl Session<'_> {
    /// Keeps the snapshot fresh: registers, takes a first snapshot, then deltas; for ever.
    pub(crate) async fn run(
        mut self,
        snapshots: &watch::Sender<Option<Arc<Snapshot>>>,
        base: Option<Arc<Snapshot>>,
        wanted: watch::Sender<Arc<Vec<BootFile>>>,
    ) {
        let mut current = Current { snapshot: None, snapshots, wanted };
        if let Some(base) = base {
            current.publish(base); // Files that the last run did not get are fetched at once.
        }
        let mut backoff = Backoff::new(self.config.retry_first, self.config.retry_max);
        let mut quiet = false;
        loop {
            let Err(error) = self.follow(&mut current, &mut backoff).await;
            // One line an outage: it lasts for hours when it lasts.
            if !std::mem::replace(&mut quiet, backoff.is_waiting()) {
                tracing::warn!(id = "link.lost", %error, "out of reach of the region; serving on");
            }
            let mut wait = std::pin::pin!(backoff.wait());
            loop {
                tokio::select! {
                    () = &mut wait => break,
                    Some(sha256) = self.arrivals.recv() => current.announce(&sha256),
                }
            }
        }
    }

    async fn follow(
        &mut self,
        current: &mut Current<'_>,
        backoff: &mut Backoff,
    ) -> Result<Infallible, LinkError> {
        self.register().await?;
        if current.snapshot.is_none() {
            let data: SnapshotData = self.region.execute(RACK_SNAPSHOT, json!({})).await?;
            current.publish(Arc::new(data.rack_snapshot.decode()?));
        }
        let after = current.snapshot.as_ref().map(|it| it.generation);
        let variables = json!({ "after": after });
        let mut deltas = Subscription::open(self.region, RACK_DELTAS, variables).await?;
        tracing::info!(id = "link.up", after, "the link to the region is up");
        backoff.reset();
        loop {
            // `next` must not be dropped half-way: the same call waits while others are served.
            let mut next = std::pin::pin!(deltas.next::<DeltasData>());
            let data = loop {
                tokio::select! {
                    data = &mut next => break data?,
                    Some(sha256) = self.arrivals.recv() => current.announce(&sha256),
                    Ok(()) = self.addresses.changed() => self.register().await?,
                }
            };
            let delta = data.rack_deltas.decode()?;
            let mut snapshot = current.snapshot.as_deref().cloned().unwrap_or_default();
            if apply(&mut snapshot, delta) {
                current.publish(Arc::new(snapshot));
            }
        }
    }

    async fn register(&mut self) -> Result<(), LinkError> {
        let input = json!({
            "name": self.config.name,
            "version": self.config.version,
            "addresses": *self.addresses.borrow_and_update(),
        });
        let variables = json!({ "input": input });
        let data: RegisterData = self.region.execute(RACK_REGISTER, variables).await?;
        match data.rack_register.user_errors.first() {
            None => Ok(()),
            Some(error) => Err(LinkError::Refused(format!("{}: {}", error.code, error.message))),
        }
    }
}

impl Current<'_> {
    fn publish(&mut self, snapshot: Arc<Snapshot>) {
        self.wanted.send_if_modified(|wanted| {
            let changed = **wanted != snapshot.files;
            if changed {
                *wanted = Arc::new(snapshot.files.clone());
            }
            changed
        });
        self.snapshot = Some(Arc::clone(&snapshot));
        self.snapshots.send_replace(Some(snapshot));
    }

    /// A file is whole now: the same snapshot serves more than before.
    fn announce(&mut self, sha256: &str) {
        tracing::info!(id = "link.file", sha256, "a boot file has arrived");
        if let Some(snapshot) = &self.snapshot {
            self.snapshots.send_replace(Some(Arc::clone(snapshot)));
        }
    }
}
