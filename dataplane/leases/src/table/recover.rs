//! How a table comes back from its journal.

use super::*;

impl Table {
    /// Reads a journal back that is the rack's only one. The caller cuts the file to `valid_bytes`
    /// before it appends.
    #[must_use]
    pub fn recover(bytes: &[u8]) -> (Self, Recovery) {
        let mut table = Self::default();
        let mut replay = Replay::default();
        table.replay(&mut replay, bytes);
        let recovery = table.end_replay(replay);
        let mut joined = crate::shards::join(vec![table]);
        (joined.tables.pop().unwrap_or_default(), recovery)
    }

    /// Takes in the next piece of this shard's journal. [`join`](crate::join) the tables of all
    /// shards behind the last piece: only then do they know of each other.
    pub fn replay(&mut self, replay: &mut Replay, bytes: &[u8]) {
        replay.push(bytes, |record| self.take_in(record));
    }

    pub fn end_replay(&mut self, replay: Replay) -> Recovery {
        let (recovery, number) = replay.finish();
        self.claims.start_after(number);
        recovery
    }

    /// The lowest number of a record that is in a journal.
    pub(crate) fn lowest_number(&self) -> Option<u64> {
        self.records.iter().map(|it| it.position).filter(|it| *it != 0).min()
    }

    /// Moves all times, and numbers all records anew by `numbers`: what is written now overtakes
    /// what was written before.
    pub(crate) fn shift(&mut self, seconds: i64, numbers: u64) {
        self.calendar = Calendar::default();
        for slot in 0..u32::try_from(self.records.len()).unwrap_or(NO_SLOT) {
            let record = &mut self.records[at(slot)];
            record.expires = record.expires.saturating_add_signed(seconds);
            record.filed = 0;
            if record.position != 0 {
                record.position = record.position.saturating_add(numbers);
            }
            if matches!(record.state, State::Bound | State::Quarantined) {
                self.file(slot);
            }
        }
        self.journal = Journal::starting_after(self.claims.last_number());
    }

    pub(crate) fn take_in(&mut self, from: Record) {
        let slot = self.slot(from.address);
        let known = self.records[at(slot)].position;
        if from.position <= known {
            return; // Of an earlier run's journal, and overtaken since.
        }
        if known != 0 {
            self.forget_client(slot);
        }
        self.records[at(slot)] = from;
        if from.state != State::Quarantined {
            self.by_client.insert(&self.records, slot);
        }
    }

    /// Whether all that was read belongs to this shard's clients.
    pub(crate) fn is_at_home(&self) -> bool {
        self.records.iter().all(|it| self.slice.holds(it.mac))
    }

    pub(crate) fn take_records(&mut self) -> Vec<Record> {
        self.by_address = Places::default();
        std::mem::take(&mut self.records)
    }

    pub(crate) fn position_of(&self, address: u32) -> u64 {
        self.by_address.get(address).map_or(0, |slot| self.records[at(slot)].position)
    }

    pub(crate) fn key(&self) -> [u64; 2] {
        self.by_client.key()
    }

    /// Claims what was read back; what a later record of another shard speaks of is forgotten.
    pub(crate) fn settle(&mut self, is_latest: impl Fn(u32, u64) -> bool) {
        for slot in 0..u32::try_from(self.records.len()).unwrap_or(NO_SLOT) {
            let Record { address, position, state, mac, .. } = self.records[at(slot)];
            let claim = Claim::new(self.slice.index, state, mac);
            if !is_latest(address, position) || !self.claims.swap(address, Claim::NOBODY, claim) {
                self.vacate(slot);
            } else if matches!(state, State::Bound | State::Quarantined) {
                self.file(slot);
            }
        }
        self.journal = Journal::starting_after(self.claims.last_number());
    }
}
