use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use ironherd_leases::Position;
use ironherd_leases::v6::Table6;
use ironherd_proto::dhcp6::Server;
use ironherd_proto::{Instant, Now};
use ironherd_uring::{Ring, RingError, Waker};

use crate::cold::ColdFiles;
use crate::error::RackError;
use crate::metrics::add;
use crate::shard::{CompactError, Shared};

/// The journal as it was found at start, and the leases that it tells of.
#[derive(Debug)]
pub(super) struct JournalFile6 {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) table: Table6,
}

/// Smaller journals are left alone.
const COMPACT_BYTES_MIN: u64 = 1 << 20;
/// A journal is written anew when it is this many times longer than what it says.
const COMPACT_RATIO: u64 = 8;
/// A disk that failed is tried again after this; until then nothing is granted.
const RETRY: Duration = Duration::from_secs(5);

impl JournalFile6 {
    /// Opens the journal, takes in what it says, and cuts off what a crash left half-written.
    pub(super) fn open(path: &Path) -> Result<Self, RackError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let read = || {
            let mut file = options.open(path)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok((file, bytes))
        };
        let (file, bytes) = read().map_err(RackError::file(path))?;
        let (table, recovery) = Table6::recover(&bytes);
        if let Some(version) = recovery.foreign_version {
            return Err(RackError::JournalVersion { path: path.to_owned(), version });
        }
        let cut = bytes.len() - recovery.valid_bytes;
        if 0 < recovery.damaged || recovery.torn {
            let damaged = recovery.damaged;
            let id = "rack.journal6.damaged";
            tracing::error!(id, damaged, cut, "the IPv6 journal has lost records, or its end");
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
        tracing::info!(id = "rack.journal6", leases, bytes = valid, "IPv6 leases were read back");
        Ok(Self { path: path.to_owned(), file, bytes: valid, table })
    }
}

/// Where the journal stands: one commit in flight, or one compaction.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    cold: Arc<dyn ColdFiles>,
    runtime: tokio::runtime::Handle,
    waker: Waker,
    compacted: Receiver<Result<File, CompactError>>,
    compact: SyncSender<Result<File, CompactError>>,
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

impl Journal {
    pub(super) fn new(
        path: PathBuf,
        bytes: u64,
        cold: Arc<dyn ColdFiles>,
        runtime: tokio::runtime::Handle,
        waker: Waker,
    ) -> Self {
        let (compact, compacted) = sync_channel(1);
        Self {
            path,
            cold,
            runtime,
            waker,
            compacted,
            compact,
            bytes,
            state: State::Idle,
            failed: false,
            retry_at: Instant::default(),
            buffer: Vec::new(),
        }
    }

    /// Starts the next commit, or a compaction, unless one is in flight.
    pub(super) fn commit(
        &mut self,
        ring: &mut Ring,
        server: &mut Server,
        now: Now,
    ) -> Result<(), RingError> {
        if self.state != State::Idle {
            return Ok(());
        }
        let image_bytes = u64::try_from(server.leases().image_bytes()).unwrap_or(u64::MAX);
        let long = image_bytes.saturating_mul(COMPACT_RATIO).max(COMPACT_BYTES_MIN) < self.bytes;
        if (self.failed || long) && self.retry_at <= now.instant {
            let mut image = Vec::new();
            if let Some(upto) = server.take_compaction(&mut image) {
                let bytes = u64::try_from(image.len()).unwrap_or_default();
                self.state = State::Compacting { upto, bytes };
                self.start_compaction(Bytes::from(image));
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
                ring.commit(batch, self.bytes)?;
            }
        }
        Ok(())
    }

    /// Has the file replaced beside this thread; a wake-up follows.
    fn start_compaction(&self, image: Bytes) {
        let (path, cold) = (self.path.clone(), Arc::clone(&self.cold));
        let (done, waker) = (self.compact.clone(), self.waker.clone());
        self.runtime.spawn(async move {
            let before = inode(&path);
            let outcome = match cold.replace(path.clone(), image).await {
                Ok(()) => OpenOptions::new().write(true).open(&path),
                Err(error) => Err(error),
            };
            // Once the new file has the name, what is written to the old one is lost.
            let old_stands = || before.is_some() && before == inode(&path);
            let outcome =
                outcome.map_err(|source| CompactError { source, old_stands: old_stands() });
            // One is in flight at most, so there is room.
            let _ = done.try_send(outcome);
            waker.wake();
        });
    }

    pub(super) fn on_committed(
        &mut self,
        buffer: Vec<u8>,
        result: io::Result<()>,
        server: &mut Server,
        shared: &Shared,
        now: Now,
    ) {
        self.buffer = buffer;
        let State::Committing { upto, bytes } = self.state else { return };
        self.state = State::Idle;
        match result {
            Ok(()) => {
                self.bytes += bytes;
                add(&shared.metrics.journal_commits, 1);
                server.handle_committed(upto);
            }
            Err(error) => self.fail(&error, server, shared, now),
        }
    }

    pub(super) fn handle_compacted(
        &mut self,
        ring: &mut Ring,
        server: &mut Server,
        shared: &Shared,
        now: Now,
    ) {
        let Ok(outcome) = self.compacted.try_recv() else { return };
        let State::Compacting { upto, bytes } = self.state else { return };
        self.state = State::Idle;
        self.retry_at = now.instant + RETRY; // Even one that stays long is not written at once.
        match outcome {
            Ok(file) => {
                ring.set_journal(file);
                self.bytes = bytes;
                self.failed = false;
                add(&shared.metrics.journal_compactions, 1);
                server.handle_committed(upto);
            }
            // A file that never failed is as good as before; it just stays long for now.
            Err(CompactError { source: error, old_stands: true }) if !self.failed => {
                let id = "rack.journal6.compaction";
                tracing::warn!(id, %error, "the IPv6 journal could not be compacted; it is kept");
                server.handle_compaction_abandoned();
            }
            Err(CompactError { source, .. }) => self.fail(&source, server, shared, now),
        }
    }

    /// After a failed sync the kernel may have dropped what it could not write: only a whole new
    /// file mends it.
    fn fail(&mut self, error: &io::Error, server: &mut Server, shared: &Shared, now: Now) {
        let id = "rack.journal6.failed";
        tracing::error!(id, %error, "no IPv6 lease can be made durable or granted");
        add(&shared.metrics.journal_failures, 1);
        self.failed = true;
        self.retry_at = now.instant + RETRY;
        server.handle_commit_failed();
    }
}

/// Which file has this name.
fn inode(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|it| it.ino())
}
