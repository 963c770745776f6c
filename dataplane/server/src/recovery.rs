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
mod tests {
    use std::io::Write as _;

    use ironherd_leases::{Ask, State};
    use ironherd_snapshot::{ClassSet, Index, Mac, Range, Snapshot, Subnet};

    use super::*;

    #[test]
    fn a_long_damaged_end_is_copied_before_it_is_cut() {
        for (garbage, copies) in [(CUT_BYTES_MAX, 0), (CUT_BYTES_MAX + 1, 1)] {
            let folder = tempfile::tempdir().unwrap();
            let path = journal_of(folder.path(), 0);
            std::fs::write(&path, vec![7; garbage]).unwrap();
            let journal = open_journals(folder.path(), 1, [1, 2], NOW).unwrap().pop().unwrap();
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
        let path = journal_of(folder.path(), 0);
        // Intact, but for its version all zeros.
        let mut record = [0_u8; 64];
        record[..4].copy_from_slice(&0xb17c_4d87_u32.to_le_bytes());
        record[4] = 2;
        std::fs::write(&path, record).unwrap();
        let error = open_journals(folder.path(), 1, [1, 2], NOW).unwrap_err();
        assert!(matches!(error, RackError::JournalVersion { version: 2, .. }), "{error}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 64, "nothing is cut");
    }

    #[test]
    fn only_shards_journals_are_taken_in() {
        let rows = [
            ("leases.journal", true),
            ("leases-7.journal", true),
            ("leases-old.journal", false),
            ("leases-.journal", false),
            ("leases-7.journal.damaged-1", false),
            ("leases6.journal", false),
            ("leases.moved-0", true),
            ("leases.moved-12", true),
            ("leases.moved-", false),
            ("leases.moved-x", false),
            ("leases-1.moved-1", false),
            ("leases.part", false),
            ("leases.new", false),
        ];
        for (name, want) in rows {
            assert_eq!(is_journal(name), want, "{name}");
        }
    }

    pub(super) const CLIENTS: u8 = 100;
    pub(super) const NOW: u64 = 1_800_000_000;
    pub(super) const LEASE_SECONDS: u64 = 600;

    pub(super) fn index() -> Index {
        let range = Range::new([10, 0, 0, 10].into(), [10, 0, 0, 250].into());
        let cidr = "10.0.0.0/24".parse().unwrap();
        let subnet = Subnet { cidr, ranges: vec![range], ..Subnet::default() };
        Index::new(Snapshot { generation: 1, subnets: vec![subnet.into()], ..Snapshot::default() })
    }

    fn mac(client: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, client])
    }

    /// Ends the lease of every third client that has one.
    pub(super) fn release_some(journals: &mut [JournalFile]) {
        for journal in journals {
            let table = &mut journal.table;
            let ended: Vec<_> = table.bound().filter(|it| it.mac.0[5] % 3 == 0).collect();
            for lease in ended {
                table.release(lease.mac, lease.address, NOW).unwrap();
            }
            let mut bytes = Vec::new();
            if table.take_batch(&mut bytes).is_some() {
                journal.file.write_all(&bytes).unwrap();
            }
        }
    }

    /// Binds some clients, each by its shard, and puts that into the journals.
    pub(super) fn bind_all(journals: &mut [JournalFile], index: &Index) {
        for journal in journals {
            let table = &mut journal.table;
            table.follow(index);
            table.set_now(NOW);
            let slice = table.slice();
            for client in (0..CLIENTS).filter(|it| slice.holds(mac(*it))) {
                let (ours, classes) = ([10, 0, 0, 1].into(), ClassSet::NONE);
                let ask = Ask { index, subnet: 0, mac: mac(client), reserved: None, ours, classes };
                let address = table.offer(&ask, None, 60).unwrap().address;
                table.bind(&ask, address, NOW + LEASE_SECONDS).unwrap();
            }
            let mut bytes = Vec::new();
            if let Some(position) = table.take_batch(&mut bytes) {
                journal.file.write_all(&bytes).unwrap();
                table.handle_committed(position);
            }
        }
    }

