use std::collections::HashSet;
use std::fmt;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use ironherd_snapshot::BootFile;
use sha2::Sha256;

pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// The start of a file, left by a download that was cut off.
#[derive(Clone, Debug, Default)]
pub struct Partial {
    pub bytes: u64,
    /// Has taken in just these bytes.
    pub digest: Sha256,
}

/// Where downloaded files go. Named by their digest: a file is there whole, or not at all.
pub trait Store: Send + Sync + fmt::Debug {
    /// Whether the whole file is there.
    fn holds(&self, file: &BootFile) -> bool;

    /// What an earlier download left of a file.
    fn partial<'a>(&'a self, sha256: &'a str) -> StoreFuture<'a, Partial>;

    /// Writes the next bytes of a download.
    fn append<'a>(&'a self, sha256: &'a str, offset: u64, bytes: Bytes) -> StoreFuture<'a, ()>;

    /// Makes a finished download a file that survives a crash: sync, rename, sync the folder.
    fn keep<'a>(&'a self, sha256: &'a str) -> StoreFuture<'a, ()>;

    /// Forgets a download.
    fn discard<'a>(&'a self, sha256: &'a str) -> StoreFuture<'a, ()>;

    /// Removes what no one wants any more, downloads included.
    fn retain<'a>(&'a self, wanted: &'a HashSet<String>) -> StoreFuture<'a, ()>;
}
