use std::collections::{HashMap, VecDeque};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ironherd_domain::{MachineId, UnixMicros};
use ironherd_snapshot::Snapshot;
use ironherd_store::{Db, StoreError, Tx, setting};
use tokio::sync::{Notify, broadcast, watch};

use crate::captures::Captures;
use crate::desk::Desk;
use crate::seal::{Keyring, SealBroken};
use crate::work::{Halt, Work};
use crate::{Actor, Answer, CommandError, snapshot};

/// The region's state and commands. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

/// Where the time comes from: the system, or a test.
pub type Clock = Arc<dyn Fn() -> UnixMicros + Send + Sync>;

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) keyring: Keyring,
    pub(crate) data_dir: PathBuf,
    clock: Clock,
    /// Sequence of the last committed event.
    pub(crate) event_head: watch::Sender<i64>,
    /// Machines whose progress moved: told to who listens now, never kept.
    pub(crate) progress: broadcast::Sender<MachineId>,
    pub(crate) effects: Notify,
    pub(crate) snapshot_wanted: Arc<Notify>,
    pub(crate) snapshot: watch::Sender<Arc<Snapshot>>,
    pub(crate) snapshot_generation: watch::Sender<u64>,
    /// The last few, so that a rack that was away for a moment gets a difference.
    pub(crate) snapshots: Mutex<VecDeque<Arc<Snapshot>>>,
    /// Bytes that have arrived of running uploads, by digest.
    pub(crate) uploads: Mutex<HashMap<String, u64>>,
    pub(crate) desk: Desk,
    pub(crate) captures: Captures,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// Why the region cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database cannot be opened: {0}")]
    Store(#[from] StoreError),
    #[error("the data folder cannot be used: {0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Key(String),
}

const DATABASE_FILE: &str = "region.db";
const PROGRESS_KEPT: usize = 256;
/// A transaction that lost a race is decided again this often before it counts as a fault.
pub(crate) const TRIES_MAX: u32 = 8;

impl App {
    /// Opens the region in `data_dir`, made if missing. `url` is `postgres://…`; absent: embedded
    /// SQLite in the data folder.
    ///
    /// # Errors
    /// [`OpenError`]: the folder, the key or the database cannot be used.
    pub async fn open(data_dir: &Path, url: Option<&str>) -> Result<Self, OpenError> {
        let system: Clock = Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            UnixMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
        });
        Self::open_with_clock(data_dir, url, system).await
    }

    /// [`App::open`] with a clock of the caller's choice.
    ///
    /// # Errors
    /// See [`App::open`].
    pub async fn open_with_clock(
        data_dir: &Path,
        url: Option<&str>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        std::fs::create_dir_all(data_dir.join("images"))?;
        keep_private(data_dir)?;
        let keyring = Keyring::open(&data_dir.join("secret.key"))?;
        let file = data_dir.join(DATABASE_FILE);
        let db = Db::open(url.unwrap_or(&file.to_string_lossy())).await?;
        let mut tx = db.write().await?;
        let enlist_key = hex::encode(keyring.fresh_boot_key(snapshot::ENLIST_PLACE));
        setting::ensure(&mut tx, snapshot::ENLIST_KEY, &enlist_key).await?;
        let head = setting::counter(&mut tx, "event").await?;
        tx.commit().await?;
        let inner = Arc::new(Inner {
            db,
            keyring,
            data_dir: data_dir.to_owned(),
            clock,
            event_head: watch::Sender::new(head),
            progress: broadcast::Sender::new(PROGRESS_KEPT),
            effects: Notify::new(),
            snapshot_wanted: Arc::new(Notify::new()),
            snapshot: watch::Sender::new(Arc::default()),
            snapshot_generation: watch::Sender::new(0),
            snapshots: Mutex::default(),
            uploads: Mutex::default(),
            desk: Desk::default(),
            captures: Captures::default(),
        });
        let app = Self { inner };
        snapshot::publish(&app.inner).await.map_err(|halt| match halt {
            Halt::Store(error) => OpenError::Store(error),
            Halt::Command(error) => OpenError::Key(error.to_string()),
        })?;
        snapshot::spawn_publisher(&app.inner);
        Ok(app)
    }

    /// Closes the database. Commands after this fail.
    pub async fn close(&self) {
        self.inner.db.close().await;
    }

    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`CommandError::Fault`] if it does not.
    pub async fn ready(&self) -> Answer<()> {
        let mut tx = self.read().await?;
        setting::counter(&mut tx, "event").await?;
        Ok(())
    }

    #[must_use]
    pub fn now(&self) -> UnixMicros {
        (self.inner.clock)()
    }

    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        self.inner.db.read().await
    }

    pub(crate) async fn begin(&self, actor: &Actor) -> Result<Work, StoreError> {
        let tx = self.inner.db.write().await?;
        Ok(Work::new(self.clone(), tx, actor.label(), self.now()))
    }

    /// Whether to try once more after `halt`; if not, what the caller is told.
    pub(crate) fn settle(halt: Halt, tries: u32) -> Option<CommandError> {
        match halt {
            Halt::Command(error) => Some(error),
            // A name that was free when we looked and taken when we wrote: look again, and refuse.
            Halt::Store(StoreError::Taken(_)) if tries < TRIES_MAX => None,
            Halt::Store(error) if error.is_retryable() && tries < TRIES_MAX => None,
            Halt::Store(error) => Some(error.into()),
        }
    }
}

impl Inner {
    pub(crate) fn uploads(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshots(&self) -> MutexGuard<'_, VecDeque<Arc<Snapshot>>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shuts a folder of our own to others: user data lies in the database in the clear.
fn keep_private(folder: &Path) -> std::io::Result<()> {
    const OTHERS: u32 = 0o077;
    const STICKY: u32 = 0o1000;
    let found = std::fs::metadata(folder)?;
    let own = found.uid() == rustix::process::geteuid().as_raw();
    // One that everybody may write to, like /tmp, serves others too and must stay open.
    if own && found.mode() & OTHERS != 0 && found.mode() & STICKY == 0 {
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Removes uploads that a crash cut short. Only for the one process that serves: others may run
/// beside it, and the uploads are its own.
pub(crate) fn remove_parts(images: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(images)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(".part-") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl From<SealBroken> for CommandError {
    fn from(error: SealBroken) -> Self {
        Self::Fault(crate::Fault::new(&error))
    }
}
