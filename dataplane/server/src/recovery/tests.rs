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
        let found = names.filter(|it| is_copy(it.as_ref().unwrap().file_name().to_str().unwrap()));
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
