//! Keeps the shards' view fresh, and the last snapshot on disk.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ironherd_snapshot::Snapshot;
use ironherd_uring::interfaces;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use crate::advertise::Advertisers;
use crate::cold::ColdFiles;
use crate::config::RackConfig;
use crate::faults::DiskFaults;
use crate::metrics::set;
use crate::shard::{CompactError, Compaction, Shared, Wakers};
use crate::view::{Served, View, serve, serve6};

/// Where a rack keeps what.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) cache: PathBuf,
    /// Of the journals: see [`journal_of`](crate::recovery::journal_of).
    pub(crate) folder: PathBuf,
    pub(crate) snapshot: PathBuf,
    pub(crate) epoch: PathBuf,
    pub(crate) lock: PathBuf,
}

impl Layout {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self {
            cache: data_dir.join("cache"),
            folder: data_dir.to_owned(),
            snapshot: data_dir.join("snapshot.json"),
            epoch: data_dir.join("epoch"),
            lock: data_dir.join("lock"),
        }
    }
}

/// Reads the snapshot of the last run. One that cannot be read is as good as none: the rack then
/// waits for the region's.
pub(crate) fn load_snapshot(path: &Path) -> Option<Snapshot> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::error!(id = "rack.snapshot.read", %error, "the last snapshot is unreadable");
            return None;
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(snapshot) => Some(snapshot),
        Err(error) => {
            tracing::error!(id = "rack.snapshot.parse", %error, "the last snapshot is damaged");
            None
        }
    }
}

pub(crate) struct Keeper {
    pub(crate) config: Arc<RackConfig>,
    pub(crate) layout: Layout,
    pub(crate) shared: Shared,
    pub(crate) waker: Wakers,
    /// The addresses that are served, for the region to know.
    pub(crate) addresses: watch::Sender<Vec<String>>,
}

/// Interfaces come and go without a word to us.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Keeper {
    /// Follows the snapshots of the link and the interfaces of the host.
    pub(crate) async fn run(self, mut snapshots: watch::Receiver<Option<Arc<Snapshot>>>) {
        let mut current = snapshots.borrow_and_update().clone();
        let mut retired = Vec::new();
        let mut advertisers = Advertisers::default();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let from_region = tokio::select! {
                changed = snapshots.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    current = snapshots.borrow_and_update().clone();
                    true
                }
                _ = look.tick() => false,
            };
            let snapshot = current.clone().unwrap_or_default();
            retired.extend(self.renew(&snapshot, from_region).await);
            retired.retain(|it| 1 < Arc::strong_count(it));
            if self.config.services.router_advertisements {
                advertisers.follow(&self.shared.view.load());
            }
        }
    }

    /// Gives the shards a new view, if anything is new. Returns the old one, which is to be kept
    /// until nobody else has it: freeing ten thousand machines is no work for a shard.
    async fn renew(&self, snapshot: &Arc<Snapshot>, from_region: bool) -> Option<Arc<View>> {
        let (named, ports) = (&self.config.interfaces, self.shared.ports);
        let before = self.shared.view.load_full();
        let (links, links6) = match interfaces() {
            Ok(interfaces) => {
                let links6 = serve6(snapshot, &interfaces, named, ports);
                (serve(snapshot, interfaces, named, ports), links6)
            }
            Err(error) => {
                tracing::warn!(id = "rack.interfaces", %error, "interfaces could not be listed");
                (before.links.clone(), before.links6.clone())
            }
        };
        if !from_region && before.links == links && before.links6 == links6 {
            return None;
        }
        log_links(&before.links, &links);
        let (snapshot, cache) = (Arc::clone(snapshot), self.layout.cache.clone());
        // Indexing ten thousand machines takes milliseconds, mapping files maybe more.
        let built = tokio::task::spawn_blocking(move || {
            let cards6 = Arc::clone(&before.cards6);
            View { links6, cards6, ..View::new(&snapshot, &cache, &before, links) }
        });
        let view = built.await.ok()?;
        set(&self.shared.metrics.snapshot_generation, view.index.snapshot().generation);
        set(&self.shared.metrics.files_arriving, view.catalog.arriving_count());
        let addresses: Vec<String> = view.addresses();
        self.addresses.send_if_modified(|told| {
            let changed = *told != addresses;
            *told = addresses;
            changed
        });
        let before = self.shared.view.swap(Arc::new(view));
        self.waker.wake();
        Some(before)
    }
}

