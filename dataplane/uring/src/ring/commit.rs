use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use io_uring::types::{Fd, FsyncFlags};
use io_uring::{opcode, squeue};

use super::{Done, Ring};
use crate::error::RingError;
use crate::token::{Generation, Kind, Token};

/// The file that commits go to.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    bytes: Option<Vec<u8>>, // In flight.
    written: Option<i32>,
    synced: Option<i32>,
    syncing: bool,     // A sync of its own is in flight …
    old: Option<File>, // … for the file before this one.
}

impl Ring {
    /// Sets the file of [`Self::commit`]. Not while a commit is in flight. A sync that is in flight
    /// ends as one that succeeded: the new file holds what the old one did.
    pub fn set_journal(&mut self, file: File) {
        debug_assert!(!self.is_committing(), "the file in flight must stay");
        let before = self.memory.journal.take().filter(|it| it.syncing);
        let syncing = before.is_some();
        // The kernel may take up a sync only later, and then knows its file by number alone.
        let old = before.map(|it| it.old.unwrap_or(it.file));
        self.memory.journal =
            Some(Journal { file, bytes: None, written: None, synced: None, syncing, old });
    }

    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.memory.journal.as_ref().is_some_and(|it| it.bytes.is_some())
    }

    /// Writes `bytes` at `offset` and then syncs the file's data: two linked operations, so that
    /// a failed write is never followed by a sync. [`Done::Committed`] tells when it is on disk.
    ///
    /// # Errors
    /// [`RingError::Enter`] when the ring is broken.
    pub fn commit(&mut self, bytes: Vec<u8>, offset: u64) -> Result<(), RingError> {
        let Some((write, sync)) = self.start_write(bytes, offset) else { return Ok(()) };
        let tokens = [token(Kind::JournalWrite), token(Kind::JournalSync)];
        self.push_all(&[write.flags(squeue::Flags::IO_LINK), sync], &tokens)
    }

    /// Writes `bytes` at `offset` alone: it outlives this process, but no power cut until
    /// [`Self::sync_journal`]. [`Done::Committed`] tells when it is written.
    ///
    /// # Errors
    /// [`RingError::Enter`] when the ring is broken.
    pub fn write_journal(&mut self, bytes: Vec<u8>, offset: u64) -> Result<(), RingError> {
        let Some((write, _)) = self.start_write(bytes, offset) else { return Ok(()) };
        if let Some(journal) = &mut self.memory.journal {
            journal.synced = Some(0); // That is another's matter.
        }
        self.push(&write, token(Kind::JournalWrite))
    }

    /// Puts all that was written on disk; [`Done::Synced`] tells when. One at a time: `false` if
    /// another is in flight, or there is no file.
    ///
    /// # Errors
    /// [`RingError::Enter`] when the ring is broken.
    pub fn sync_journal(&mut self) -> Result<bool, RingError> {
        let Some(journal) = self.memory.journal.as_mut().filter(|it| !it.syncing) else {
            return Ok(false);
        };
        journal.syncing = true;
        let file = Fd(journal.file.as_raw_fd());
        let sync = opcode::Fsync::new(file).flags(FsyncFlags::DATASYNC).build();
        self.push(&sync, token(Kind::JournalFlush))?;
        Ok(true)
    }

    fn start_write(
        &mut self,
        bytes: Vec<u8>,
        offset: u64,
    ) -> Option<(squeue::Entry, squeue::Entry)> {
        let Some(journal) = self.memory.journal.as_mut().filter(|it| it.bytes.is_none()) else {
            debug_assert!(false, "one commit at a time, into a file that was set");
            return None;
        };
        let file = Fd(journal.file.as_raw_fd());
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let write = opcode::Write::new(file, bytes.as_ptr(), len).offset(offset).build();
        let sync = opcode::Fsync::new(file).flags(FsyncFlags::DATASYNC).build();
        journal.bytes = Some(bytes); // Moving the Vec leaves its memory where it is.
        journal.written = None;
        journal.synced = None;
        Some((write, sync))
    }

    pub(super) fn finish_commit(&mut self, token: Token, result: i32, batch: &mut Vec<Done>) {
        let Some(journal) = &mut self.memory.journal else { return };
        match token.kind {
            Kind::JournalWrite => journal.written = Some(result),
            Kind::JournalSync => journal.synced = Some(result),
            _ => {
                journal.syncing = false;
                let result = if journal.old.take().is_some() { Ok(()) } else { outcome(result) };
                batch.push(Done::Synced { result });
                return;
            }
        }
        let (Some(written), Some(synced)) = (journal.written, journal.synced) else { return };
        let Some(bytes) = journal.bytes.take() else { return };
        let whole = usize::try_from(written).is_ok_and(|it| it == bytes.len());
        let result = match (written, synced) {
            (..0, _) => outcome(written),
            // A short write breaks the link: the disk is full.
            _ if !whole => Err(io::ErrorKind::StorageFull.into()),
            _ => outcome(synced),
        };
        batch.push(Done::Committed { bytes, result });
    }
}

fn token(kind: Kind) -> Token {
    Token::new(kind, Generation::default(), 0)
}

fn outcome(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) }
}
