//! Which address a client gets.

use super::*;
use crate::pool::Pool;

impl Table {
    pub(super) fn find(&mut self, ask: &Ask<'_>, requested: Option<u32>) -> Option<Choice> {
        let network = ask.subnet()?.cidr.network().to_bits();
        let last =
            self.by_client.get(&(ask.mac, network)).map(|slot| self.records[at(*slot)].address);
        let wishes = [
            (ask.reserved.map(Ipv4Addr::to_bits), ChoiceReason::Reserved),
            (last, ChoiceReason::Last),
            (requested, ChoiceReason::Requested),
        ];
        for (wish, reason) in wishes {
            let could = |wish: &u32| self.is_grantable(ask, *wish) && self.is_free_for(ask, *wish);
            if let Some(address) = wish.filter(could) {
                return Some(Choice { address: address.into(), reason });
            }
        }
        let mut pools = self.pools.of_subnet(ask.subnet);
        pools.find_map(|pool| self.find_in(ask, pool))
    }

    fn find_in(&mut self, ask: &Ask<'_>, at_pool: usize) -> Option<Choice> {
        let pool = self.pools.all.get(at_pool).filter(|it| it.serves(&ask.classes))?;
        let preferred = pool.preferred(ask.mac);
        let could = |it: &u32| self.is_grantable(ask, *it) && self.is_free_for(ask, *it);
        let choice = |reason| move |address: u32| Choice { address: address.into(), reason };
        let preferred = preferred.filter(could).map(choice(ChoiceReason::Preferred));
        let never =
            |table: &mut Self| table.never_used(ask, at_pool).map(choice(ChoiceReason::NeverUsed));
        let longest = |table: &mut Self| {
            table.unused_longest(ask, at_pool).map(choice(ChoiceReason::UnusedLongest))
        };
        preferred.or_else(|| never(self)).or_else(|| longest(self))
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
        let pools = self.pools.all.get(self.pools.of_subnet(ask.subnet)).unwrap_or_default();
        let serves = |pool: &Pool| pool.contains(address) && pool.serves(&ask.classes);
        let in_pool = pools.iter().any(serves);
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

    /// The cursor stays on what it found: it moves on once that has a record.
    fn never_used(&mut self, ask: &Ask<'_>, at_pool: usize) -> Option<u32> {
        loop {
            let pool = self.pools.all.get(at_pool)?;
            let address = pool.nth(pool.cursor)?;
            let is_new = !self.by_address.contains_key(&address);
            if is_new && self.is_grantable(ask, address) {
                return Some(address);
            }
            // Only a reservation may go away: gateway and rack keep their addresses.
            let reserved = is_new && ask.index.reservation_at(address.into()).is_some();
            let pool = self.pools.all.get_mut(at_pool)?;
            pool.cursor += 1; // Each address is passed once, so the walk costs O(1) a request.
            pool.skipped |= reserved;
        }
    }

    fn unused_longest(&mut self, ask: &Ask<'_>, at_pool: usize) -> Option<u32> {
        for _ in 0..BLOCKED_STEPS_MAX {
            let slot = self.pools.all.get(at_pool)?.oldest;
            let address = self.records.get(at(slot))?.address;
            if self.is_grantable(ask, address) {
                return Some(address);
            }
            self.unlist(slot);
            self.list_free(slot);
        }
        None
    }
}
