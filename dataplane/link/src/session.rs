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

/// Keeps the snapshot fresh: registers, takes a first snapshot, then deltas; for ever.
pub(crate) async fn run(
    config: &LinkConfig,
    region: &Region,
    snapshots: &watch::Sender<Option<Arc<Snapshot>>>,
    base: Option<Arc<Snapshot>>,
    wanted: watch::Sender<Arc<Vec<BootFile>>>,
    mut arrivals: mpsc::Receiver<String>,
) {
    let mut current = Current { snapshot: None, snapshots, wanted };
    if let Some(base) = base {
        current.publish(base); // Files that the last run did not get are fetched at once.
    }
    let mut backoff = Backoff::new(config.retry_first, config.retry_max);
    let mut quiet = false;
    loop {
        let error = match follow(config, region, &mut current, &mut arrivals, &mut backoff).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        // One line an outage: it lasts for hours when it lasts.
        if !std::mem::replace(&mut quiet, backoff.is_waiting()) {
            tracing::warn!(id = "link.lost", %error, "the region is out of reach; the rack serves on");
        }
        let mut wait = std::pin::pin!(backoff.wait());
        loop {
            tokio::select! {
                () = &mut wait => break,
                Some(sha256) = arrivals.recv() => current.announce(&sha256),
            }
        }
    }
}

async fn follow(
    config: &LinkConfig,
    region: &Region,
    current: &mut Current<'_>,
    arrivals: &mut mpsc::Receiver<String>,
    backoff: &mut Backoff,
) -> Result<std::convert::Infallible, LinkError> {
    register(config, region).await?;
    if current.snapshot.is_none() {
        let data: SnapshotData = region.execute(RACK_SNAPSHOT, json!({})).await?;
        current.publish(Arc::new(data.rack_snapshot.decode()?));
    }
    let after = current.snapshot.as_ref().map(|it| it.generation);
    let mut deltas = Subscription::open(region, RACK_DELTAS, json!({ "after": after })).await?;
    tracing::info!(id = "link.up", after, "the link to the region is up");
    backoff.reset();
    loop {
        // `next` must not be dropped half-way, so arrivals are taken while the same call waits.
        let mut next = std::pin::pin!(deltas.next::<DeltasData>());
        let data = loop {
            tokio::select! {
                data = &mut next => break data?,
                Some(sha256) = arrivals.recv() => current.announce(&sha256),
            }
        };
        let delta = data.rack_deltas.decode()?;
        let mut snapshot = current.snapshot.as_deref().cloned().unwrap_or_default();
        if apply(&mut snapshot, delta) {
            current.publish(Arc::new(snapshot));
        }
    }
}

async fn register(config: &LinkConfig, region: &Region) -> Result<(), LinkError> {
    let input = json!({
        "name": config.name,
        "version": config.version,
        "addresses": config.addresses,
    });
    let data: RegisterData = region.execute(RACK_REGISTER, json!({ "input": input })).await?;
    match data.rack_register.user_errors.first() {
        None => Ok(()),
        Some(error) => Err(LinkError::Refused(format!("{}: {}", error.code, error.message))),
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
