//! How the table keeps its records, indexes and free lists in step.

use super::*;

impl Table {
    /// The place of an address; made if it has none.
    pub(super) fn slot(&mut self, address: u32) -> u32 {
        let next = u32::try_from(self.records.len()).unwrap_or(NO_SLOT);
        let slot = *self.by_address.entry(address).or_insert(next);
        if slot == next {
            self.records.push(Record::new(address));
        }
        slot
    }

    /// Gives an address to a client; `expires` is set by the caller.
    pub(super) fn assign(&mut self, slot: u32, ask: &Ask<'_>, state: State) {
        let network = ask.subnet().map_or(0, |subnet| subnet.cidr.network().to_bits());
        self.unlist(slot);
        let record = &self.records[at(slot)];
        if (record.mac, record.network) != (ask.mac, network) {
            self.forget_client(slot);
        }
        let record = &mut self.records[at(slot)];
        (record.mac, record.network, record.state) = (ask.mac, network, state);
        let before = self.by_client.insert((ask.mac, network), slot);
        self.file(slot);
        // A client that was offered another address will not come back for that one.
        if let Some(before) = before.filter(|it| *it != slot)
            && self.records[at(before)].state == State::Offered
        {
            let expires = self.records[at(before)].expires;
            self.free(before, expires);
        }
    }

    pub(super) fn forget_client(&mut self, slot: u32) {
        let record = &self.records[at(slot)];
        let key = (record.mac, record.network);
        if self.by_client.get(&key) == Some(&slot) {
            self.by_client.remove(&key);
        }
    }

    pub(super) fn held_by(&self, mac: Mac, address: Ipv4Addr, states: &[State]) -> Option<u32> {
        let slot = *self.by_address.get(&address.to_bits())?;
        let record = &self.records[at(slot)];
        (record.mac == mac && states.contains(&record.state)).then_some(slot)
    }

    pub(super) fn free(&mut self, slot: u32, since: u64) {
        let record = &mut self.records[at(slot)];
        (record.state, record.expires, record.reserved) = (State::Free, since, false);
        self.list_free(slot);
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
        record.position = self.journal.append(record);
    }

    /// Writes the table as a journal whose last record has the number `last`.
    pub(super) fn write_image(&self, out: &mut Vec<u8>, last: u64) {
        let is_current = |slot: u32, record: &Record| {
            self.by_client.get(&(record.mac, record.network)) == Some(&slot)
        };
        let worth = |record: &Record| match record.state {
            State::Bound | State::Quarantined => true,
            // Affinity is worth keeping only where the address may be handed out again. What was
            // never written has no number, and must not use up another's.
            State::Free => record.pool != NO_SLOT && record.position != 0,
            State::Offered => false,
        };
        // The address a client had last must come last, for it replaces the earlier ones.
        let slots = || (0..).zip(&self.records).filter(|(_, record)| worth(record));
        let earlier = slots().filter(|(slot, record)| !is_current(*slot, record));
        let current = slots().filter(|(slot, record)| is_current(*slot, record));
        let count = u64::try_from(slots().count()).unwrap_or(u64::MAX);
        let first = last.saturating_sub(count) + 1;
        for (sequence, (_, record)) in (first..).zip(earlier.chain(current)) {
            journal::encode(out, record, sequence);
        }
    }

    /// Puts a free address at the new end of its pool's list; outside every pool it is on none.
    pub(super) fn list_free(&mut self, slot: u32) {
        self.unlist(slot);
        let Some(at_pool) = self.pools.at(self.records[at(slot)].address) else { return };
        let pool = &mut self.pools.all[at(at_pool)];
        let before = std::mem::replace(&mut pool.newest, slot);
        if before == NO_SLOT {
            pool.oldest = slot;
        } else {
            self.records[at(before)].newer = slot;
        }
        let record = &mut self.records[at(slot)];
        (record.pool, record.older, record.newer) = (at_pool, before, NO_SLOT);
    }

    pub(super) fn unlist(&mut self, slot: u32) {
        let record = &mut self.records[at(slot)];
        let (at_pool, older, newer) = (record.pool, record.older, record.newer);
        if at_pool == NO_SLOT {
            return;
        }
        (record.pool, record.older, record.newer) = (NO_SLOT, NO_SLOT, NO_SLOT);
        let pool = &mut self.pools.all[at(at_pool)];
        match self.records.get_mut(at(older)) {
            Some(neighbour) => neighbour.newer = newer,
            None => pool.oldest = newer,
        }
        match self.records.get_mut(at(newer)) {
            Some(neighbour) => neighbour.older = older,
            None => pool.newest = older,
        }
    }
}

pub(super) const fn at(slot: u32) -> usize {
    slot as usize
}
