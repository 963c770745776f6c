//! The journal over a real ring and a real file, with a disk that fails when the test says so.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ironherd_link::Rounds;
use ironherd_uring::{Done, RingConfig};
use tokio::sync::mpsc;

use super::*;
use crate::faults::DiskFaults;
use crate::metrics::Metrics;

use crate::view::UrlPorts;

/// A server whose batches are one byte each, and what it was told.
#[derive(Debug, Default)]
struct Book {
    written: u64,
    waits: bool,
    kept: Vec<u64>,
    abandoned: u32,
    failed: u32,
}

impl Book {
    /// Something is to be kept.
    fn grant(&mut self) -> u64 {
        (self.waits, self.written) = (true, self.written + 1);
        self.written
    }
}

impl Promises for Book {
    fn image_bytes(&self) -> usize {
        1
    }

    fn take_journal_batch(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        out.push(b'b');
        std::mem::take(&mut self.waits).then_some(Position(self.written))
    }

    fn take_compaction(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        out.push(b'i');
        self.waits = false;
        Some(Position(self.written))
    }

    fn handle_committed(&mut self, upto: Position) {
        self.kept.push(upto.0);
    }

    fn handle_compaction_abandoned(&mut self) {
        (self.abandoned, self.waits) = (self.abandoned + 1, true);
    }

    fn handle_commit_failed(&mut self) {
        self.failed += 1;
    }
}

struct Lab {
    ring: Ring,
    journal: Journal,
    book: Book,
    now: Now,
    faults: DiskFaults,
    compactions: mpsc::Receiver<Compaction>,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new(bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leases.journal");
        let small = RingConfig {
            submissions: 8,
            datagram_buffers: 8,
            stream_buffers: 1,
            small_slots: 8,
            large_slots: 1,
            streams_max: 1,
            ..RingConfig::default()
        };
        let mut ring = Ring::new(small).unwrap();
        ring.set_journal(File::create(&path).unwrap());
        let (sender, compactions) = mpsc::channel(1);
        let faults = DiskFaults::default();
        let shared = Shared {
            clock: crate::clock::Clock::new(),
            view: Arc::new(ArcSwap::default()),
            metrics: Arc::new(Metrics::new()),
            reports: mpsc::channel(1).0,
            rounds: Rounds::default(),
            compactions: sender,
            probes: mpsc::channel(1).0,
            heard: sync_channel(1).0,
            ports: UrlPorts { http: 0, gateway: 0 },
            durability: Durability::Relaxed,
            dhcp: dhcp::Config::default(),
            dhcp6: dhcp6::Config::default(),
            disk_faults: faults.clone(),
        };
        let journal = Journal::new(path, bytes, ring.waker(), shared);
        // Instants of a rack are never zero.
        let now = Now { instant: Instant::default() + Duration::from_secs(1), ..Now::default() };
        Self { ring, journal, book: Book::default(), now, faults, compactions, folder }
    }

    /// One turn, which ends as a shard's does.
    fn commit(&mut self) {
        self.journal.commit(&mut self.ring, &mut self.book, self.now).unwrap();
        self.ring.submit_and_wait(Some(Duration::ZERO)).unwrap();
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant = self.now.instant + time;
        self.commit();
    }