/// At most so often is the snapshot written: the newest is always in the region, too.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Keeps the newest snapshot of the link on disk, beside the way of a change to the shards.
pub(crate) async fn save_newest(
    cold: Arc<dyn ColdFiles>,
    path: PathBuf,
    mut snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
) {
    let mut saved = snapshots.borrow_and_update().clone();
    while snapshots.changed().await.is_ok() {
        loop {
            let newest = snapshots.borrow_and_update().clone();
            let is_saved = |it: &Arc<Snapshot>| saved.as_ref().is_some_and(|s| Arc::ptr_eq(s, it));
            let Some(newest) = newest.filter(|it| !is_saved(it)) else { break };
            if save(&*cold, path.clone(), Arc::clone(&newest)).await {
                saved = Some(newest); // Else it is tried again.
            }
            tokio::time::sleep(SAVE_EVERY).await;
        }
    }
}

/// Writes the snapshot; says whether it is on disk.
async fn save(cold: &dyn ColdFiles, path: PathBuf, snapshot: Arc<Snapshot>) -> bool {
    let encoded = tokio::task::spawn_blocking(move || serde_json::to_vec(&*snapshot)).await;
    let outcome = match encoded {
        Ok(Ok(bytes)) => cold.replace(path, Bytes::from(bytes)).await,
        Ok(Err(error)) => Err(error.into()),
        Err(error) => Err(io::Error::other(error)),
    };
    if let Err(error) = &outcome {
        tracing::error!(id = "rack.snapshot.save", %error, "the snapshot could not be saved");
    }
    outcome.is_ok()
}

/// Replaces journals by their compacted form, whenever one is handed over.
pub(crate) async fn compact(
    cold: Arc<dyn ColdFiles>,
    mut compactions: mpsc::Receiver<Compaction>,
    faults: DiskFaults,
) {
    while let Some(Compaction { path, image, done, waker }) = compactions.recv().await {
        let before = inode(&path);
        let outcome = match faults.pass(cold.replace(path.clone(), image).await) {
            Ok(()) => std::fs::OpenOptions::new().write(true).open(&path),
            Err(error) => Err(error),
        };
        // Once the new file has the name, what is written to the old one is lost.
        let old_stands = || before.is_some() && before == inode(&path);
        let outcome = outcome.map_err(|source| CompactError { source, old_stands: old_stands() });
        // One compaction a journal is in flight at most, so there is room; a thread that has ended
        // needs none.
        let _ = done.try_send(outcome);
        waker.wake();
    }
}

/// Which file has this name.
fn inode(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|it| it.ino())
}

fn log_links(before: &[Served], after: &[Served]) {
    for Served { link, interface } in after.iter().filter(|it| !before.contains(it)) {
        let (name, address) = (&interface.name, link.address);
        tracing::info!(id = "rack.serve", name, %address, "serving an interface");
    }
    for Served { interface, .. } in before.iter().filter(|it| !after.contains(it)) {
        tracing::info!(id = "rack.unserve", name = interface.name, "an interface changed or went");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cold::UringFiles;

    #[tokio::test]
    async fn a_snapshot_counts_as_saved_only_once_it_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let cold = UringFiles::start().unwrap();
        let path = folder.path().join("later/snapshot.json");
        let snapshot = Arc::new(Snapshot { generation: 7, ..Snapshot::default() });
        assert!(!save(&cold, path.clone(), Arc::clone(&snapshot)).await, "there is no folder");
        std::fs::create_dir(folder.path().join("later")).unwrap();
        assert!(save(&cold, path.clone(), snapshot).await);
        assert_eq!(load_snapshot(&path).map(|it| it.generation), Some(7));
    }
}
