use std::net::Ipv4Addr;

use ironherd_snapshot::{ClassSet, Index, Mac, Subnet};

use crate::calendar::Calendar;
use crate::claims::{Claim, Claims};
use crate::clients::Clients;
use crate::journal::{self, Journal, Position, Recovery, Replay};
use crate::places::Places;
use crate::pool::Pools;
use crate::record::{Lease, NO_SLOT, Record, State};
use crate::slice::Slice;

mod choose;
mod disk;
mod keep;
mod recover;

use keep::at;

/// How many free but blocked addresses one request may step over. They go to the end of the list,
/// so the next request looks further on.
const BLOCKED_STEPS_MAX: u32 = 64;
/// How many addresses one request may look at to find what another shard has free.
const SEARCH_STEPS_MAX: u32 = 4096;
/// How often a request may lose an address to another shard between choosing and keeping it.
const RACES_MAX: u32 = 8;

/// Who asks for an address, and where.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub index: &'a Index,
    /// Place of the subnet in the snapshot.
    pub subnet: usize,
    pub mac: Mac,
    /// The address reserved for the client in this subnet.
    pub reserved: Option<Ipv4Addr>,
    /// Never handed out: the rack's own address.
    pub ours: Ipv4Addr,
    /// The classes the client is a member of: some ranges are for members only.
    pub classes: ClassSet,
}

impl Ask<'_> {
    fn subnet(&self) -> Option<&Subnet> {
        Some(self.index.snapshot().subnets.get(self.subnet)?)
    }
}

/// An address that a client could have, and why this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub address: Ipv4Addr,
    pub reason: ChoiceReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChoiceReason {
    /// The operator gave it to the client.
    Reserved,
    /// It has it, or had it last.
    Last,
    /// It asks for it.
    Requested,
    /// The hash of its card names it.
    Preferred,
    NeverUsed,
    UnusedLongest,
}

/// What a client now holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub lease: Lease,
    pub change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// New to this client.
    Granted,
    /// Held before, now for longer.
    Renewed,
    /// Held before for at least as long: nothing was written.
    Repeated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Neither in a range of the subnet nor reserved for this card, or reserved for another.
    NotOurs,
    /// Another client holds it.
    Held,
    /// No address is free.
    Exhausted,
}

/// Every address that one shard handed out, who holds it, and what the journal knows of it.
#[derive(Debug)]
pub struct Table {
    slice: Slice,
    claims: Claims,
    records: Vec<Record>,
    vacant: Vec<u32>, // Slots whose address another shard has taken.
    by_address: Places,
    by_client: Clients,
    pools: Pools,
    calendar: Calendar,
    journal: Journal,
}

impl Default for Table {
    fn default() -> Self {
        Self::of_shard(Slice::WHOLE, Claims::new(), [0; 2])
    }
}

impl Table {
    /// An empty table of one shard. The key is a secret of this run: cards that choose their
    /// numbers must not be able to aim at one place of a hash table.
    #[must_use]
    pub fn of_shard(slice: Slice, claims: Claims, key: [u64; 2]) -> Self {
        Self {
            slice,
            claims,
            records: Vec::new(),
            vacant: Vec::new(),
            by_address: Places::default(),
            by_client: Clients::with_key(key),
            pools: Pools::default(),
            calendar: Calendar::default(),
            journal: Journal::default(),
        }
    }

    /// Takes over the ranges of a snapshot. Cheap while its generation stays the same.
    ///
    /// Leases outside the new ranges stay until they end; they are just not handed out again.
    pub fn follow(&mut self, index: &Index) {
        if !self.pools.follow(index) {
            return;
        }
        let mut free: Vec<u32> = Vec::new();
        for (slot, record) in (0..).zip(&mut self.records) {
            record.pool = NO_SLOT;
            if record.state == State::Free {
                free.push(slot);
            }
        }
        free.sort_by_key(|slot| self.records[at(*slot)].expires);
        for slot in free {
            self.list_free(slot);
        }
    }

