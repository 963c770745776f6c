//! Puts what a server promises on disk: one batch in flight while the next gathers, compaction, and
//! what happens when the disk fails. The same for a shard and for the thread of DHCPv6.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use ironherd_leases::Position;
use ironherd_proto::{Instant, Now, dhcp, dhcp6};
use ironherd_uring::{Ring, RingError, Waker};

use super::Shared;
use crate::config::Durability;
use crate::metrics::{add, shift};

/// A whole new journal. Whoever replaces the old file by it says so by `done`, and wakes.
#[derive(Debug)]
pub(crate) struct Compaction {
    pub(crate) path: PathBuf,
    pub(crate) image: Bytes,
    pub(crate) done: SyncSender<Compacted>,
    pub(crate) waker: Waker,
}

/// The compacted journal, on disk and open for writing.
pub(crate) type Compacted = Result<File, CompactError>;

/// Why there is no compacted journal.
#[derive(Debug)]
pub(crate) struct CompactError {
    pub(crate) source: io::Error,
    /// The old file was not touched.
    pub(crate) old_stands: bool,
}

/// A server whose promises a journal keeps; see the methods of the same names there.
pub(super) trait Promises {
    fn image_bytes(&self) -> usize;
    fn take_journal_batch(&mut self, out: &mut Vec<u8>) -> Option<Position>;
    fn take_compaction(&mut self, out: &mut Vec<u8>) -> Option<Position>;
    fn handle_committed(&mut self, upto: Position);
    fn handle_compaction_abandoned(&mut self);
    fn handle_commit_failed(&mut self);
}

macro_rules! keeps_promises {
    ($($server:ty),*) => {$(
        impl Promises for $server {
            fn image_bytes(&self) -> usize {
                self.leases().image_bytes()
            }

            fn take_journal_batch(&mut self, out: &mut Vec<u8>) -> Option<Position> {
                self.take_journal_batch(out)
            }

            fn take_compaction(&mut self, out: &mut Vec<u8>) -> Option<Position> {
                self.take_compaction(out)
            }

            fn handle_committed(&mut self, upto: Position) {
                self.handle_committed(upto);
            }

            fn handle_compaction_abandoned(&mut self) {
                self.handle_compaction_abandoned();
            }

            fn handle_commit_failed(&mut self) {
                self.handle_commit_failed();
            }
        }
    )*};
}

keeps_promises!(dhcp::Server, dhcp6::Server);

/// Where a journal stands.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    shared: Shared,
    compacted: Receiver<Compacted>,
    done: SyncSender<Compacted>,
    waker: Waker,
    bytes: u64, // Length of the file; the next batch goes there.
    told: u64,  // What the metrics have of it.
    state: State,
    failed: bool,
    unsynced: Option<Instant>, // Something is written; when it shall be synced.
    syncing: bool,
    retry_at: Instant,
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Committing { upto: Position, bytes: u64 },
    Compacting { upto: Position, bytes: u64 },
}

/// Smaller journals are left alone.
const COMPACT_BYTES_MIN: u64 = 1 << 20;
/// A journal is written anew when it is this many times longer than what it says …
const COMPACT_RATIO: u64 = 8;
/// … or, where that is much, longer by so much than twice: a restart reads all of it.
const COMPACT_SURPLUS: u64 = 16 << 20;
/// How long a written lease may be ahead of the disk in relaxed mode.
const SYNC_EVERY: Duration = Duration::from_millis(50);
/// A disk that failed is tried again after this; until then nothing is granted.
const RETRY: Duration = Duration::from_secs(5);

impl Journal {
    pub(super) fn new(path: PathBuf, bytes: u64, waker: Waker, shared: Shared) -> Self {
        let (done, compacted) = sync_channel(1);
        Self {
            path,
            shared,
            compacted,
            done,
            waker,
            bytes,
            told: 0,
            state: State::Idle,
            failed: false,
            unsynced: None,
            syncing: false,
            retry_at: Instant::default(),
            buffer: Vec::new(),
        }
    }

    /// When what was written shall be put on disk.
    pub(super) fn next_sync(&self) -> Option<Instant> {
        self.unsynced.filter(|_| !self.syncing)
    }

