//! How the table keeps its records, lists and journal in step.

use super::*;

impl Table6 {
    /// Appends to `out` what the journal shall take next. `None`: nothing waits, or a batch is
    /// still in flight.
    pub fn take_batch(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        self.journal.take_batch(out)
    }

    /// Appends to `out` a whole new journal that replaces the old; ends like a batch.
    pub fn take_compaction(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        let position = self.journal.start_image()?;
        self.write_image(out, position.0);
        Some(position)
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

    /// The place of a block; made if it has none.
    pub(super) fn slot(&mut self, ask: &Ask6<'_>, block: Block) -> u32 {
        let next = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        let slot = *self.by_block.entry(block).or_insert(next);
        if slot == next {
            self.records.push(Record {
                block,
                holder: ask.holder.clone(),
                network: ask.network(),
                mac: ask.mac,
                state: State::Free,
                reserved: false,
                listed: false,
                expires: 0,
                position: 0,
                filed: 0,
            });
        }
        slot
    }

    pub(super) fn forget_client(&mut self, slot: u32) {
        let record = &self.records[at(slot)];
        let key = (record.holder.clone(), record.network);
        if self.by_client.get(&key) == Some(&slot) {
            self.by_client.remove(&key);
        }
    }

    pub(super) fn held_by(&self, holder: &Association, block: Block) -> Option<u32> {
        let slot = *self.by_block.get(&block)?;
        let record = &self.records[at(slot)];
        (record.holder == *holder && record.state == State::Bound).then_some(slot)
    }

    pub(super) fn free(&mut self, slot: u32, since: u64) {
        let record = &mut self.records[at(slot)];
        (record.state, record.expires, record.reserved) = (State::Free, since, false);
        self.list_free(slot);
    }

    /// Puts a free block at the end of its pool's list, unless it stands there already.
    pub(super) fn list_free(&mut self, slot: u32) {
        let record = &mut self.records[at(slot)];
        if record.listed {
            return;
        }
        if let Some(pool) = self.pools.at_mut(record.block, record.holder.kind) {
            record.listed = true;
            pool.free.push_back(slot);
        }
    }

    pub(super) fn file(&mut self, slot: u32) {
        let record = &mut self.records[at(slot)];
        let second = record.expires.max(1); // 0 means "not filed".
        if record.filed == 0 || second < record.filed {
            record.filed = second;
            self.calendar.file(second, slot);
        }
    }

    pub(super) fn write(&mut self, slot: u32) {
        let record = &mut self.records[at(slot)];
        let encode = |out: &mut Vec<u8>, number| journal::encode(out, record, number);
        let position = self.journal.append_with(encode);
        record.position = position;
    }

    /// Writes the table as a journal whose last record has the number `last`.
    fn write_image(&self, out: &mut Vec<u8>, last: u64) {
        let is_current = |slot: u32, record: &Record| {
            self.by_client.get(&(record.holder.clone(), record.network)) == Some(&slot)
        };
        let worth = |record: &Record| match record.state {
            State::Bound | State::Quarantined => true,
            // Affinity is worth keeping only where the block may be handed out again.
            State::Free => record.listed && record.position != 0,
            State::Offered => false,
        };
        // What a client had last must come last, for it replaces the earlier ones.
        let slots = || (0..).zip(&self.records).filter(|(_, record)| worth(record));
        let earlier = slots().filter(|(slot, record)| !is_current(*slot, record));
        let current = slots().filter(|(slot, record)| is_current(*slot, record));
        let count = u64::try_from(slots().count()).unwrap_or(u64::MAX);
        let first = last.saturating_sub(count) + 1;
        for (sequence, (_, record)) in (first..).zip(earlier.chain(current)) {
            journal::encode(out, record, sequence);
        }
    }
}

pub(super) const fn at(slot: u32) -> usize {
    slot as usize
}