    /// Chooses an address for a client: reserved → the last it had → the one it asks for → the one
    /// its card prefers → one never used → the one unused for longest. Nothing is kept yet, and
    /// asking again gives the same.
    ///
    /// # Errors
    /// [`Refusal::Exhausted`] when nothing is left.
    pub fn choose(
        &mut self,
        ask: &Ask<'_>,
        requested: Option<Ipv4Addr>,
    ) -> Result<Choice, Refusal> {
        self.find(ask, requested.map(Ipv4Addr::to_bits)).ok_or(Refusal::Exhausted)
    }

    /// Keeps an address that was chosen just now for its client for a while.
    ///
    /// # Errors
    /// [`Refusal::Held`] if another shard took it meanwhile: choose again.
    pub fn keep(
        &mut self,
        ask: &Ask<'_>,
        chosen: Ipv4Addr,
        hold_until: u64,
    ) -> Result<Lease, Refusal> {
        let address = chosen.to_bits();
        if let Some(slot) = self.bound_slot(ask, address) {
            return Ok(self.records[at(slot)].lease());
        }
        if !self.claim(ask, address, State::Offered) {
            return Err(Refusal::Held);
        }
        let slot = self.slot(address);
        self.records[at(slot)].expires = hold_until;
        self.assign(slot, ask, State::Offered);
        Ok(self.records[at(slot)].lease())
    }

    /// Chooses and keeps.
    ///
    /// # Errors
    /// As [`Self::choose`].
    pub fn offer(
        &mut self,
        ask: &Ask<'_>,
        requested: Option<Ipv4Addr>,
        hold_until: u64,
    ) -> Result<Lease, Refusal> {
        for _ in 0..RACES_MAX {
            let chosen = self.choose(ask, requested)?;
            if let Ok(lease) = self.keep(ask, chosen.address, hold_until) {
                return Ok(lease);
            }
        }
        Err(Refusal::Exhausted)
    }

    /// Whether the client could be bound to this address now. What it holds outside of what the
    /// snapshot grants (a range that shrank, an address now reserved for another) it may keep
    /// until its lease ends: see [`Self::is_draining`].
    ///
    /// # Errors
    /// [`Refusal::NotOurs`] or [`Refusal::Held`].
    pub fn can_bind(&self, ask: &Ask<'_>, address: Ipv4Addr) -> Result<(), Refusal> {
        let bits = address.to_bits();
        if !self.is_grantable(ask, bits) {
            return self.bound_slot(ask, bits).map(drop).ok_or(Refusal::NotOurs);
        }
        if self.is_free_for(ask, bits) { Ok(()) } else { Err(Refusal::Held) }
    }

    /// Binds a client to an address until `until`, which a lease that already lasts longer keeps.
    /// A lease that drains is not made longer: look at when the grant ends before promising.
    /// Promise it only when the position of the grant is committed.
    ///
    /// # Errors
    /// As [`Self::can_bind`].
    pub fn bind(&mut self, ask: &Ask<'_>, address: Ipv4Addr, until: u64) -> Result<Grant, Refusal> {
        self.can_bind(ask, address)?;
        let (bits, reserved) = (address.to_bits(), ask.reserved == Some(address));
        let held = self.bound_slot(ask, bits);
        if let Some(slot) = held {
            let record = &self.records[at(slot)];
            let lasts = until <= record.expires && record.reserved == reserved;
            if lasts || !self.is_grantable(ask, bits) {
                return Ok(Grant { lease: record.lease(), change: Change::Repeated });
            }
        } else if !self.claim(ask, bits, State::Bound) {
            return Err(Refusal::Held);
        }
        let slot = self.slot(bits);
        let record = &mut self.records[at(slot)];
        record.reserved = reserved;
        record.expires = if held.is_some() { record.expires.max(until) } else { until };
        self.assign(slot, ask, State::Bound);
        self.write(slot);
        let change = if held.is_some() { Change::Renewed } else { Change::Granted };
        Ok(Grant { lease: self.records[at(slot)].lease(), change })
    }

    /// Whether a lease runs that would not be granted today: its address is in no range, or is
    /// reserved for another. It is renewed for no longer than it runs already, and then is over.
    #[must_use]
    pub fn is_draining(&self, index: &Index, lease: &Lease) -> bool {
        let is_reserved = index.reservation_at(lease.address).is_some();
        let in_pool = self.pools.at(lease.address.to_bits()).is_some();
        lease.state == State::Bound
            && if lease.reserved { !is_reserved } else { is_reserved || !in_pool }
    }

