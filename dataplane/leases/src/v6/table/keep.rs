//! How the table keeps its records, lists and journal in step.

use super::*;

impl Table6 {
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

    /// The place of a block; made if it has none. `None`: every place has a lease that runs.
    pub(super) fn slot(&mut self, ask: &Ask6<'_>, block: Block) -> Option<u32> {
        if let Some(slot) = self.by_block.get(&block) {
            return Some(*slot);
        }
        let record = Record::free(block, ask.holder.clone());
        self.place(Record { network: ask.network(), mac: ask.mac, ..record })
    }

    /// Gives a block that has none a place: a new one, or that of what was free for longest.
    pub(super) fn place(&mut self, record: Record) -> Option<u32> {
        if self.records.len() < RECORDS_MAX {
            return Some(self.add(record));
        }
        let (slot, block) = (self.forget_oldest()?, record.block);
        let filed = self.records[at(slot)].filed; // The calendar has it still.
        self.records[at(slot)] = Record { filed, ..record };
        self.by_block.insert(block, slot);
        Some(slot)
    }

    pub(super) fn add(&mut self, record: Record) -> u32 {
        let slot = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        self.by_block.insert(record.block, slot);
        self.records.push(record);
        slot
    }

    /// Takes the place of a free block: first of those that are in no pool, then the oldest.
    fn forget_oldest(&mut self) -> Option<u32> {
        let Self { orphans, pools, records, .. } = self;
        let mut first = |list: &mut VecDeque<u32>| {
            // Some are their last client's again, and come back when they are free.
            while let Some(slot) = list.front().copied() {
                let record = &mut records[at(slot)];
                if record.state == State::Free {
                    return Some((record.expires, slot));
                }
                record.listed = false;
                list.pop_front();
            }
            None
        };
        let slot = if let Some((_, slot)) = first(orphans) {
            orphans.pop_front();
            slot
        } else {
            let lists = pools.iter_mut().map(|it| &mut it.free);
            let fronts = lists.filter_map(|list| Some((first(list)?, list)));
            let ((_, slot), list) = fronts.min_by_key(|(front, _)| *front)?;
            list.pop_front();
            slot
        };
        self.forget_client(slot);
        let Record { block, ref holder, .. } = self.records[at(slot)];
        if let Some(pool) = self.pools.at_mut(block, holder.kind) {
            pool.come_back_to(block);
        }
        self.by_block.remove(&block);
        Some(slot)
    }

    /// Keeps in step which prefixes are held: see [`Self::meets_a_prefix`].
    pub(super) fn mark_prefix(&mut self, slot: u32) {
        let Record { block, state, ref holder, .. } = self.records[at(slot)];
        let key = (block.address.to_bits(), block.len);
        if holder.kind == Kind::Prefix && state != State::Free {
            self.prefixes.insert(key);
        } else {
            self.prefixes.remove(&key);
        }
    }

    /// Whether a prefix lies in another one that is held, or around it: that of a pool whose
    /// delegated length has changed since.
    pub(super) fn meets_a_prefix(&self, kind: Kind, block: Block) -> bool {
        if kind != Kind::Prefix {
            return false;
        }
        let first = block.address.to_bits();
        let last = last_of(first, block.len);
        let mut inside = self.prefixes.range((first, 0)..=(last, 128));
        // What is held does not overlap: only the nearest before may reach so far.
        let around = self.prefixes.range(..(first, 0)).next_back();
        inside.any(|it| *it != (first, block.len))
            || around.is_some_and(|(other, len)| first <= last_of(*other, *len))
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
        self.mark_prefix(slot);
        self.list_free(slot);
    }

    /// Puts a free block at the end of its pool's list, or of those in none, unless it is there.
    pub(super) fn list_free(&mut self, slot: u32) {
        let record = &mut self.records[at(slot)];
        if record.listed {
            return;
        }
        record.listed = true;
        match self.pools.at_mut(record.block, record.holder.kind) {
            Some(pool) => pool.free.push_back(slot),
            None => {
                self.orphans.push_back(slot);
                self.pools.look_again();
            }
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
        let encode = |out: &mut Vec<u8>, number, now| journal::encode(out, record, number, now);
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
            State::Free => {
                let has = || self.pools.has(record.block, record.holder.kind);
                record.position != 0 && (self.pools.is_unset() || has())
            }
            State::Offered => false,
        };
        // What a client had last must come last, for it replaces the earlier ones.
        let slots = || (0..).zip(&self.records).filter(|(_, record)| worth(record));
        let earlier = slots().filter(|(slot, record)| !is_current(*slot, record));
        let current = slots().filter(|(slot, record)| is_current(*slot, record));
        let count = u64::try_from(slots().count()).unwrap_or(u64::MAX);
        let first = last.saturating_sub(count) + 1;
        for (sequence, (_, record)) in (first..).zip(earlier.chain(current)) {
            journal::encode(out, record, sequence, self.journal.now());
        }
    }
}

pub(super) const fn at(slot: u32) -> usize {
    slot as usize
}

/// The last address of a prefix.
fn last_of(first: u128, len: u8) -> u128 {
    first | u128::MAX.checked_shr(len.into()).unwrap_or(0)
}
