//! How the table keeps its records, indexes and free lists in step.

use super::*;

impl Table {
    /// The place of an address; made if it has none.
    pub(super) fn slot(&mut self, address: u32) -> u32 {
        if let Some(slot) = self.by_address.get(address) {
            return slot;
        }
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.records.push(Record::new(address));
            u32::try_from(self.records.len() - 1).unwrap_or(NO_SLOT)
        });
        self.records[at(slot)].address = address;
        self.by_address.set(address, slot);
        slot
    }

    /// Takes an address for a client out of all shards' hands, if it may have it.
    pub(super) fn claim(&self, ask: &Ask<'_>, address: u32, state: State) -> bool {
        let seen = self.claims.get(address);
        self.may_take(ask, address, seen)
            && self.claims.swap(address, seen, Claim::new(self.slice.index, state, ask.mac))
    }

    /// Changes the state of an address that is ours. `false`: another shard has taken it, and
    /// nothing is left of it here.
    fn reclaim(&mut self, slot: u32, state: State) -> bool {
        let Record { address, mac, .. } = self.records[at(slot)];
        let seen = self.claims.get(address);
        let changed = seen.is_of(self.slice.index)
            && self.claims.swap(address, seen, Claim::new(self.slice.index, state, mac));
        if !changed {
            self.vacate(slot);
        }
        changed
    }

    /// Forgets an address that is another shard's now.
    pub(super) fn vacate(&mut self, slot: u32) {
        self.unlist(slot);
        self.forget_client(slot);
        self.by_address.remove(self.records[at(slot)].address);
        self.records[at(slot)] = Record::new(0);
        self.vacant.push(slot);
    }

    /// The record by which the client of an ask holds an address.
    pub(super) fn bound_slot(&self, ask: &Ask<'_>, address: u32) -> Option<u32> {
        self.held_by(ask.mac, address.into(), &[State::Bound])
    }

    /// Gives an address that was claimed to a client; `expires` is set by the caller.
    pub(super) fn assign(&mut self, slot: u32, ask: &Ask<'_>, state: State) {
        let network = ask.subnet().map_or(0, |subnet| subnet.cidr.network().to_bits());
        self.unlist(slot);
        let record = &self.records[at(slot)];
        if (record.mac, record.network) != (ask.mac, network) {
            self.forget_client(slot);
        }
        let record = &mut self.records[at(slot)];
        (record.mac, record.network, record.state) = (ask.mac, network, state);
        let before = self.by_client.insert(&self.records, slot);
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
        self.by_client.remove(&self.records, slot);
    }

    pub(super) fn held_by(&self, mac: Mac, address: Ipv4Addr, states: &[State]) -> Option<u32> {
        let slot = self.by_address.get(address.to_bits())?;
        let record = &self.records[at(slot)];
        (record.mac == mac && states.contains(&record.state)).then_some(slot)
    }

    /// Makes an address free for all; `false` if it was another shard's already.
    pub(super) fn free(&mut self, slot: u32, since: u64) -> bool {
        if !self.reclaim(slot, State::Free) {
            return false;
        }
        let record = &mut self.records[at(slot)];
        (record.state, record.expires, record.reserved) = (State::Free, since, false);
        self.list_free(slot);
        true
    }

    pub(super) fn quarantine_slot(&mut self, slot: u32, until: u64) -> Option<Lease> {
        let number = self.claims.next_number(); // As for a release.
        if !self.reclaim(slot, State::Quarantined) {
            return None;
        }
        self.forget_client(slot);
        let record = &mut self.records[at(slot)];
        (record.state, record.expires, record.reserved) = (State::Quarantined, until, false);
        self.file(slot);
        self.write_as(slot, number);
        Some(self.records[at(slot)].lease())
    }

    pub(super) fn file(&mut self, slot: u32) {
        let record = &mut self.records[at(slot)];
        let second = record.expires.max(1); // 0 means "not filed".
        if record.filed == 0 || second < record.filed {
            record.filed = second;
            self.calendar.file(second, slot);
        }
    }

    /// Queues the record of an address that no other shard can take.
    pub(super) fn write(&mut self, slot: u32) {
        let number = self.claims.next_number();
        self.write_as(slot, number);
    }

    /// Queues a record under a number that was taken while the address was still ours alone.
    pub(super) fn write_as(&mut self, slot: u32, number: u64) {
        let record = &mut self.records[at(slot)];
        record.position = number;
        self.journal.append(record, number);
    }

    /// The number and the slot of all that is worth writing, in no order.
    fn written(&self) -> impl Iterator<Item = (u64, u32)> {
        let unset = self.pools.is_unset();
        let worth = move |record: &Record| match record.state {
            State::Bound | State::Quarantined => true,
            // Affinity is worth keeping only where the address may be handed out again, and where
            // it was ever written. Before the first snapshot nobody knows where that is.
            State::Free => record.position != 0 && (unset || record.pool != NO_SLOT),
            State::Offered => false,
        };
        let numbered = (0_u32..).zip(&self.records).filter(move |(_, record)| worth(record));
        numbered.map(|(slot, record)| (record.position, slot))
    }

    /// Writes tables as one journal. Each record keeps its number: it tells which of two shards
    /// had an address last, and which of its addresses a client had last.
    pub(crate) fn write_image(tables: &[&Self], out: &mut Vec<u8>) {
        let numbered =
            |it: usize| tables[it].written().map(move |(number, slot)| (number, it, slot));
        let mut order: Vec<_> = (0..tables.len()).flat_map(numbered).collect();
        order.sort_unstable();
        out.reserve(order.len() * journal::RECORD_BYTES);
        for (position, table, slot) in order {
            let Self { records, journal, .. } = tables[table];
            journal::encode(out, &records[at(slot)], position, journal.now());
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
