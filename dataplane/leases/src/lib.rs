//! Address pools, the lease table and the journal that survives a crash.

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
}

#[derive(Debug, Default)]
pub struct Table {}

impl Table {
    #[must_use]
    pub fn recover(_bytes: &[u8]) -> (Self, Recovery) {
        (Self {}, Recovery::default())
    }

    /// A whole journal that holds just what the table knows.
    #[must_use]
    pub fn compact(&self) -> Vec<u8> {
        Vec::new()
    }

    pub fn take_batch(&mut self, _out: &mut Vec<u8>) -> Option<Position> {
        None
    }

    pub fn take_compaction(&mut self, _out: &mut Vec<u8>) -> Option<Position> {
        None
    }

    pub fn handle_committed(&mut self, _upto: Position) {}

    pub fn handle_commit_failed(&mut self) {}
}