    /// Takes up a compaction that has ended; starts the next commit, or a compaction, unless one is
    /// in flight. Call it once a turn.
    pub(super) fn commit(
        &mut self,
        ring: &mut Ring,
        server: &mut impl Promises,
        now: Now,
    ) -> Result<(), RingError> {
        if let Ok(outcome) = self.compacted.try_recv() {
            self.on_compacted(ring, server, outcome, now);
        }
        if self.next_sync().is_some_and(|it| it <= now.instant) && ring.sync_journal()? {
            (self.unsynced, self.syncing) = (None, true);
        }
        if self.state != State::Idle {
            return Ok(());
        }
        if self.wants_compaction(server.image_bytes(), now) {
            // Taken only once it can be handed over: a compaction counts as a batch in flight.
            let Ok(permit) = self.shared.compactions.try_reserve() else { return Ok(()) };
            let mut image = Vec::new();
            if let Some(upto) = server.take_compaction(&mut image) {
                let bytes = u64::try_from(image.len()).unwrap_or_default();
                self.state = State::Compacting { upto, bytes };
                let (path, image) = (self.path.clone(), Bytes::from(image));
                let (done, waker) = (self.done.clone(), self.waker.clone());
                permit.send(Compaction { path, image, done, waker });
                return Ok(());
            }
        }
        let mut batch = std::mem::take(&mut self.buffer);
        batch.clear();
        match server.take_journal_batch(&mut batch) {
            None => self.buffer = batch,
            Some(upto) => {
                let bytes = u64::try_from(batch.len()).unwrap_or_default();
                self.state = State::Committing { upto, bytes };
                match self.shared.durability {
                    Durability::Durable => ring.commit(batch, self.bytes)?,
                    Durability::Relaxed => ring.write_journal(batch, self.bytes)?,
                }
            }
        }
        Ok(())
    }

    pub(super) fn on_committed(
        &mut self,
        server: &mut impl Promises,
        buffer: Vec<u8>,
        result: io::Result<()>,
        now: Now,
    ) {
        self.buffer = buffer;
        let State::Committing { upto, bytes } = self.state else { return };
        self.state = State::Idle;
        match self.shared.disk_faults.pass(result) {
            Ok(()) => {
                self.bytes += bytes;
                if self.shared.durability == Durability::Relaxed {
                    self.unsynced.get_or_insert(now.instant + SYNC_EVERY);
                }
                add(&self.shared.metrics.journal_commits, 1);
                // After a sync that failed, what was written since stands on a file that lies.
                if !self.failed {
                    self.settle(server, upto);
                }
            }
            Err(error) => self.fail(server, &error, now),
        }
    }

    /// In relaxed mode: what was written is on disk, or may be lost.
    pub(super) fn on_synced(
        &mut self,
        server: &mut impl Promises,
        result: io::Result<()>,
        now: Now,
    ) {
        self.syncing = false;
        match self.shared.disk_faults.pass(result) {
            Ok(()) => {}
            // The image on its way says all that this file does: only without it is anything lost.
            Err(_) if matches!(self.state, State::Compacting { .. }) => self.set_failed(true),
            Err(error) => self.fail(server, &error, now),
        }
    }

    fn on_compacted(
        &mut self,
        ring: &mut Ring,
        server: &mut impl Promises,
        outcome: Compacted,
        now: Now,
    ) {
        let State::Compacting { upto, bytes } = self.state else { return };
        self.state = State::Idle;
        match outcome {
            Ok(file) => {
                ring.set_journal(file);
                self.bytes = bytes;
                self.set_failed(false);
                // Even one that stays long, for its table is, is not written again at once.
                self.retry_at = now.instant + RETRY;
                add(&self.shared.metrics.journal_compactions, 1);
                self.settle(server, upto);
            }
            // A file that never failed is as good as before; it just stays long for now.
            Err(CompactError { source: error, old_stands: true }) if !self.failed => {
                let (id, path) = ("rack.journal.compaction", self.path.display());
                tracing::warn!(id, %path, %error, "the journal could not be compacted; it is kept");
                self.retry_at = now.instant + RETRY;
                server.handle_compaction_abandoned();
            }
            Err(CompactError { source, .. }) => self.fail(server, &source, now),
        }
    }

    fn wants_compaction(&self, image_bytes: usize, now: Now) -> bool {
        let image = u64::try_from(image_bytes).unwrap_or(u64::MAX);
        let limit = image.saturating_mul(COMPACT_RATIO);
        let limit = limit.min(image.saturating_mul(2).saturating_add(COMPACT_SURPLUS));
        let long = limit.max(COMPACT_BYTES_MIN) < self.bytes;
        (self.failed || long) && self.retry_at <= now.instant
    }

    fn settle(&mut self, server: &mut impl Promises, upto: Position) {
        let told = std::mem::replace(&mut self.told, self.bytes);
        shift(&self.shared.metrics.journal_bytes, told, self.bytes);
        server.handle_committed(upto);
    }

    /// After a failed sync the kernel may have dropped what it could not write: this file is never
    /// trusted again. Only a whole new one mends it.
    fn fail(&mut self, server: &mut impl Promises, error: &io::Error, now: Now) {
        let (id, path) = ("rack.journal.failed", self.path.display());
        tracing::error!(id, %path, %error, "no lease can be kept, so none is granted");
        add(&self.shared.metrics.journal_failures, 1);
        self.set_failed(true);
        self.retry_at = now.instant + RETRY;
        server.handle_commit_failed();
    }

    fn set_failed(&mut self, failed: bool) {
        let was = std::mem::replace(&mut self.failed, failed);
        shift(&self.shared.metrics.journals_failed, was.into(), failed.into());
        if was && !failed {
            let (id, path) = ("rack.journal.healed", self.path.display());
            tracing::warn!(id, %path, "the journal is written anew: leases are granted again");
        }
    }
}

#[cfg(test)]
mod tests;
