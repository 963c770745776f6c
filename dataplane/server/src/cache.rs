//! Boot files on this rack, one file each, named by digest.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ironherd_link::{Partial, Store, StoreFuture};
use ironherd_proto::FileRef;
use ironherd_snapshot::BootFile;
use sha2::Digest;

use crate::cold::ColdFiles;

/// The folder of whole files (`<sha256>`) and of downloads (`<sha256>.part`).
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    cold: Arc<dyn ColdFiles>,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf, cold: Arc<dyn ColdFiles>) -> Self {
        Self { folder, cold }
    }

    fn whole(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256)
    }

    fn part(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.part"))
    }
}

impl Store for Cache {
    fn holds(&self, file: &BootFile) -> bool {
        let metadata = std::fs::metadata(self.whole(&file.sha256));
        metadata.is_ok_and(|it| it.is_file() && it.len() == file.size_bytes)
    }

    fn partial<'a>(&'a self, sha256: &'a str) -> StoreFuture<'a, Partial> {
        let path = self.part(sha256);
        Box::pin(async move {
            let digested = tokio::task::spawn_blocking(move || digest_start(&path)).await;
            digested.map_err(io::Error::other)?
        })
    }

    fn append<'a>(&'a self, sha256: &'a str, offset: u64, bytes: Bytes) -> StoreFuture<'a, ()> {
        self.cold.write_at(self.part(sha256), offset, bytes)
    }

    fn keep<'a>(&'a self, sha256: &'a str) -> StoreFuture<'a, ()> {
        self.cold.publish(self.part(sha256), self.whole(sha256))
    }

    fn discard<'a>(&'a self, sha256: &'a str) -> StoreFuture<'a, ()> {
        self.cold.remove(self.part(sha256))
    }

    fn retain<'a>(&'a self, wanted: &'a HashSet<String>) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut entries = tokio::fs::read_dir(&self.folder).await?;
            while let Some(entry) = entries.next_entry().await? {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let sha256 = name.strip_suffix(".part").unwrap_or(&name);
                // Only what we named ourselves: a stranger's file in the folder is not ours.
                if sha256.len() == 64 && !wanted.contains(sha256) {
                    self.cold.remove(entry.path()).await?;
                }
            }
            Ok(())
        })
    }
}

fn digest_start(path: &Path) -> io::Result<Partial> {
    let mut partial = Partial::default();
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(partial),
        Err(error) => return Err(error),
    };
    let mut chunk = vec![0; 1 << 20];
    loop {
        let len = file.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..len).filter(|it| !it.is_empty()) else {
            return Ok(partial);
        };
        partial.digest.update(bytes);
        partial.bytes += u64::try_from(len).unwrap_or_default();
    }
}

/// The files of one snapshot that are here, mapped; and the names of those still to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    by_name: HashMap<String, FileRef>,
    by_digest: HashMap<Arc<str>, FileRef>,
    arriving: HashSet<String>,
}

impl Catalog {
    /// Maps what is there. A file that `before` holds is taken over, not mapped again.
    pub(crate) fn open(folder: &Path, files: &[BootFile], before: &Self) -> Self {
        let mut catalog = Self::default();
        for file in files {
            let sha256 = file.sha256.as_str();
            let known = catalog.by_digest.get(sha256).or_else(|| before.by_digest.get(sha256));
            match known.cloned().or_else(|| open(folder, file)) {
                Some(found) => {
                    catalog.by_digest.insert(Arc::clone(&found.sha256), found.clone());
                    catalog.by_name.entry(file.name.clone()).or_insert(found);
                }
                None => {
                    catalog.arriving.insert(file.name.clone());
                    catalog.arriving.insert(file.sha256.clone());
                }
            }
        }
        catalog
    }

    pub(crate) fn named(&self, name: &str) -> Option<&FileRef> {
        self.by_name.get(name)
    }

    pub(crate) fn digested(&self, sha256: &str) -> Option<&FileRef> {
        self.by_digest.get(sha256)
    }

    pub(crate) fn is_arriving(&self, name_or_sha256: &str) -> bool {
        self.arriving.contains(name_or_sha256)
    }

    /// How many files (each has a name and a digest) are still to come.
    pub(crate) fn arriving_count(&self) -> u64 {
        u64::try_from(self.arriving.len()).unwrap_or(u64::MAX).div_ceil(2)
    }

    pub(crate) fn holds(&self, file: &BootFile) -> bool {
        self.by_digest.contains_key(file.sha256.as_str())
    }
}

fn open(folder: &Path, file: &BootFile) -> Option<FileRef> {
    let path = folder.join(&file.sha256);
    let opened = File::open(&path).ok()?;
    // A file of another length is not what the region means, whatever its name says.
    if opened.metadata().ok()?.len() != file.size_bytes {
        return None;
    }
    match ironherd_uring::map_file(&opened) {
        Ok(bytes) => Some(FileRef { bytes, sha256: Arc::from(file.sha256.as_str()) }),
        Err(error) => {
            let path = path.display();
            tracing::warn!(id = "rack.cache.map", %error, %path, "a boot file could not be mapped");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot_file(name: &str, sha256: &str, size_bytes: u64) -> BootFile {
        BootFile { name: name.to_owned(), sha256: sha256.repeat(64), size_bytes }
    }

    #[test]
    fn a_catalog_serves_what_is_here_and_names_what_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name.repeat(64)), bytes).unwrap();
        };
        write("a", b"whole");
        write("b", b"cut o");
        let files = [
            boot_file("one", "a", 5),
            boot_file("same/bytes", "a", 5),
            boot_file("two", "b", 6),
            boot_file("three", "c", 1),
        ];
        let catalog = Catalog::open(folder.path(), &files, &Catalog::default());
        let bytes = |it: Option<&FileRef>| it.map(|it| it.bytes.to_vec());
        assert_eq!(bytes(catalog.named("one")), Some(b"whole".to_vec()));
        assert_eq!(bytes(catalog.named("same/bytes")), Some(b"whole".to_vec()));
        assert_eq!(bytes(catalog.digested(&"a".repeat(64))), Some(b"whole".to_vec()));
        for (name, arriving) in [("one", false), ("two", true), ("three", true), ("four", false)] {
            assert_eq!(catalog.is_arriving(name), arriving, "{name}");
            assert_eq!(catalog.named(name).is_none(), name != "one", "{name}");
        }
        // A file that is taken over stays, even after it was removed from the folder.
        std::fs::remove_file(folder.path().join("a".repeat(64))).unwrap();
        let later = Catalog::open(folder.path(), &files, &catalog);
        assert_eq!(bytes(later.named("one")), Some(b"whole".to_vec()));
    }
}
