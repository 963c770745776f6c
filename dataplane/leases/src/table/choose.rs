//! Which address a client gets.

use super::*;
use crate::pool::Pool;

impl Table {
    pub(super) fn find(&mut self, ask: &Ask<'_>, requested: Option<u32>) -> Option<Choice> {
        let network = ask.subnet()?.cidr.network().to_bits();
        let last = self.by_client.get(&self.records, ask.mac, network);
        let last = last.map(|slot| self.records[at(slot)].address);
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
        if preferred.is_some() {
            return preferred;
        }
        let never = choice(ChoiceReason::NeverUsed);
        let longest = choice(ChoiceReason::UnusedLongest);
        (self.never_used(ask, at_pool, true).map(&never))
            .or_else(|| self.unused_longest(ask, at_pool).map(&longest))
            .or_else(|| self.never_used(ask, at_pool, false).map(&never))
            .or_else(|| self.free_elsewhere(ask, at_pool).map(&longest))
    }

    /// Whether the address may go to this client as far as the snapshot is concerned.
    pub(super) fn is_grantable(&self, ask: &Ask<'_>, address: u32) -> bool {
        let address_of = Ipv4Addr::from(address);
        if ask.reserved == Some(address_of) {
            return true;
        }
        let pools = self.pools.all.get(self.pools.of_subnet(ask.subnet)).unwrap_or_default();
        let serves = |pool: &Pool| pool.contains(address) && pool.serves(&ask.classes);
        let in_pool = pools.iter().any(serves);
        let gateway = ask.subnet().and_then(|subnet| subnet.gateway);
        in_pool
            && address_of != ask.ours
            && Some(address_of) != gateway
            && ask.index.reservation_at(address_of).is_none()
    }

    /// Whether nobody else has it.
    pub(super) fn is_free_for(&self, ask: &Ask<'_>, address: u32) -> bool {
        self.may_take(ask, address, self.claims.get(address))
    }

    /// Whether the client may take an address that is claimed like this.
    pub(super) fn may_take(&self, ask: &Ask<'_>, address: u32, claim: Claim) -> bool {
        let own = claim.is_of(self.slice.index) && claim.mac() == ask.mac;
        match claim.state() {
            State::Free => true,
            State::Bound => own,
            // A reservation is stronger than an offer and than a stranger's use.
            State::Offered => own || ask.reserved == Some(address.into()),
            State::Quarantined => ask.reserved == Some(address.into()),
        }
    }

    /// An address of our slice (or outside of it) that no shard ever had. The cursor stays on what
    /// it found: it moves on once that is claimed.
    fn never_used(&mut self, ask: &Ask<'_>, at_pool: usize, inside: bool) -> Option<u32> {
        loop {
            let pool = self.pools.all.get_mut(at_pool)?;
            let cursor = if inside { &mut pool.cursor } else { &mut pool.beyond };
            *cursor = self.slice.skip_to(inside, *cursor);
            let place = *cursor;
            let address = pool.nth(place)?;
            let is_new = self.claims.get(address) == Claim::NOBODY;
            if is_new && self.is_grantable(ask, address) {
                return Some(address);
            }
            // Only a reservation may go away: gateway and rack keep their addresses.
            let reserved = is_new && ask.index.reservation_at(address.into()).is_some();
            let pool = self.pools.all.get_mut(at_pool)?;
            // Each address is passed once, so the walk costs O(1) a request.
            *(if inside { &mut pool.cursor } else { &mut pool.beyond }) = place + 1;
            pool.skipped |= reserved;
        }
    }

    fn unused_longest(&mut self, ask: &Ask<'_>, at_pool: usize) -> Option<u32> {
        for _ in 0..BLOCKED_STEPS_MAX {
            let slot = self.pools.all.get(at_pool)?.oldest;
            let address = self.records.get(at(slot))?.address;
            if !self.claims.get(address).is_of(self.slice.index) {
                self.vacate(slot); // Another shard was dry and took it.
                continue;
            }
            if self.is_grantable(ask, address) {
                return Some(address);
            }
            self.unlist(slot);
            self.list_free(slot);
        }
        None
    }

    /// An address that another shard has free, when we have none. The search goes on where it
    /// found the last, so that requests that find nothing look through the whole pool in turn.
    fn free_elsewhere(&mut self, ask: &Ask<'_>, at_pool: usize) -> Option<u32> {
        if self.slice.count < 2 {
            return None;
        }
        let (len, from) = self.pools.all.get(at_pool).map(|it| (it.len(), it.search))?;
        for step in 0..SEARCH_STEPS_MAX.min(len) {
            let pool = self.pools.all.get_mut(at_pool)?;
            pool.search = (from + step) % len;
            let address = pool.nth(pool.search)?;
            let claim = self.claims.get(address);
            let is_free = claim.state() == State::Free && !claim.is_of(self.slice.index);
            if is_free && self.is_grantable(ask, address) {
                return Some(address);
            }
        }
        None
    }
}
