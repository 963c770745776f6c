use std::collections::HashSet;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use ironherd_link::{Partial, Store, StoreFuture};
use ironherd_snapshot::BootFile;
use sha2::Digest;
use tempfile::TempDir;

/// The simplest store there can be.
#[derive(Debug)]
pub(crate) struct FolderStore {
    folder: TempDir,
    discarded: AtomicUsize,
}

impl FolderStore {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), discarded: AtomicUsize::new(0) }
    }

    pub(crate) fn has(&self, sha256: &str) -> bool {
        self.path(sha256).exists()
    }

    pub(crate) fn read(&self, sha256: &str) -> Vec<u8> {
        std::fs::read(self.path(sha256)).unwrap()
    }

    pub(crate) fn write_part(&self, sha256: &str, bytes: &[u8]) {
        std::fs::write(self.part(sha256), bytes).unwrap();
    }

    /// How many downloads were thrown away that had brought something.
    pub(crate) fn discarded(&self) -> usize {
        self.discarded.load(Ordering::Relaxed)
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.path().join(sha256)
    }

    fn part(&self, sha256: &str) -> PathBuf {
        self.folder.path().join(format!("{sha256}.part"))
    }

    fn write(&self, sha256: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let options = options.create(true).truncate(false).write(true);
        let mut file = options.open(self.part(sha256))?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }
}

impl Store for FolderStore {
    fn holds(&self, file: &BootFile) -> bool {
        self.has(&file.sha256)
    }

    fn partial<'a>(&'a self, sha256: &'a str) -> StoreFuture<'a, Partial> {
        let bytes = std::fs::read(self.part(sha256)).unwrap_or_default();
        let mut partial = Partial::default();
        partial.digest.update(&bytes);
        partial.bytes = bytes.len() as u64;
        Box::pin(std::future::ready(Ok(partial)))
    }

    fn append<'a>(&'a self, sha256: &'a str, offset: u64, bytes: Bytes) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(self.write(sha256, offset, &bytes)))
    }

    fn keep<'a>(&'a self, sha256: &'a str) -> StoreFuture<'a, ()> {
        let kept = std::fs::rename(self.part(sha256), self.path(sha256));
        Box::pin(std::future::ready(kept))
    }

    fn discard<'a>(&'a self, sha256: &'a str) -> StoreFuture<'a, ()> {
        if std::fs::remove_file(self.part(sha256)).is_ok() {
            self.discarded.fetch_add(1, Ordering::Relaxed);
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn retain<'a>(&'a self, _wanted: &'a HashSet<String>) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
