//! Builds what racks need from the store, after each committed change.

mod advance;
mod build;
mod dhcp;

use std::sync::{Arc, Weak};
use std::time::Duration;

use ironherd_snapshot::Snapshot;
use ironherd_store::setting;
use tokio::sync::watch;

pub(crate) use build::ephemeral;

use crate::work::Halt;
use crate::{App, Fault, app};

pub(crate) const ENLIST_KEY: &str = "enlist_key";
pub(crate) const ENLIST_PLACE: &str = "enlist";

/// Enough for a rack that was away for a while; one that was away longer fetches all. They have
/// all that did not change in common.
const KEPT: usize = 64;
/// How often a region that shares its database looks for changes that others made.
const SHARED_LOOK: Duration = Duration::from_millis(500);

impl App {
    /// The latest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot.borrow().clone()
    }

    /// The generation of the latest snapshot, as it grows.
    #[must_use]
    pub fn snapshot_changes(&self) -> watch::Receiver<u64> {
        self.inner.snapshot_generation.subscribe()
    }

    /// One of the last few snapshots, for a difference after a reconnect.
    #[must_use]
    pub fn snapshot_at(&self, generation: u64) -> Option<Arc<Snapshot>> {
        let kept = self.inner.snapshots();
        kept.iter().find(|it| it.generation == generation).cloned()
    }
}

/// Rebuilds the snapshot whenever a command asked for it, until the app is gone. Changes that come
/// while one is built share the next.
pub(crate) fn spawn_publisher(inner: &Arc<app::Inner>) {
    let (weak, wanted) = (Arc::downgrade(inner), inner.snapshot_wanted.clone());
    let shared = inner.db.is_shared();
    tokio::spawn(async move {
        loop {
            if shared {
                // Either way there may be something new.
                let _ = tokio::time::timeout(SHARED_LOOK, wanted.notified()).await;
            } else {
                wanted.notified().await;
            }
            let Some(inner) = Weak::upgrade(&weak) else { break };
            match publish(&inner).await {
                Ok(()) => {}
                Err(Halt::Store(error)) => {
                    Fault::new(&error);
                }
                Err(Halt::Command(error)) => {
                    tracing::error!(event = "snapshot_failed", %error, "racks keep the last one");
                }
            }
        }
    });
}

impl Drop for app::Inner {
    fn drop(&mut self) {
        self.snapshot_wanted.notify_one(); // The publisher wakes, finds nobody, and ends.
    }
}

/// Builds and publishes, unless nothing changed since the last one.
pub(crate) async fn publish(inner: &app::Inner) -> Result<(), Halt> {
    let mut tx = inner.db.read().await?;
    let head = setting::counter(&mut tx, "event").await?;
    let generation = setting::counter(&mut tx, "snapshot").await?;
    let generation = u64::try_from(generation).unwrap_or_default();
    if inner.db.is_shared() {
        // Another region may have written; our own commits have said so already.
        inner.event_head.send_if_modified(|it| std::mem::replace(it, head.max(*it)) < head);
    }
    if generation <= *inner.snapshot_generation.borrow() {
        return Ok(());
    }
    let last = inner.snapshot.borrow().clone();
    let advanced = advance::advance(&mut tx, &inner.keyring, &last, generation).await?;
    let built = match advanced {
        Some(built) => built,
        None => build::build(&mut tx, &inner.keyring, generation).await?,
    };
    let built = Arc::new(built);
    {
        let mut kept = inner.snapshots();
        kept.push_back(built.clone());
        if KEPT < kept.len() {
            kept.pop_front();
        }
    }
    inner.snapshot.send_replace(built);
    inner.snapshot_generation.send_replace(generation);
    Ok(())
}
