use std::fs::File;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use ironherd_leases::Position;
use ironherd_proto::{Instant, Now};
use ironherd_uring::{Ring, RingError};

use super::{CompactError, Core};
use crate::config::Durability;
use crate::metrics::{add, shift};

/// A whole new journal. It replaces the old file; then a command tells the shard.
#[derive(Debug)]
pub(crate) struct Compaction {
    /// Whose journal it is.
    pub(crate) shard: usize,
    pub(crate) image: Bytes,
}

/// Where the shard's journal stands.
#[derive(Debug)]
pub(super) struct Journal {
    shard: usize,
    durability: Durability,
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
    pub(super) fn new(shard: usize, bytes: u64, durability: Durability) -> Self {
        Self {
            shard,
            durability,
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

    fn wants_compaction(&self, image_bytes: usize, now: Now) -> bool {
        let image = u64::try_from(image_bytes).unwrap_or(u64::MAX);
        let limit = image.saturating_mul(COMPACT_RATIO);
        let limit = limit.min(image.saturating_mul(2).saturating_add(COMPACT_SURPLUS));
        let long = limit.max(COMPACT_BYTES_MIN) < self.bytes;
        (self.failed || long) && self.retry_at <= now.instant
    }
}

impl Core {
    /// Starts the next commit, or a compaction, unless one is in flight.
    pub(super) fn commit(&mut self, ring: &mut Ring, now: Now) -> Result<(), RingError> {
        let Some(dhcp) = &mut self.dhcp else { return Ok(()) };
        let journal = &mut self.journal;
        if journal.next_sync().is_some_and(|it| it <= now.instant) && ring.sync_journal()? {
            (journal.unsynced, journal.syncing) = (None, true);
        }
        if journal.state != State::Idle {
            return Ok(());
        }
        if journal.wants_compaction(dhcp.leases().image_bytes(), now) {
            // Taken only once it can be handed over: a compaction counts as a batch in flight.
            let Ok(permit) = self.shared.compactions.try_reserve() else { return Ok(()) };
            let mut image = Vec::new();
            if let Some(upto) = dhcp.take_compaction(&mut image) {
                let bytes = u64::try_from(image.len()).unwrap_or_default();
                journal.state = State::Compacting { upto, bytes };
                let shard = journal.shard;
                permit.send(Compaction { shard, image: Bytes::from(image) });
                return Ok(());
            }
        }
        let mut batch = std::mem::take(&mut journal.buffer);
        batch.clear();
        match dhcp.take_journal_batch(&mut batch) {
            None => journal.buffer = batch,
            Some(upto) => {
                let bytes = u64::try_from(batch.len()).unwrap_or_default();
                journal.state = State::Committing { upto, bytes };
                match journal.durability {
                    Durability::Durable => ring.commit(batch, journal.bytes)?,
                    Durability::Relaxed => ring.write_journal(batch, journal.bytes)?,
                }
            }
        }
        Ok(())
    }

    pub(super) fn on_committed(&mut self, buffer: Vec<u8>, result: io::Result<()>, now: Now) {
        self.journal.buffer = buffer;
        let State::Committing { upto, bytes } = self.journal.state else { return };
        self.journal.state = State::Idle;
        match self.shared.disk_faults.pass(result) {
            Ok(()) => {
                self.journal.bytes += bytes;
                if self.journal.durability == Durability::Relaxed {
                    self.journal.unsynced.get_or_insert(now.instant + SYNC_EVERY);
                }
                add(&self.shared.metrics.journal_commits, 1);
                self.settle(upto);
            }
            Err(error) => self.fail(&error, now),
        }
    }

    /// In relaxed mode: what was written is on disk, or may be lost.
    pub(super) fn on_synced(&mut self, result: io::Result<()>, now: Now) {
        self.journal.syncing = false;
        if let Err(error) = self.shared.disk_faults.pass(result) {
            self.fail(&error, now);
        }
    }

    pub(super) fn on_compacted(
        &mut self,
        ring: &mut Ring,
        outcome: Result<File, CompactError>,
        now: Now,
    ) {
        let State::Compacting { upto, bytes } = self.journal.state else { return };
        self.journal.state = State::Idle;
        match outcome {
            Ok(file) => {
                ring.set_journal(file);
                self.journal.bytes = bytes;
                self.set_failed(false);
                // Even one that stays long, for its table is, is not written again at once.
                self.journal.retry_at = now.instant + RETRY;
                add(&self.shared.metrics.journal_compactions, 1);
                self.settle(upto);
            }
            // A file that never failed is as good as before; it just stays long for now.
            Err(CompactError { source: error, old_stands: true }) if !self.journal.failed => {
                let id = "rack.journal.compaction";
                tracing::warn!(id, %error, "the journal could not be compacted; it is kept");
                self.journal.retry_at = now.instant + RETRY;
                if let Some(dhcp) = &mut self.dhcp {
                    dhcp.handle_compaction_abandoned();
                }
            }
            Err(CompactError { source, .. }) => self.fail(&source, now),
        }
    }

    fn settle(&mut self, upto: Position) {
        let told = std::mem::replace(&mut self.journal.told, self.journal.bytes);
        shift(&self.shared.metrics.journal_bytes, told, self.journal.bytes);
        if let Some(dhcp) = &mut self.dhcp {
            dhcp.handle_committed(upto);
        }
    }

    /// After a failed sync the kernel may have dropped what it could not write: this file is never
    /// trusted again. Only a whole new one mends it.
    fn fail(&mut self, error: &io::Error, now: Now) {
        let id = "rack.journal.failed";
        tracing::error!(id, %error, "no lease can be kept, so none is granted");
        add(&self.shared.metrics.journal_failures, 1);
        self.set_failed(true);
        self.journal.retry_at = now.instant + RETRY;
        if let Some(dhcp) = &mut self.dhcp {
            dhcp.handle_commit_failed();
        }
    }

    fn set_failed(&mut self, failed: bool) {
        let was = std::mem::replace(&mut self.journal.failed, failed);
        shift(&self.shared.metrics.journals_failed, was.into(), failed.into());
        if was && !failed {
            let id = "rack.journal.healed";
            tracing::warn!(id, "the journal is written anew: leases are granted again");
        }
    }
}
