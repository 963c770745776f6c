//! The journal: records of fixed length, each with its own checksum and number.
//!
//! # Layout of a record
//! 64 bytes, little-endian: CRC32C of the rest (4), version (1), kind (1), flags (1), zero (1),
//! sequence number (8), address (4), network (4), MAC (6), zero (2), expiry in Unix seconds (8),
//! when it was written in Unix seconds (8), zero (16).

use crate::crc32c::crc32c;
use crate::record::{Record, State};
use ironherd_snapshot::Mac;

pub(crate) const RECORD_BYTES: usize = 64;
const VERSION: u8 = 1;
const FLAG_RESERVED: u8 = 1;
const WRITTEN_AT: usize = 40;

/// A place in the journal: everything up to and including it is on disk once it is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// What reading a journal back found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Length of the part that holds records; the caller cuts the file here and appends.
    pub valid_bytes: usize,
    /// Whether something that is no record followed: a write that the crash cut short.
    pub torn: bool,
    /// Records taken in.
    pub records: usize,
    /// Places before the last good record that hold none: the disk has lost something.
    pub damaged: usize,
    /// The version of an intact record that is not ours to read: nothing may be cut or appended.
    pub foreign_version: Option<u8>,
    /// Number of the last record, and when it was written by the clock of that run, in Unix
    /// seconds. 0: nothing was, or by a version that did not say.
    pub last: Position,
    pub written: u64,
}

/// Records that wait for the disk, and how far the disk is.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pending: Vec<u8>,
    replaced: Vec<u8>, // What waited when the image in flight was made: it says so, too.
    appended: u64,     // Number of the last record.
    committed: u64,    // Invariant: committed <= in_flight <= appended.
    in_flight: Option<u64>, // Last record of the batch that the caller is writing.
    failed: bool,      // Once a write failed, only a whole new file can be trusted.
    now: u64,          // What records say of when they were written.
}

impl Journal {
    pub(crate) fn starting_after(appended: u64) -> Self {
        Self { appended, committed: appended, ..Self::default() }
    }

