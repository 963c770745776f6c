//! Which address a client gets.

use super::*;

impl Table {
    pub(super) fn choose(&mut self, ask: &Ask<'_>, requested: Option<u32>) -> Option<u32> {
        let network = ask.subnet()?.cidr.network().to_bits();
        let reserved = ask.reserved.map(Ipv4Addr::to_bits);
        let last =
            self.by_client.get(&(ask.mac, network)).map(|slot| self.records[at(*slot)].address);
        let preferred = self.pools.all.get(ask.subnet).and_then(|pool| pool.preferred(ask.mac));
        let wishes = [reserved, last, requested, preferred];
        let granted = wishes
            .into_iter()
            .flatten()
            .find(|wish| self.is_grantable(ask, *wish) && self.is_free_for(ask, *wish));
        match granted {
            Some(address) => Some(self.slot(address)),
            None => self.never_used(ask).or_else(|| self.unused_longest(ask)),
        }
    }

    /// Whether the address may go to this client as far as the snapshot is concerned.
    pub(super) fn is_grantable(&self, ask: &Ask<'_>, address: u32) -> bool {
        let address_of = Ipv4Addr::from(address);
        if ask.reserved == Some(address_of) {
            return true;
        }
        if ask.index.reservation_at(address_of).is_some() {
            return false;
        }
        let in_pool = self.pools.all.get(ask.subnet).is_some_and(|pool| pool.contains(address));
        let gateway = ask.subnet().and_then(|subnet| subnet.gateway);
        in_pool && address_of != ask.ours && Some(address_of) != gateway
    }

    /// Whether nobody else has it.
    pub(super) fn is_free_for(&self, ask: &Ask<'_>, address: u32) -> bool {
        let Some(slot) = self.by_address.get(&address) else { return true };
        let record = &self.records[at(*slot)];
        match record.state {
            State::Free => true,
            State::Bound => record.mac == ask.mac,
            // A reservation is stronger than an offer and than a stranger's use.
            State::Offered | State::Quarantined => {
                (record.mac == ask.mac && record.state == State::Offered)
                    || ask.reserved == Some(Ipv4Addr::from(address))
            }
        }
    }

    fn never_used(&mut self, ask: &Ask<'_>) -> Option<u32> {
        loop {
            let pool = self.pools.all.get_mut(ask.subnet)?;
            let address = pool.nth(pool.cursor)?;
            pool.cursor += 1; // Each address is passed once, so the walk costs O(1) a request.
            if self.by_address.contains_key(&address) {
                continue;
            }
            if self.is_grantable(ask, address) {
                return Some(self.slot(address));
            }
            // Only a reservation may go away: gateway and rack keep their addresses.
            let reserved = ask.index.reservation_at(address.into()).is_some();
            self.pools.all.get_mut(ask.subnet)?.skipped |= reserved;
        }
    }

    fn unused_longest(&mut self, ask: &Ask<'_>) -> Option<u32> {
        for _ in 0..BLOCKED_STEPS_MAX {
            let slot = self.pools.all.get(ask.subnet)?.oldest;
            let address = self.records.get(at(slot))?.address;
            if self.is_grantable(ask, address) {
                return Some(slot);
            }
            self.unlist(slot);
            self.list_free(slot);
        }
        None
    }
}
