use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use ironherd_leases::{Position, Table};
use ironherd_proto::{Instant, Now};
use ironherd_uring::{Ring, RingError};

use super::{CompactError, Core};
use crate::clock::since_epoch;
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

/// A crash cuts short one batch, which is seldom longer; more is a fault of the disk.
const CUT_BYTES_MAX: usize = 64 << 10;
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
        if let Some(version) = recovery.foreign_version {
            return Err(RackError::JournalVersion { path: path.to_owned(), version });
        }
        if 0 < recovery.damaged {
            let damaged = recovery.damaged;
            let id = "rack.journal.damaged";
            tracing::error!(id, damaged, "the disk has lost records in the middle of the journal");
        }
        let cut = bytes.len() - recovery.valid_bytes;
        if 0 < cut {
            tracing::warn!(id = "rack.journal.cut", cut, "the journal's end was half-written");
        }
        if recovery.torn && CUT_BYTES_MAX < cut {
            set_aside(path).map_err(RackError::file(path))?;
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

/// Copies a journal that a crash alone cannot have made: someone may still read it.
fn set_aside(path: &Path) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".damaged-{}", since_epoch().as_secs()));
    let copy = path.with_file_name(name);
    std::fs::copy(path, &copy)?;
    let id = "rack.journal.aside";
    tracing::error!(id, copy = %copy.display(), "the journal is damaged; this is a copy of it");
    Ok(())
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
                self.journal.failed = false;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_damaged_end_is_copied_before_it_is_cut() {
        for (garbage, copies) in [(CUT_BYTES_MAX, 0), (CUT_BYTES_MAX + 1, 1)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("leases.journal");
            std::fs::write(&path, vec![7; garbage]).unwrap();
            let journal = JournalFile::open(&path).unwrap();
            assert_eq!((journal.bytes, std::fs::metadata(&path).unwrap().len()), (0, 0));
            let names = std::fs::read_dir(folder.path()).unwrap();
            let is_copy = |name: &str| name.starts_with("leases.journal.damaged-");
            let found =
                names.filter(|it| is_copy(it.as_ref().unwrap().file_name().to_str().unwrap()));
            assert_eq!(found.count(), copies, "{garbage}");
        }
    }

    #[test]
    fn a_journal_of_another_version_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leases.journal");
        // Intact, but for its version all zeros.
        let mut record = [0_u8; 64];
        record[..4].copy_from_slice(&0xb17c_4d87_u32.to_le_bytes());
        record[4] = 2;
        std::fs::write(&path, record).unwrap();
        let error = JournalFile::open(&path).unwrap_err();
        assert!(matches!(error, RackError::JournalVersion { version: 2, .. }), "{error}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 64, "nothing is cut");
    }
}
