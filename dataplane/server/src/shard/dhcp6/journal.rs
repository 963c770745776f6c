use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ironherd_leases::v6::Table6;

use crate::error::RackError;

/// The journal as it was found at start, and the leases that it tells of.
#[derive(Debug)]
pub(super) struct JournalFile6 {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) table: Table6,
}

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
