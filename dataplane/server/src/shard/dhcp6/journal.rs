use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ironherd_leases::v6::Table6;

use crate::error::RackError;
use crate::recovery::{CUT_BYTES_MAX, clock_leap, replace, set_aside};

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
    /// `now` is in Unix seconds.
    pub(super) fn open(path: &Path, now: u64) -> Result<Self, RackError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let read = || {
            let mut file = options.open(path)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok((file, bytes))
        };
        let (file, bytes) = read().map_err(RackError::file(path))?;
        let (mut table, recovery) = Table6::recover(&bytes);
        if let Some(version) = recovery.foreign_version {
            return Err(RackError::JournalVersion { path: path.to_owned(), version });
        }
        let cut = bytes.len() - recovery.valid_bytes;
        if 0 < recovery.damaged || recovery.torn {
            let damaged = recovery.damaged;
            let id = "rack.journal6.damaged";
            tracing::error!(id, damaged, cut, "the IPv6 journal has lost records, or its end");
        }
        if recovery.torn && CUT_BYTES_MAX < cut {
            set_aside(path).map_err(RackError::file(path))?;
        }
        table.set_now(now);
        let leap = clock_leap(recovery.written, now);
        if leap != 0 {
            tracing::info!(id = "rack.journal6.moved", leap, "IPv6 leases are written anew");
            let (file, bytes) = rewrite(path, &mut table, leap).map_err(RackError::file(path))?;
            return Ok(Self { path: path.to_owned(), file, bytes, table });
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

/// Puts a journal in the place of the old one that holds the same leases by this clock.
fn rewrite(path: &Path, table: &mut Table6, leap: i64) -> io::Result<(File, u64)> {
    table.shift_times(leap);
    let mut image = Vec::new();
    let upto = table.take_compaction(&mut image);
    let file = replace(path, &image)?;
    upto.into_iter().for_each(|it| table.handle_committed(it));
    Ok((file, u64::try_from(image.len()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use ironherd_leases::v6::{Ask6, Association, Block, Kind};
    use ironherd_snapshot::{Index, Range6, Snapshot, Subnet6};

    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_leap_of_the_clock_between_two_runs_moves_the_leases() {
        let address = |it: &str| it.parse().unwrap();
        let range = Range6 { first: address("fd77::10"), last: address("fd77::1f") };
        let cidr = "fd77::/64".parse().unwrap();
        let subnet = Subnet6 { cidr, ranges: vec![range], ..Subnet6::default() };
        let snapshot =
            Snapshot { generation: 1, subnets6: vec![subnet.into()], ..Snapshot::default() };
        let index = Index::new(snapshot);
        let holder = Association { duid: [4; 18].into(), iaid: 1, kind: Kind::Address };
        let ask = Ask6 {
            index: &index,
            subnet: 0,
            holder: &holder,
            mac: None,
            reserved: None,
            ours: &[],
        };
        let block = Block::address(address("fd77::12"));
        let now = 1_800_000_000_u64;
        for (leap, left) in [(0, 600), (899, -299), (900, 600), (-900, 600), (-899, 1499)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("leases6.journal");
            let mut journal = JournalFile6::open(&path, now).unwrap();
            journal.table.follow(&index);
            journal.table.bind(&ask, block, now + 600).unwrap();
            let mut bytes = Vec::new();
            journal.table.take_batch(&mut bytes).unwrap();
            journal.file.write_all(&bytes).unwrap();
            for start in 0..2 {
                let now = now.saturating_add_signed(leap);
                let journal = JournalFile6::open(&path, now).unwrap();
                let lease = journal.table.lease_at(block).unwrap();
                assert!(lease.is_held_by(&holder));
                let goes = lease.expires.cast_signed() - now.cast_signed();
                assert_eq!(goes, left, "{leap} s, start {start}");
                assert_eq!(journal.bytes, std::fs::metadata(&path).unwrap().len());
            }
        }
    }
}
