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
}

impl Ring {
    /// Sets the file of [`Self::commit`]. Not while a commit is in flight.
    pub fn set_journal(&mut self, file: File) {
        debug_assert!(!self.is_committing(), "the file in flight must stay");
        self.memory.journal = Some(Journal { file, bytes: None, written: None, synced: None });
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
        let Some(journal) = self.memory.journal.as_mut().filter(|it| it.bytes.is_none()) else {
            debug_assert!(false, "one commit at a time, into a file that was set");
            return Ok(());
        };
        let file = Fd(journal.file.as_raw_fd());
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let write = opcode::Write::new(file, bytes.as_ptr(), len).offset(offset).build();
        let sync = opcode::Fsync::new(file).flags(FsyncFlags::DATASYNC).build();
        journal.bytes = Some(bytes); // Moving the Vec leaves its memory where it is.
        journal.written = None;
        journal.synced = None;
        let token = |kind| Token::new(kind, Generation::default(), 0);
        let tokens = [token(Kind::JournalWrite), token(Kind::JournalSync)];
        self.push_all(&[write.flags(squeue::Flags::IO_LINK), sync], &tokens)
    }

    pub(super) fn finish_commit(&mut self, token: Token, result: i32, batch: &mut Vec<Done>) {
        let Some(journal) = &mut self.memory.journal else { return };
        match token.kind {
            Kind::JournalWrite => journal.written = Some(result),
            _ => journal.synced = Some(result),
        }
        let (Some(written), Some(synced)) = (journal.written, journal.synced) else { return };
        let Some(bytes) = journal.bytes.take() else { return };
        let whole = usize::try_from(written).is_ok_and(|it| it == bytes.len());
        let result = match (written, synced) {
            (..0, _) => Err(io::Error::from_raw_os_error(-written)),
            // A short write breaks the link: the disk is full.
            _ if !whole => Err(io::ErrorKind::StorageFull.into()),
            (_, ..0) => Err(io::Error::from_raw_os_error(-synced)),
            _ => Ok(()),
        };
        batch.push(Done::Committed { bytes, result });
    }
}
