use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use ironherd_leases::{Position, Table};
use ironherd_proto::{Instant, Now};
use ironherd_uring::{Ring, RingError};

use super::Core;
use crate::error::RackError;
use crate::metrics::{add, set};

/// The journal as it was found at start, and the leases that it tells of.
#[derive(Debug)]
pub(crate) struct JournalFile {
    pub(crate) file: File,
    pub(crate) bytes: u64,
    pub(crate) table: Table,
}

/// A whole new journal. It replaces the old file; then a command tells the shard.
#[derive(Debug)]
pub(crate) struct Compaction {
    pub(crate) image: Bytes,
}

/// Where the shard's journal stands.
#[derive(Debug)]
pub(super) struct Journal {
    bytes: u64, // Length of the file; the next batch goes there.
    state: State,
    failed: bool,
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
/// A journal is written anew when it is this many times longer than what it says.
const COMPACT_RATIO: u64 = 8;
/// A disk that failed is tried again after this; until then nothing is granted.
const RETRY: Duration = Duration::from_secs(5);

impl JournalFile {
    /// Opens the journal, takes in what it says, and cuts off what a crash left half-written.
    pub(crate) fn open(path: &Path) -> Result<Self, RackError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let read = || {
            let mut file = options.open(path)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok((file, bytes))
        };
        let (file, bytes) = read().map_err(RackError::file(path))?;
        let (table, recovery) = Table::recover(&bytes);
        if recovery.valid_bytes < bytes.len() {
            let cut = bytes.len() - recovery.valid_bytes;
            tracing::warn!(id = "rack.journal.cut", cut, "the journal's end was half-written");
        }
        let valid = u64::try_from(recovery.valid_bytes).unwrap_or_default();
        let settle = || {
            file.set_len(valid)?;
            file.sync_all()?;
            // A new file's name is on disk only once its folder is.
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        settle().map_err(RackError::file(path))?;
        let leases = table.bound().count();
        tracing::info!(id = "rack.journal", leases, bytes = valid, "leases were read back");
        Ok(Self { file, bytes: valid, table })
    }
}

impl Journal {
    pub(super) fn new(bytes: u64) -> Self {
        let retry_at = Instant::default();
        Self { bytes, state: State::Idle, failed: false, retry_at, buffer: Vec::new() }
    }

    fn wants_compaction(&self, image_bytes: usize, now: Now) -> bool {
        let image_bytes = u64::try_from(image_bytes).unwrap_or(u64::MAX);
        let long = image_bytes.saturating_mul(COMPACT_RATIO).max(COMPACT_BYTES_MIN) < self.bytes;
        (self.failed || long) && self.retry_at <= now.instant
    }
}

impl Core {
    /// Starts the next commit, or a compaction, unless one is in flight.
    pub(super) fn commit(&mut self, ring: &mut Ring, now: Now) -> Result<(), RingError> {
        let Some(dhcp) = &mut self.dhcp else { return Ok(()) };
        let journal = &mut self.journal;
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
                permit.send(Compaction { image: Bytes::from(image) });
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
                ring.commit(batch, journal.bytes)?;
            }
        }
        Ok(())
    }

    pub(super) fn on_committed(&mut self, buffer: Vec<u8>, result: io::Result<()>, now: Now) {
        self.journal.buffer = buffer;
        let State::Committing { upto, bytes } = self.journal.state else { return };
        self.journal.state = State::Idle;
        match result {
            Ok(()) => {
                self.journal.bytes += bytes;
                add(&self.shared.metrics.journal_commits, 1);
                self.settle(upto);
            }
            Err(error) => self.fail(&error, now),
        }
    }

    pub(super) fn on_compacted(&mut self, ring: &mut Ring, outcome: io::Result<File>, now: Now) {
        let State::Compacting { upto, bytes } = self.journal.state else { return };
        self.journal.state = State::Idle;
        match outcome {
            Ok(file) => {
                ring.set_journal(file);
                self.journal.bytes = bytes;
                self.journal.failed = false;
                // Even one that stays long, for its table is, is not written again at once.
                self.journal.retry_at = now.instant + RETRY;
                add(&self.shared.metrics.journal_compactions, 1);
                self.settle(upto);
            }
            Err(error) => self.fail(&error, now),
        }
    }

    fn settle(&mut self, upto: Position) {
        set(&self.shared.metrics.journal_bytes, self.journal.bytes);
        if let Some(dhcp) = &mut self.dhcp {
            dhcp.handle_committed(upto);
        }
    }

    /// After a failed sync the kernel may have dropped what it could not write: this file is never
    /// trusted again. Only a whole new one mends it.
    fn fail(&mut self, error: &io::Error, now: Now) {
        let id = "rack.journal.failed";
        tracing::error!(id, %error, "no lease can be made durable or granted");
        add(&self.shared.metrics.journal_failures, 1);
        self.journal.failed = true;
        self.journal.retry_at = now.instant + RETRY;
        if let Some(dhcp) = &mut self.dhcp {
            dhcp.handle_commit_failed();
        }
    }
}