    pub(crate) fn set_now(&mut self, now: u64) {
        self.now = now;
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Queues the record's new state under a number above all before: the position to wait for.
    pub(crate) fn append(&mut self, record: &Record, number: u64) {
        debug_assert!(self.appended < number, "numbers rise");
        self.appended = number;
        // A failed journal takes no more: the image that replaces it will hold everything.
        if !self.failed {
            encode(&mut self.pending, record, number, self.now);
        }
    }

    /// Queues what `encode` writes under the next number and the time: the position to wait for.
    pub(crate) fn append_with(&mut self, encode: impl FnOnce(&mut Vec<u8>, u64, u64)) -> u64 {
        self.appended += 1;
        if !self.failed {
            encode(&mut self.pending, self.appended, self.now);
        }
        self.appended
    }

    pub(crate) fn take_batch(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        if self.failed || self.pending.is_empty() || self.in_flight.is_some() {
            return None;
        }
        out.append(&mut self.pending);
        self.in_flight = Some(self.appended);
        Some(Position(self.appended))
    }

    /// Starts a whole new file: what waits is part of it. `None`: a batch is in flight.
    pub(crate) fn start_image(&mut self) -> Option<Position> {
        if self.in_flight.is_some() {
            return None;
        }
        self.replaced = std::mem::take(&mut self.pending);
        self.failed = false; // Records that follow belong behind the image.
        self.in_flight = Some(self.appended);
        Some(Position(self.appended))
    }

    pub(crate) fn handle_committed(&mut self, upto: Position) {
        self.committed = self.committed.max(upto.0.min(self.appended));
        self.in_flight = None;
        self.replaced.clear();
    }

    /// The image did not come about and the old file, which is sound, stands: go on with that.
    pub(crate) fn handle_image_abandoned(&mut self) {
        let later = std::mem::take(&mut self.pending);
        self.pending = std::mem::take(&mut self.replaced);
        self.pending.extend(later);
        self.in_flight = None;
    }

    pub(crate) fn handle_commit_failed(&mut self) {
        self.pending.clear();
        self.replaced.clear();
        self.in_flight = None;
        self.failed = true;
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn committed(&self) -> Position {
        Position(self.committed)
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }
}

pub(crate) fn encode(out: &mut Vec<u8>, record: &Record, sequence: u64, now: u64) {
    let mut bytes = [0; RECORD_BYTES];
    bytes[4] = VERSION;
    bytes[5] = match record.state {
        State::Bound => 1,
        // An offer is not written; should one ever be, it must not come back as a lease.
        State::Free | State::Offered => 2,
        State::Quarantined => 3,
    };
    bytes[6] = if record.reserved { FLAG_RESERVED } else { 0 };
    bytes[8..16].copy_from_slice(&sequence.to_le_bytes());
    bytes[16..20].copy_from_slice(&record.address.to_le_bytes());
    bytes[20..24].copy_from_slice(&record.network.to_le_bytes());
    bytes[24..30].copy_from_slice(&record.mac.0);
    bytes[32..40].copy_from_slice(&record.expires.to_le_bytes());
    bytes[WRITTEN_AT..WRITTEN_AT + 8].copy_from_slice(&now.to_le_bytes());
    let crc = crc32c(&bytes[4..]);
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&bytes);
}

/// The bytes of one record, if its checksum says that they are what was written.
fn intact(bytes: &[u8]) -> Option<&[u8; RECORD_BYTES]> {
    let bytes: &[u8; RECORD_BYTES] = bytes.try_into().ok()?;
    (bytes[..4] == crc32c(&bytes[4..]).to_le_bytes()).then_some(bytes)
}

/// Reads one intact record; `position` of the result is its number.
fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<Record> {
    let mut record = Record::new(u32_at(bytes, 16));
    record.state = match bytes[5] {
        1 => State::Bound,
        2 => State::Free,
        3 => State::Quarantined,
        _ => return None,
    };
    record.reserved = bytes[6] & FLAG_RESERVED != 0;
    record.position = u64_at(bytes, 8);
    record.network = u32_at(bytes, 20);
    record.mac = Mac([bytes[24], bytes[25], bytes[26], bytes[27], bytes[28], bytes[29]]);
    record.expires = u64_at(bytes, 32);
    Some(record)
}

fn u32_at(bytes: &[u8; RECORD_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8; RECORD_BYTES], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// Reads a journal piece by piece.
///
/// A damaged record in the middle is stepped over: what was acknowledged behind it must not be
/// lost with it. Numbers must rise, so that remains of an older file are never taken in.
#[derive(Debug, Default)]
pub struct Replay {
    recovery: Recovery,
    sequence: u64,
    places: usize,
    part: Vec<u8>, // The start of a record whose rest is in the next piece.
}

impl Replay {
    /// Takes in the next piece and shows each good record to `take` in the order written.
    pub(crate) fn push(&mut self, bytes: &[u8], mut take: impl FnMut(Record)) {
        let mut bytes = bytes;
        if !self.part.is_empty() {
            let rest = (RECORD_BYTES - self.part.len()).min(bytes.len());
            self.part.extend_from_slice(&bytes[..rest]);
            bytes = &bytes[rest..];
            if self.part.len() < RECORD_BYTES {
                return;
            }
            let whole = std::mem::take(&mut self.part);
            self.place(&whole, &mut take);
        }
        let places = bytes.chunks_exact(RECORD_BYTES);
        self.part.extend_from_slice(places.remainder());
        for place in places {
            self.place(place, &mut take);
        }
    }

    fn place(&mut self, place: &[u8], take: &mut impl FnMut(Record)) {
        self.places += 1;
        let recovery = &mut self.recovery;
        // Zeros are room that was allocated ahead, not a torn write.
        recovery.torn |= place.iter().any(|it| *it != 0);
        let Some(bytes) = intact(place) else { return };
        if bytes[4] != VERSION {
            recovery.foreign_version = recovery.foreign_version.or(Some(bytes[4]));
            return;
        }
        let Some(record) = decode(bytes).filter(|it| self.sequence < it.position) else { return };
        self.sequence = record.position;
        recovery.last = Position(record.position);
        recovery.written = u64_at(bytes, WRITTEN_AT);
        recovery.records += 1;
        recovery.valid_bytes = self.places * RECORD_BYTES;
        recovery.damaged = self.places - recovery.records;
        recovery.torn = false;
        take(record);
    }

    /// What was found; the number of the last record is the second.
    pub(crate) fn finish(mut self) -> (Recovery, u64) {
        self.recovery.torn |= self.part.iter().any(|it| *it != 0);
        (self.recovery, self.sequence)
    }
}
