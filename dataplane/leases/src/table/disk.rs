//! What the table wants written, and what it is told of the disk.

use super::*;

impl Table {
    /// Tells what time it is, in Unix seconds: records say when they were written.
    pub fn set_now(&mut self, now: u64) {
        self.journal.set_now(now);
    }

    /// Appends to `out` what the journal shall take next. `None`: nothing waits, or a batch is
    /// still in flight.
    pub fn take_batch(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        self.journal.take_batch(out)
    }

    /// Appends to `out` a whole new journal that replaces the old; ends like a batch.
    pub fn take_compaction(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        let position = self.journal.start_image()?;
        Self::write_image(&[self], out);
        Some(position)
    }

    /// A whole journal that holds just what the table knows.
    #[must_use]
    pub fn compact(&self) -> Vec<u8> {
        let mut image = Vec::with_capacity(self.image_bytes());
        Self::write_image(&[self], &mut image);
        image
    }

    /// About how long a whole new journal would be: compact once the file is many times longer.
    #[must_use]
    pub fn image_bytes(&self) -> usize {
        self.records.len() * journal::RECORD_BYTES
    }

    pub fn handle_committed(&mut self, upto: Position) {
        self.journal.handle_committed(upto);
    }

    /// A compaction of a journal that had not failed came to nothing, and the old file stands.
    /// What the image would have said waits for the next batch.
    pub fn handle_compaction_abandoned(&mut self) {
        self.journal.handle_image_abandoned();
    }

    pub fn handle_commit_failed(&mut self) {
        self.journal.handle_commit_failed();
    }

    /// Whether a write failed and no compaction has replaced the file since.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.journal.is_failed()
    }

    #[must_use]
    pub fn committed(&self) -> Position {
        self.journal.committed()
    }

    /// Bytes that wait for the next batch.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.journal.pending_bytes()
    }
}