    /// Ends a client's lease. The address stays its first choice until someone else needs it.
    pub fn release(&mut self, mac: Mac, address: Ipv4Addr, now: u64) -> Option<Lease> {
        let slot = self.held_by(mac, address, &[State::Bound])?;
        // Numbered before another shard can take it: that one's record must be the later.
        let number = self.claims.next_number();
        if !self.free(slot, now) {
            return None;
        }
        self.write_as(slot, number);
        Some(self.records[at(slot)].lease())
    }

    /// Lets an address alone that the client found in use. A reserved one is not quarantined:
    /// the operator gave it to this card, and no other address would do.
    pub fn decline(&mut self, ask: &Ask<'_>, address: Ipv4Addr, until: u64) -> Option<Lease> {
        let slot = self.held_by(ask.mac, address, &[State::Bound, State::Offered])?;
        if ask.reserved == Some(address) {
            return Some(self.records[at(slot)].lease());
        }
        self.quarantine_slot(slot, until)
    }

    /// Lets an offered address alone that someone who never asked us was found to use. `None`: it
    /// is no longer offered.
    pub fn quarantine(&mut self, address: Ipv4Addr, until: u64) -> Option<Lease> {
        let slot = self.by_address.get(address.to_bits())?;
        if self.records[at(slot)].state != State::Offered {
            return None;
        }
        self.quarantine_slot(slot, until)
    }

    /// Takes back an offer that the client did not choose.
    pub fn withdraw_offer(&mut self, mac: Mac, network: Ipv4Addr, now: u64) {
        if let Some(slot) = self.by_client.get(&self.records, mac, network.to_bits())
            && self.records[at(slot)].state == State::Offered
        {
            self.free(slot, now);
        }
    }

    /// Frees one address whose time is over; `Some` if it was a lease. Call until `None`.
    pub fn expire(&mut self, now: u64) -> Option<Lease> {
        while let Some((second, slot)) = self.calendar.take_due(now) {
            let record = &mut self.records[at(slot)];
            if record.filed != second {
                continue; // Filed anew, for an earlier second.
            }
            record.filed = 0;
            let (was, expires) = (record.state, record.expires);
            if was == State::Free {
                continue;
            }
            if now < expires {
                self.file(slot);
                continue;
            }
            if self.free(slot, expires) && was == State::Bound {
                return Some(self.records[at(slot)].lease());
            }
        }
        None
    }

    /// When [`Self::expire`] may next have something to do, in Unix seconds.
    #[must_use]
    pub fn next_expiry(&self) -> Option<u64> {
        self.calendar.next()
    }

    /// What is known of one address.
    #[must_use]
    pub fn lease_at(&self, address: Ipv4Addr) -> Option<Lease> {
        let slot = self.by_address.get(address.to_bits())?;
        Some(self.records[at(slot)].lease())
    }

    /// The address a card has, or had last, in the subnet that starts at `network`.
    #[must_use]
    pub fn lease_of(&self, mac: Mac, network: Ipv4Addr) -> Option<Lease> {
        let slot = self.by_client.get(&self.records, mac, network.to_bits())?;
        Some(self.records[at(slot)].lease())
    }

    /// Every address that is bound now, in no order.
    pub fn bound(&self) -> impl Iterator<Item = Lease> + '_ {
        self.records.iter().filter(|it| it.state == State::Bound).map(Record::lease)
    }

    /// The same from a place on, each with its place. A lease keeps its place for as long as it
    /// runs, so that who walks the table in parts meets every one that runs throughout.
    pub fn bound_from(&self, place: usize) -> impl Iterator<Item = (usize, Lease)> + '_ {
        let rest = self.records.iter().enumerate().skip(place);
        rest.filter(|(_, it)| it.state == State::Bound).map(|(at, it)| (at, it.lease()))
    }

    /// Who has which address, for any thread to read.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    #[must_use]
    pub fn slice(&self) -> Slice {
        self.slice
    }
}