    pub(super) fn leases(journals: &[JournalFile]) -> Vec<(Mac, std::net::Ipv4Addr)> {
        let mut all = Vec::new();
        for JournalFile { table, .. } in journals {
            let slice = table.slice();
            assert!(table.bound().all(|it| slice.holds(it.mac) && it.state == State::Bound));
            all.extend(table.bound().map(|it| (it.mac, it.address)));
        }
        all.sort_unstable();
        all
    }

    #[test]
    fn leases_outlive_every_change_of_the_number_of_shards() {
        let folder = tempfile::tempdir().unwrap();
        let mut journals = open_journals(folder.path(), 3, [1, 2], NOW).unwrap();
        bind_all(&mut journals, &index());
        let want = leases(&journals);
        assert_eq!(want.len(), usize::from(CLIENTS));
        for count in [3, 1, 16, 16, 2] {
            let journals = open_journals(folder.path(), count, [3, 4], NOW).unwrap();
            assert_eq!(leases(&journals), want, "{count} shards");
            let names = std::fs::read_dir(folder.path()).unwrap();
            assert_eq!(names.count(), count as usize, "one file a shard");
        }
    }

    /// Who had an address last gets it again, whatever the number of shards has become.
    #[test]
    fn what_clients_had_last_outlives_a_change_of_the_number_of_shards() {
        let folder = tempfile::tempdir().unwrap();
        let mut journals = open_journals(folder.path(), 3, [1, 2], NOW).unwrap();
        bind_all(&mut journals, &index());
        let before = leases(&journals);
        release_some(&mut journals);
        let ended: Vec<_> = before.into_iter().filter(|(mac, _)| mac.0[5] % 3 == 0).collect();
        assert_eq!(ended.len(), 34);
        drop(open_journals(folder.path(), 2, [3, 4], NOW).unwrap());
        let journals = open_journals(folder.path(), 2, [5, 6], NOW).unwrap();
        for (mac, address) in ended {
            let journal = journals.iter().find(|it| it.table.slice().holds(mac)).unwrap();
            let lease = journal.table.lease_of(mac, [10, 0, 0, 0].into()).unwrap();
            assert_eq!((lease.address, lease.state), (address, State::Free));
        }
    }

    /// A rack that rests for an hour each time it was started, for years: numbers do not run out.
    #[test]
    fn many_leaps_of_the_clock_lose_no_lease() {
        let folder = tempfile::tempdir().unwrap();
        let mut journals = open_journals(folder.path(), 2, [1, 2], NOW).unwrap();
        bind_all(&mut journals, &index());
        let want = leases(&journals);
        for start in 1..=200 {
            let now = NOW + start * 3600;
            let journals = open_journals(folder.path(), 2, [3, 4], now).unwrap();
            assert_eq!(leases(&journals), want, "start {start}");
            let highest = journals.iter().flat_map(|it| it.table.bound()).map(|it| it.position.0);
            assert!(highest.max().unwrap() <= (start + 1) * u64::from(CLIENTS), "start {start}");
        }
    }

    /// A clock that was or is wrong: leases have as long to go as when the rack last wrote one.
    #[test]
    fn a_leap_of_the_clock_between_two_runs_moves_the_leases() {
        // Seconds from the last write to the start, by the clock, and what the leases have to go.
        let years = 30 * 31_536_000;
        let rows = [(0, 600), (300, 300), (899, -299), (900, 600), (years, 600)];
        let back = [(-300, 900), (-899, 1499), (-900, 600), (-years, 600)];
        for (leap, left) in rows.into_iter().chain(back) {
            let folder = tempfile::tempdir().unwrap();
            let mut journals = open_journals(folder.path(), 2, [1, 2], NOW).unwrap();
            bind_all(&mut journals, &index());
            let want = leases(&journals);
            // Twice: what was moved once is not moved again.
            for start in 0..2 {
                let now = NOW.saturating_add_signed(leap);
                let journals = open_journals(folder.path(), 2, [3, 4], now).unwrap();
                assert_eq!(leases(&journals), want);
                for lease in journals.iter().flat_map(|it| it.table.bound()) {
                    let goes = lease.expires.cast_signed() - now.cast_signed();
                    assert_eq!(goes, left, "{leap} s, start {start}");
                }
            }
        }
    }
}
