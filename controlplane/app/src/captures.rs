//! Captures: files of packets that racks sent up, kept in memory until somebody fetched them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ironherd_domain::UnixMicros;
use ironherd_snapshot::ask::{CAPTURE_BYTES_MAX, CAPTURE_LINES_MAX, CaptureSummary, CapturedLine};
use ironherd_store::Rack;
use uuid::Uuid;

use crate::desk::Ours;
use crate::{Actor, Answer, App, CommandError};

/// One file of packets, and what is in it.
#[derive(Clone, Debug)]
pub struct Capture {
    pub id: Uuid,
    pub packets: u64,
    /// Packets that fitted the question but not the file.
    pub left_out: u64,
    pub bytes: u64,
    /// The newest packets, oldest first, each with the rack that saw it.
    pub lines: Vec<(String, CapturedLine)>,
    /// Racks that were asked and said nothing.
    pub racks_missing: Vec<String>,
    /// Until when the file can be fetched.
    pub expires: UnixMicros,
}

/// How long a file can be fetched.
const KEPT_FOR: Duration = Duration::from_mins(10);
/// All files together; the oldest make room.
const KEPT_BYTES_MAX: usize = 64 << 20;
const KEPT_MAX: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Captures(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    /// Oldest first.
    files: VecDeque<File>,
}

#[derive(Debug)]
struct File {
    id: Uuid,
    expires: UnixMicros,
    bytes: Arc<[u8]>,
}

impl Captures {
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one file of what several racks sent up.
    pub(crate) fn keep(
        &self,
        parts: Vec<(Rack, CaptureSummary, Vec<u8>)>,
        racks_missing: Vec<String>,
        now: UnixMicros,
    ) -> Capture {
        let files: Vec<&[u8]> = parts.iter().map(|(_, _, bytes)| bytes.as_slice()).collect();
        let (bytes, packets) = merge(&files);
        let mut lines: Vec<(String, CapturedLine)> = Vec::new();
        let mut left_out = 0;
        for (rack, summary, _) in parts {
            left_out += summary.left_out;
            lines.extend(summary.lines.into_iter().map(|it| (rack.name.clone(), it)));
        }
        lines.sort_by_key(|(_, it)| it.at_us); // Stable: packets of one turn stay in their order.
        lines.drain(..lines.len().saturating_sub(CAPTURE_LINES_MAX));
        let id = Uuid::new_v4();
        let expires = now.after(KEPT_FOR);
        let len = u64::try_from(bytes.len()).unwrap_or_default();
        let mut shelf = self.lock();
        shelf.files.push_back(File { id, expires, bytes: bytes.into() });
        let held = |files: &VecDeque<File>| files.iter().map(|it| it.bytes.len()).sum::<usize>();
        while KEPT_MAX < shelf.files.len()
            || (KEPT_BYTES_MAX < held(&shelf.files) && 1 < shelf.files.len())
        {
            shelf.files.pop_front();
        }
        shelf.files.retain(|it| now < it.expires);
        Capture { id, packets, left_out, bytes: len, lines, racks_missing, expires }
    }
}

impl App {
    /// Takes the file of a capture that this rack was asked for.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `CAPTURE_TOO_LARGE`, `CAPTURE_INVALID`.
    pub async fn capture_receive(&self, actor: &Actor, id: &str, bytes: Vec<u8>) -> Answer<()> {
        actor.must_be_rack()?;
        if CAPTURE_BYTES_MAX < bytes.len() {
            let why = format!("A capture has at most {CAPTURE_BYTES_MAX} bytes.");
            return Err(CommandError::refused("CAPTURE_TOO_LARGE", &[], why));
        }
        let ours = Ours::of(&mut self.read().await?, actor).await?;
        let id = Uuid::try_parse(id).unwrap_or_default();
        if records(&bytes).is_none() {
            let why = "This is no pcap file of the kind that racks write.";
            return Err(CommandError::refused("CAPTURE_INVALID", &[], why));
        }
        match self.inner.desk.keep_file(id, &ours, bytes) {
            true => Ok(()),
            false => {
                let why = "Nobody waits for this capture.";
                Err(CommandError::refused("NOT_FOUND", &[], why))
            }
        }
    }

    /// The file of a capture; `None` once its time is over.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`] unless a user asks.
    pub async fn capture_file(&self, actor: &Actor, id: &str) -> Answer<Option<Arc<[u8]>>> {
        actor.must_be_user()?;
        let Ok(id) = Uuid::try_parse(id) else { return Ok(None) };
        let now = self.now();
        let shelf = self.inner.captures.lock();
        let file = shelf.files.iter().find(|it| it.id == id && now < it.expires);
        Ok(file.map(|it| Arc::clone(&it.bytes)))
    }
}

/// A pcap file of Ethernet frames, times in microseconds, little-endian: the one kind that racks
/// write. Magic, version 2.4, zone and accuracy 0, 65,535 bytes a frame, link type 1.
const HEADER: [u8; 24] =
    [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
const RECORD_HEADER: usize = 16;

/// One packet of a pcap file, header and frame.
#[derive(Debug, PartialEq, Eq)]
struct Record<'a> {
    at: (u32, u32), // Seconds, microseconds.
    bytes: &'a [u8],
}

/// The records of a pcap file; `None` if it is none, or cut.
fn records(file: &[u8]) -> Option<Vec<Record<'_>>> {
    let mut rest = file.strip_prefix(&HEADER)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let word = |at: usize| -> Option<u32> {
            Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?))
        };
        let kept = usize::try_from(word(8)?).ok()?;
        let bytes = rest.get(..RECORD_HEADER.checked_add(kept)?)?;
        found.push(Record { at: (word(0)?, word(4)?), bytes });
        rest = rest.get(bytes.len()..)?;
    }
    Some(found)
}

/// Puts the packets of several files into one, in the order of their times.
fn merge(files: &[&[u8]]) -> (Vec<u8>, u64) {
    let mut all: Vec<_> = files.iter().filter_map(|it| records(it)).flatten().collect();
    all.sort_by_key(|it| it.at);
    let mut merged = HEADER.to_vec();
    for it in &all {
        merged.extend_from_slice(it.bytes);
    }
    (merged, u64::try_from(all.len()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(times: &[u32]) -> Vec<u8> {
        let mut file = HEADER.to_vec();
        for at in times {
            for word in [*at, 5, 2, 2] {
                file.extend_from_slice(&word.to_le_bytes());
            }
            file.extend_from_slice(b"xy");
        }
        file
    }

    #[test]
    fn packets_of_several_racks_are_put_in_order() {
        let (merged, packets) = merge(&[&file(&[1, 4]), &file(&[2, 3]), b"no pcap"]);
        assert_eq!((merged, packets), (file(&[1, 2, 3, 4]), 4));
        assert_eq!(merge(&[]).0, HEADER);
    }

    #[test]
    fn a_file_that_is_cut_or_foreign_is_none() {
        let whole = file(&[1, 2]);
        assert_eq!(records(&whole).map(|it| it.len()), Some(2));
        for cut in [0, 10, 25, 41, whole.len() - 1] {
            assert_eq!(records(&whole[..cut]), None, "{cut}");
        }
        let mut huge = file(&[1]);
        huge[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(records(&huge), None);
    }
}
