//! Brings the leases of an earlier run back, with however many shards that had.
//!
//! Shard 0 writes `leases.journal`, shard n `leases-n.journal`. All that is there is read, each
//! journal by a thread of its own. Where a record is not in the journal of the shard that has its
//! client now, or the clock has made a leap, all are written anew.

mod rewrite;

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ironherd_leases::{Claims, Recovery, Replay, Slice, Table, join, shift_times};

pub(crate) use self::rewrite::replace;
use self::rewrite::{Disk, rewrite};
use crate::clock::since_epoch;
use crate::error::RackError;

/// The journal as it was found at start, and the leases that it tells of.
#[derive(Debug)]
pub(crate) struct JournalFile {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    pub(crate) bytes: u64,
    pub(crate) table: Table,
}

/// A crash cuts short one batch, which is seldom longer; more is a fault of the disk.
pub(crate) const CUT_BYTES_MAX: usize = 64 << 10;
const PIECE_BYTES: usize = 1 << 20;
/// In seconds. Clocks are wrong by time zones, of which the smallest step is a quarter of an hour.
const CLOCK_LEAP_MIN: u64 = 900;

/// The journal of one shard.
pub(crate) fn journal_of(folder: &Path, shard: usize) -> PathBuf {
    match shard {
        0 => folder.join("leases.journal"),
        _ => folder.join(format!("leases-{shard}.journal")),
    }
}

/// Opens the journal of every shard, with the leases that are its clients' now.
///
/// The key is a secret of this run, for the tables' hashing; `now` is in Unix seconds.
pub(crate) fn open_journals(
    folder: &Path,
    count: u32,
    key: [u64; 2],
    now: u64,
) -> Result<Vec<JournalFile>, RackError> {
    open_with(&Disk::new(folder), count, key, now)
}

fn open_with(
    disk: &Disk<'_>,
    count: u32,
    key: [u64; 2],
    now: u64,
) -> Result<Vec<JournalFile>, RackError> {
    let folder = disk.folder();
    let own: Vec<PathBuf> = (0..count as usize).map(|it| journal_of(folder, it)).collect();
    let others = others(folder, &own).map_err(RackError::file(folder))?;
    let claims = Claims::new();
    let shard = &|index: u32, path: &Path| {
        let mut table = Table::of_shard(Slice { index, count }, claims.clone(), key);
        let found = read_back(path, &mut table)?;
        let mut last = (found.last, found.written);
        for other in others.iter().skip(index as usize).step_by(count as usize) {
            let found = read_back(other, &mut table)?;
            last = last.max((found.last, found.written));
        }
        Ok((table, (found, last)))
    };
    let read = std::thread::scope(|scope| {
        let shards = (0..count).zip(&own);
        let threads: Vec<_> =
            shards.map(|(index, path)| scope.spawn(move || shard(index, path))).collect();
        let ends = threads.into_iter().map(|it| it.join().map_err(|_| RackError::Panicked)?);
        ends.collect::<Result<Vec<_>, RackError>>()
    })?;
    let (tables, found): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let mut joined = join(tables);
    let written = found.iter().map(|(_, last)| *last).max().map_or(0, |(_, written)| written);
    let leap = clock_leap(written, now);
    if leap != 0 {
        shift_times(&mut joined.tables, leap);
    }
    joined.tables.iter_mut().for_each(|it| it.set_now(now));
    let files: Vec<_> = if joined.moved || leap != 0 || !others.is_empty() {
        let (shards, leap_seconds) = (own.len(), leap);
        tracing::info!(id = "rack.journal.moved", shards, leap_seconds, "leases are written anew");
        let moved = rewrite(disk, &own, &others, &joined.tables);
        moved.map_err(RackError::file(folder))?
    } else {
        let settled = own
            .iter()
            .zip(&found)
            .map(|(path, (it, _))| settle(path, it).map_err(RackError::file(path.as_path())));
        settled.collect::<Result<_, _>>()?
    };
    // A new file's name is on disk only once its folder is.
    sync_folder(folder).map_err(RackError::file(folder))?;
    let leases: usize = joined.tables.iter().map(|it| it.bound().count()).sum();
    let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    tracing::info!(id = "rack.journal", leases, bytes, shards = count, "leases were read back");
    let whole = |(path, ((file, bytes), table))| JournalFile { path, file, bytes, table };
    Ok(own.into_iter().zip(files.into_iter().zip(joined.tables)).map(whole).collect())
}

/// By how many seconds all leases are to be moved at start.
///
/// A clock that was wrong in the run before, or is wrong now, must not end leases that clients
/// count on, nor keep them for years. Who reads two times far apart cannot tell that from a long
/// rest, and need not: a lease then has as long to go as when the rack last wrote one.
pub(crate) fn clock_leap(written: u64, now: u64) -> i64 {
    let leap = now.cast_signed().saturating_sub(written.cast_signed());
    if written == 0 || leap.unsigned_abs() < CLOCK_LEAP_MIN { 0 } else { leap }
}

/// What an earlier run left beside the journals of this one: those of more shards than there are
/// now, and of a move that was cut short.
fn others(folder: &Path, own: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut others = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if is_journal(name) && !own.contains(&path) {
            others.push(path);
        }
    }
    others.sort();
    Ok(others)
}

/// Whether a file is a shard's journal, in its place or on the way there: what an operator copied
/// to another name is left alone.
fn is_journal(name: &str) -> bool {
    let stem = name.strip_suffix(".journal");
    let shard = stem.and_then(|it| it.strip_prefix("leases-"));
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    stem == Some("leases") || shard.is_some_and(is_number) || rewrite::is_whole(name)
}

/// Reads one journal piece by piece: it may be larger than what it says many times over.
fn read_back(path: &Path, table: &mut Table) -> Result<Recovery, RackError> {
    let mut replay = Replay::default();
    let mut read = || {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            file => file?,
        };
        let mut piece = vec![0; PIECE_BYTES];
        let mut whole = 0;
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(whole),
                Ok(len) => {
                    table.replay(&mut replay, &piece[..len]);
                    whole += len;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    let whole = read().map_err(RackError::file(path))?;
    let recovery = table.end_replay(replay);
    if let Some(version) = recovery.foreign_version {
        return Err(RackError::JournalVersion { path: path.to_owned(), version });
    }
    let file = path.display();
    if 0 < recovery.damaged {
        let (id, damaged) = ("rack.journal.damaged", recovery.damaged);
        tracing::error!(id, %file, damaged, "the disk has lost records inside of the journal");
    }
    let cut = whole - recovery.valid_bytes;
    if 0 < cut {
        tracing::warn!(id = "rack.journal.cut", %file, cut, "the journal's end was half-written");
    }
    if recovery.torn && CUT_BYTES_MAX < cut {
        set_aside(path).map_err(RackError::file(path))?;
    }
    Ok(recovery)
}

/// Cuts off what a crash left half-written.
fn settle(path: &Path, found: &Recovery) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(path)?;
    let valid = u64::try_from(found.valid_bytes).unwrap_or_default();
    if file.metadata()?.len() != valid {
        file.set_len(valid)?;
    }
    file.sync_all()?;
    Ok((file, valid))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Copies a journal that a crash alone cannot have made: someone may still read it.
pub(crate) fn set_aside(path: &Path) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".damaged-{}", since_epoch().as_secs()));
    let copy = path.with_file_name(name);
    std::fs::copy(path, &copy)?;
    let id = "rack.journal.aside";
    tracing::error!(id, copy = %copy.display(), "the journal is damaged; this is a copy of it");
    Ok(())
}

#[cfg(test)]
mod tests;
