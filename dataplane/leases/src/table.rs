use std::collections::HashMap;
use std::net::Ipv4Addr;

use ironherd_snapshot::{ClassSet, Index, Mac, Subnet};

use crate::calendar::Calendar;
use crate::journal::{self, Journal, Position, Recovery};
use crate::pool::Pools;
use crate::record::{Lease, NO_SLOT, Record, State};

mod choose;
mod keep;

use keep::at;

/// How many free but blocked addresses one request may step over. They go to the end of the list,
/// so the next request looks further on.
const BLOCKED_STEPS_MAX: u32 = 64;

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
        self.index.snapshot().subnets.get(self.subnet)
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

/// Every address that was ever handed out, who holds it, and what the journal knows of it.
#[derive(Debug, Default)]
pub struct Table {
    records: Vec<Record>,
    by_address: HashMap<u32, u32>,
    by_client: HashMap<(Mac, u32), u32>, // Card and network -> the address it had last.
    pools: Pools,
    calendar: Calendar,
    journal: Journal,
}

impl Table {
    /// Reads a journal back. The caller cuts the file to `valid_bytes` before it appends.
    #[must_use]
    pub fn recover(bytes: &[u8]) -> (Self, Recovery) {
        let mut table = Self::default();
        let (recovery, sequence) = journal::replay(bytes, |record| table.take_in(record));
        table.journal = Journal::starting_after(sequence);
        (table, recovery)
    }

    fn take_in(&mut self, from: Record) {
        let slot = self.slot(from.address);
        self.forget_client(slot);
        self.records[at(slot)] = Record { filed: self.records[at(slot)].filed, ..from };
        if from.state == State::Quarantined {
            self.file(slot);
            return;
        }
        self.by_client.insert((from.mac, from.network), slot);
        if from.state == State::Bound {
            self.file(slot);
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
    pub fn keep(&mut self, ask: &Ask<'_>, chosen: Ipv4Addr, hold_until: u64) -> Lease {
        let slot = self.slot(chosen.to_bits());
        let record = &mut self.records[at(slot)];
        if record.state != State::Bound {
            record.expires = hold_until;
            self.assign(slot, ask, State::Offered);
        }
        self.records[at(slot)].lease()
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
        let chosen = self.choose(ask, requested)?;
        Ok(self.keep(ask, chosen.address, hold_until))
    }

    /// Whether the client could be bound to this address now.
    ///
    /// # Errors
    /// [`Refusal::NotOurs`] or [`Refusal::Held`].
    pub fn can_bind(&self, ask: &Ask<'_>, address: Ipv4Addr) -> Result<(), Refusal> {
        let bits = address.to_bits();
        if !self.is_grantable(ask, bits) {
            return Err(Refusal::NotOurs);
        }
        if self.is_free_for(ask, bits) { Ok(()) } else { Err(Refusal::Held) }
    }

    /// Binds a client to an address until `until`, which a lease that already lasts longer keeps.
    /// Promise it only when the position of the grant is committed.
    ///
    /// # Errors
    /// As [`Self::can_bind`].
    pub fn bind(&mut self, ask: &Ask<'_>, address: Ipv4Addr, until: u64) -> Result<Grant, Refusal> {
        self.can_bind(ask, address)?;
        let slot = self.slot(address.to_bits());
        let record = &mut self.records[at(slot)];
        let reserved = ask.reserved == Some(address);
        let held = record.state == State::Bound;
        if held && until <= record.expires && record.reserved == reserved {
            return Ok(Grant { lease: record.lease(), change: Change::Repeated });
        }
        record.reserved = reserved;
        record.expires = if held { record.expires.max(until) } else { until };
        self.assign(slot, ask, State::Bound);
        self.write(slot);
        let change = if held { Change::Renewed } else { Change::Granted };
        Ok(Grant { lease: self.records[at(slot)].lease(), change })
    }

    /// Ends a client's lease. The address stays its first choice until someone else needs it.
    pub fn release(&mut self, mac: Mac, address: Ipv4Addr, now: u64) -> Option<Lease> {
        let slot = self.held_by(mac, address, &[State::Bound])?;
        self.free(slot, now);
        self.write(slot);
        Some(self.records[at(slot)].lease())
    }

    /// Lets an address alone that the client found in use. A reserved one is not quarantined:
    /// the operator gave it to this card, and no other address would do.
    pub fn decline(&mut self, ask: &Ask<'_>, address: Ipv4Addr, until: u64) -> Option<Lease> {
        let slot = self.held_by(ask.mac, address, &[State::Bound, State::Offered])?;
        if ask.reserved == Some(address) {
            return Some(self.records[at(slot)].lease());
        }
        self.forget_client(slot);
        let record = &mut self.records[at(slot)];
        (record.state, record.expires, record.reserved) = (State::Quarantined, until, false);
        self.file(slot);
        self.write(slot);
        Some(self.records[at(slot)].lease())
    }

    /// Takes back an offer that the client did not choose.
    pub fn withdraw_offer(&mut self, mac: Mac, network: Ipv4Addr, now: u64) {
        if let Some(slot) = self.by_client.get(&(mac, network.to_bits())).copied()
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
            self.free(slot, expires);
            if was == State::Bound {
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
        let slot = self.by_address.get(&address.to_bits())?;
        Some(self.records[at(*slot)].lease())
    }

    /// The address a card has, or had last, in the subnet that starts at `network`.
    #[must_use]
    pub fn lease_of(&self, mac: Mac, network: Ipv4Addr) -> Option<Lease> {
        let slot = self.by_client.get(&(mac, network.to_bits()))?;
        Some(self.records[at(*slot)].lease())
    }

    /// Every address that is bound now, in no order.
    pub fn bound(&self) -> impl Iterator<Item = Lease> + '_ {
        self.records.iter().filter(|it| it.state == State::Bound).map(Record::lease)
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

    /// A whole journal that holds just what the table knows.
    #[must_use]
    pub fn compact(&self) -> Vec<u8> {
        let mut image = Vec::with_capacity(self.image_bytes());
        let last = self.records.iter().map(|it| it.position).max().unwrap_or(0);
        self.write_image(&mut image, last.max(self.journal.committed().0));
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