    /// Waits for what is in flight, each kind in the order asked for.
    fn reap(&mut self, count: usize) -> Vec<Done> {
        let mut done = Vec::new();
        while done.len() < count {
            self.ring.submit_and_wait(Some(Duration::from_secs(20))).unwrap();
            self.ring.reap_into(&mut done).unwrap();
        }
        done
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Committed { bytes, result } => {
                self.journal.on_committed(&mut self.book, bytes, result, self.now);
            }
            Done::Synced { result } => self.journal.on_synced(&mut self.book, result, self.now),
            other => panic!("{other:?}"),
        }
    }

    fn write_one(&mut self) -> u64 {
        let number = self.book.grant();
        self.commit();
        while self.journal.state != State::Idle {
            let done = self.reap(1);
            done.into_iter().for_each(|it| self.take(it));
        }
        number
    }

    /// Ends the compaction that was asked for.
    fn compact(&mut self, outcome: impl FnOnce(File) -> Compacted) {
        let Compaction { path, image, done, .. } = self.compactions.try_recv().unwrap();
        std::fs::write(&path, &image).unwrap();
        done.send(outcome(File::options().write(true).open(path).unwrap())).unwrap();
        self.commit();
    }

    fn failed(&self) -> u64 {
        self.journal.shared.metrics.journals_failed.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// A sync fails while a write is on its way: the write promises nothing, though the kernel took it.
#[test]
fn nothing_is_promised_on_a_file_whose_sync_failed() {
    let mut lab = Lab::new(0);
    let first = lab.write_one();
    assert_eq!(lab.book.kept, [first]);
    let second = lab.book.grant();
    lab.pass(SYNC_EVERY); // Starts the sync, and the next write beside it.
    let mut done = lab.reap(2);
    // The sync is told of first, whichever the kernel finished first.
    done.sort_by_key(|it| !matches!(it, Done::Synced { .. }));
    let [sync, write] = <[Done; 2]>::try_from(done).unwrap();
    lab.faults.fail_with(5);
    lab.take(sync);
    lab.faults.fail_with(0);
    lab.take(write);
    assert_eq!((lab.book.failed, lab.failed()), (1, 1));
    assert_eq!(lab.book.kept, [first], "the second was written to a file that lies");
    // Nothing is tried before its time, and then the whole file is written anew.
    lab.pass(RETRY - Duration::from_millis(1));
    assert!(lab.compactions.try_recv().is_err());
    lab.pass(Duration::from_millis(1));
    lab.compact(Ok);
    assert_eq!(lab.book.kept, [first, second]);
    assert_eq!(lab.failed(), 0);
    let third = lab.write_one();
    assert_eq!(lab.book.kept, [first, second, third]);
    let file = lab.folder.path().join("leases.journal");
    assert_eq!(std::fs::read(file).unwrap(), b"ib");
}

/// A sync of the old file fails while its successor is on the way: only that one counts.
#[test]
fn a_sync_that_fails_during_a_compaction_is_mended_by_it_or_by_the_next() {
    for succeeds in [true, false] {
        let mut lab = Lab::new(COMPACT_BYTES_MIN);
        let first = lab.write_one(); // Now it is too long.
        assert_eq!(lab.book.kept, [first]);
        let second = lab.book.grant();
        lab.pass(SYNC_EVERY);
        let sync = lab.reap(1).pop().unwrap();
        lab.faults.fail_with(28);
        lab.take(sync);
        lab.faults.fail_with(0);
        assert_eq!((lab.book.failed, lab.failed()), (0, 1), "the image holds what would be lost");
        assert_eq!(lab.book.kept, [first]);
        let broken = || CompactError { source: io::Error::from_raw_os_error(28), old_stands: true };
        lab.compact(|file| if succeeds { Ok(file) } else { Err(broken()) });
        if !succeeds {
            // The old file was not touched, but it is not as good as before: it lied.
            assert_eq!((lab.book.abandoned, lab.book.failed, lab.failed()), (0, 1, 1));
            assert_eq!(lab.book.kept, [first]);
            lab.pass(RETRY);
            lab.compact(Ok);
        }
        assert_eq!(lab.book.kept, [first, second], "succeeds: {succeeds}");
        assert_eq!(lab.failed(), 0);
    }
}

/// A compaction that fails leaves a sound journal as good as before.
#[test]
fn an_old_file_that_stands_goes_on() {
    let mut lab = Lab::new(COMPACT_BYTES_MIN);
    let first = lab.write_one();
    lab.book.grant();
    lab.pass(Duration::ZERO);
    let full = || CompactError { source: io::Error::from_raw_os_error(28), old_stands: true };
    lab.compact(|_| Err(full()));
    assert_eq!((lab.book.abandoned, lab.book.failed, lab.failed()), (1, 0, 0));
    let done = lab.reap(1).pop().unwrap();
    lab.take(done);
    assert_eq!(lab.book.kept, [first, 2], "what the image held was written the usual way");
    assert!(lab.compactions.try_recv().is_err(), "not tried again at once");
}
