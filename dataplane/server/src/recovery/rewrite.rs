//! Writes all journals of a rack anew, so that whenever the power fails every lease is in a file
//! that the next start reads.
//!
//! First one file with what all tables know takes a name that nothing else has. From there on the
//! journals say nothing that it does not: they are replaced one by one, and only when all are on
//! disk are it and what an earlier run left removed.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ironherd_leases::Table;

/// How many numbers are tried for the one file: each is left by a start that failed.
const MOVES_MAX: u32 = 10_000;

/// Whether a file holds what all journals said when an earlier start was about to replace them.
pub(super) fn is_whole(name: &str) -> bool {
    let number = name.strip_prefix("leases.moved-");
    number.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
}

/// Replaces the journals by what the tables say and removes the others; the new ones, open.
pub(super) fn rewrite(
    disk: &Disk<'_>,
    own: &[PathBuf],
    others: &[PathBuf],
    tables: &[Table],
) -> io::Result<Vec<(File, u64)>> {
    let whole = disk.unused()?;
    disk.write(&whole, &ironherd_leases::image(tables))?;
    let files = own.iter().zip(tables).map(|(path, table)| {
        let image = table.compact();
        let file = disk.write(path, &image)?;
        Ok((file, u64::try_from(image.len()).unwrap_or_default()))
    });
    let files = files.collect::<io::Result<Vec<_>>>()?;
    for path in others.iter().chain([&whole]) {
        disk.remove(path)?;
    }
    disk.sync()?;
    Ok(files)
}

/// Puts a whole file in a place: what stands there is replaced at once or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    Disk::new(path.parent().unwrap_or(Path::new("."))).write(path, bytes)
}

/// The folder of the journals. A test lets it fail for good after some changes, as a crash does.
pub(super) struct Disk<'a> {
    folder: &'a Path,
    changes_left: Cell<u32>,
}

impl<'a> Disk<'a> {
    pub(super) fn new(folder: &'a Path) -> Self {
        Self { folder, changes_left: Cell::new(u32::MAX) }
    }

    pub(super) fn folder(&self) -> &'a Path {
        self.folder
    }

    #[cfg(test)]
    pub(super) fn crashing_after(folder: &'a Path, changes: u32) -> Self {
        Self { folder, changes_left: Cell::new(changes) }
    }

    fn change(&self) -> io::Result<()> {
        let left = self.changes_left.get().checked_sub(1);
        self.changes_left.set(left.unwrap_or(0));
        left.map(drop).ok_or_else(|| io::Error::other("the test's crash"))
    }

    fn unused(&self) -> io::Result<PathBuf> {
        let mut names = (0..MOVES_MAX).map(|it| self.folder.join(format!("leases.moved-{it}")));
        names.find(|it| !it.exists()).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
    }

    /// As [`replace`].
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        let part = path.with_extension("part");
        let write = || -> io::Result<File> {
            self.change()?;
            let mut file = File::create(&part)?;
            self.change()?;
            file.write_all(bytes)?;
            file.sync_all()?;
            self.change()?;
            std::fs::rename(&part, path)?;
            Ok(file)
        };
        let written = write();
        if written.is_err() && self.change().is_ok() {
            let _ = std::fs::remove_file(&part); // A full disk shall have its room back.
        }
        let file = written?;
        self.sync()?;
        Ok(file)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// A name is on disk only once its folder is.
    fn sync(&self) -> io::Result<()> {
        File::open(self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LEASE_SECONDS, NOW, bind_all, index, leases, release_some};
    use super::super::{is_journal, open_journals, open_with};
    use super::*;

    /// When each start is, by a clock that no two of them agree on.
    const STARTS: [u64; 3] = [NOW + 86_400, NOW - 1_000_000, NOW + 900];

    /// Starts with some number of shards, and crashes after some changes of the disk: `true` if the
    /// start came to its end before.
    fn start(folder: &Path, shards: u32, crash: u32, now: u64) -> bool {
        open_with(&Disk::crashing_after(folder, crash), shards, [3, 4], now).is_ok()
    }

    /// Wherever two starts in a row are cut short, each with another number of shards, the third
    /// finds every lease with as long to go as when it was written, and leaves one file a shard.
    #[test]
    fn starts_cut_short_one_after_the_other_lose_no_lease() {
        for counts in [[1, 2, 3], [3, 2, 1], [2, 1, 2], [3, 3, 1]] {
            let [from, over, to] = counts;
            for first in 0.. {
                let mut over_is_done = false;
                for second in 0.. {
                    let folder = tempfile::tempdir().unwrap();
                    let folder = folder.path();
                    let mut journals = open_journals(folder, from, [1, 2], NOW).unwrap();
                    bind_all(&mut journals, &index());
                    release_some(&mut journals);
                    let want = leases(&journals);
                    over_is_done = start(folder, over, first, STARTS[0]);
                    let to_is_done = start(folder, to, second, STARTS[1]);
                    let journals = open_journals(folder, from, [5, 6], STARTS[2]).unwrap();
                    let at = format!("{counts:?}, after {first} and {second} changes");
                    assert_eq!(leases(&journals), want, "{at}");
                    let mut ends = journals.iter().flat_map(|it| it.table.bound());
                    assert!(ends.all(|it| it.expires == STARTS[2] + LEASE_SECONDS), "{at}");
                    let names = std::fs::read_dir(folder).unwrap();
                    let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
                    assert_eq!(names.filter(|it| is_journal(it)).count(), from as usize, "{at}");
                    if to_is_done {
                        break;
                    }
                }
                if over_is_done {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_full_disk_gets_its_room_back() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path());
        std::fs::create_dir(folder.path().join("taken")).unwrap();
        disk.write(&folder.path().join("taken"), b"a file cannot replace a folder").unwrap_err();
        assert!(!folder.path().join("taken.part").exists());
    }
}
