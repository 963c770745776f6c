use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::Ipv6Addr;

use ironherd_snapshot::{Index, Mac, Subnet6};

use super::journal;
use super::pool::Pools;
use super::record::{Association, Block, DUID_BYTES_MAX, Kind, Lease6, Record};
use crate::calendar::Calendar;
use crate::journal::Journal;
use crate::{Position, Recovery, State};

mod keep;

use keep::at;

/// Anybody may claim any number of DUIDs, and a /64 never runs out: this does. What was free for
/// longest is then forgotten for what is new.
const RECORDS_MAX: usize = 1 << 18;
/// Places of a pool that one request looks at in order: the next goes on from there.
const WALK_STEPS_MAX: usize = 1024;
/// Places looked at by hash before the pool is walked in order.
const ATTEMPTS: u8 = 8;
/// How many free but blocked ones one request may step over.
const BLOCKED_STEPS_MAX: usize = 64;

/// Who asks, and where.
#[derive(Clone, Copy, Debug)]
pub struct Ask6<'a> {
    pub index: &'a Index,
    /// Place of the subnet in the snapshot's `subnets6`.
    pub subnet: usize,
    pub holder: &'a Association,
    pub mac: Option<Mac>,
    /// What is reserved for the client in this subnet, of the association's kind.
    pub reserved: Option<Block>,
    /// Never handed out: the rack's own addresses.
    pub ours: &'a [Ipv6Addr],
}

impl Ask6<'_> {
    fn subnet(&self) -> Option<&Subnet6> {
        Some(self.index.snapshot().subnets6.get(self.subnet)?)
    }

    fn network(&self) -> u128 {
        self.subnet().map_or(0, |it| it.cidr.network().to_bits())
    }
}

/// What a client now holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant6 {
    pub lease: Lease6,
    pub change: Change6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change6 {
    Granted,
    Renewed,
    /// Held before for at least as long: nothing was written.
    Repeated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal6 {
    /// Neither in a pool of the subnet nor reserved for this client, or reserved for another.
    NotOurs,
    /// Another client holds it.
    Held,
    /// The table keeps no more leases.
    Full,
}

/// Every address and prefix that was handed out of late, who holds it, and what the journal knows.
#[derive(Debug, Default)]
pub struct Table6 {
    records: Vec<Record>,
    by_block: HashMap<Block, u32>,
    by_client: HashMap<(Association, u128), u32>, // And network -> what it had last.
    prefixes: BTreeSet<(u128, u8)>,               // Those that nobody else may have a part of now.
    pools: Pools,
    orphans: VecDeque<u32>, // Free slots outside of all pools.
    calendar: Calendar,
    journal: Journal,
}

impl Table6 {
    /// Reads a journal back. The caller cuts the file to `valid_bytes` before it appends.
    #[must_use]
    pub fn recover(bytes: &[u8]) -> (Self, Recovery) {
        let mut table = Self::default();
        let (recovery, sequence) = journal::replay(bytes, |record| table.take_in(record));
        table.journal = Journal::starting_after(sequence);
        (table, recovery)
    }

    /// Moves all times: those of another clock become those of this one. Write the journal anew
    /// before serving.
    pub fn shift_times(&mut self, seconds: i64) {
        self.calendar = Calendar::default();
        for slot in (0..).take(self.records.len()) {
            let record = &mut self.records[at(slot)];
            record.expires = record.expires.saturating_add_signed(seconds);
            record.filed = 0;
            if record.state != State::Free {
                self.file(slot);
            }
        }
    }

    fn take_in(&mut self, from: Record) {
        let state = from.state;
        let slot = match self.by_block.get(&from.block).copied() {
            Some(slot) => {
                self.forget_client(slot);
                let Record { filed, listed, .. } = self.records[at(slot)];
                self.records[at(slot)] = Record { filed, listed, ..from };
                slot
            }
            // The journal does not say which of them have ended meanwhile: all are taken in.
            None => self.add(from),
        };
        if state != State::Quarantined {
            let record = &self.records[at(slot)];
            self.by_client.insert((record.holder.clone(), record.network), slot);
        }
        self.mark_prefix(slot);
        if state == State::Free {
            self.list_free(slot);
        } else {
            self.file(slot);
        }
    }

    /// Takes over the pools of a snapshot. Cheap while its generation stays the same.
    ///
    /// Leases outside the new pools stay until they end; they are just not handed out again.
    pub fn follow(&mut self, index: &Index) {
        if !self.pools.follow(index.snapshot()) {
            return;
        }
        self.orphans.clear();
        let mut free: Vec<u32> = Vec::new();
        for (slot, record) in (0..).zip(&mut self.records) {
            record.listed = false;
            if record.state == State::Free {
                free.push(slot);
            }
        }
        free.sort_by_key(|slot| self.records[at(*slot)].expires);
        for slot in free {
            self.list_free(slot);
        }
    }

    /// Chooses what a client would get: reserved → what it had last → what it asks for → what
    /// its hash prefers → the next never used → the one unused for longest. `None`: nothing is
    /// left. Nothing is kept: whoever merely asks costs no memory.
    pub fn choose(&mut self, ask: &Ask6<'_>, wish: Option<Block>) -> Option<Block> {
        let last = self.by_client.get(&(ask.holder.clone(), ask.network()));
        let last = last.map(|slot| self.records[at(*slot)].block);
        let fits = |it: &Block| self.can_bind(ask, *it).is_ok();
        if let Some(block) = [ask.reserved, last, wish].into_iter().flatten().find(fits) {
            return Some(block);
        }
        let pool = self.pools.of(ask.subnet, ask.holder.kind)?;
        // A client may name only how long a prefix it wants (RFC 9915 §18.2.1).
        let wanted_len = wish.map(|it| it.len);
        let hashed = || (0..ATTEMPTS).filter_map(|it| pool.preferred(ask.holder, it));
        let of_len = |it: &Block| wanted_len.is_none_or(|len| len == it.len);
        let exact = hashed().filter(of_len).find(fits);
        if let Some(block) = exact.or_else(|| hashed().find(fits)) {
            return Some(block);
        }
        self.never_used(ask).or_else(|| self.unused_longest(ask))
    }

    fn never_used(&mut self, ask: &Ask6<'_>) -> Option<Block> {
        for _ in 0..WALK_STEPS_MAX {
            let pool = self.pools.of(ask.subnet, ask.holder.kind)?;
            let block = pool.nth(pool.cursor)?;
            let used = self.by_block.contains_key(&block);
            if !used && self.can_bind(ask, block).is_ok() {
                return Some(block); // The cursor moves on once it is really used.
            }
            // A reservation may go away, and a prefix around it end: the rack keeps its addresses.
            let skipped = !used && !ask.ours.contains(&block.address);
            let pool = self.pools.of_mut(ask.subnet, ask.holder.kind)?;
            pool.skipped |= skipped;
            pool.cursor += 1; // Each one is passed once, so the walk costs O(1) a request.
        }
        None
    }

    fn unused_longest(&mut self, ask: &Ask6<'_>) -> Option<Block> {
        for _ in 0..BLOCKED_STEPS_MAX {
            let pool = self.pools.of_mut(ask.subnet, ask.holder.kind)?;
            let slot = pool.free.pop_front()?;
            let record = self.records.get_mut(at(slot))?;
            record.listed = false;
            if record.state != State::Free {
                continue; // Its last client has it again.
            }
            let block = record.block;
            self.list_free(slot);
            if self.can_bind(ask, block).is_ok() {
                return Some(block);
            }
        }
        None
    }

    /// Whether the client could be bound to this now.
    ///
    /// # Errors
    /// See [`Refusal6`].
    pub fn can_bind(&self, ask: &Ask6<'_>, block: Block) -> Result<(), Refusal6> {
        if !self.is_grantable(ask, block) {
            return Err(Refusal6::NotOurs);
        }
        if self.meets_a_prefix(ask.holder.kind, block) {
            return Err(Refusal6::Held);
        }
        let Some(slot) = self.by_block.get(&block) else { return Ok(()) };
        let record = &self.records[at(*slot)];
        let free = match record.state {
            State::Free => true,
            State::Bound | State::Offered => {
                record.holder == *ask.holder || is_reserved_anew(record, ask, block)
            }
            // A reservation is stronger than a stranger's use.
            State::Quarantined => ask.reserved == Some(block),
        };
        if free { Ok(()) } else { Err(Refusal6::Held) }
    }

    /// Whether it may go to this client as far as the snapshot is concerned.
    fn is_grantable(&self, ask: &Ask6<'_>, block: Block) -> bool {
        if DUID_BYTES_MAX < ask.holder.duid.len() {
            return false;
        }
        if ask.reserved == Some(block) {
            return true;
        }
        let in_pool =
            self.pools.of(ask.subnet, ask.holder.kind).is_some_and(|it| it.contains(block));
        in_pool
            && !(block.len == 128 && ask.ours.contains(&block.address))
            && self.reserved_for(ask.index, block).is_none()
    }

    fn reserved_for<'a>(
        &self,
        index: &'a Index,
        block: Block,
    ) -> Option<&'a ironherd_snapshot::Reservation6> {
        index.reservation6_at(block.address, block.len)
    }

    /// Binds a client until `until`, which a lease that already lasts longer keeps. Promise it only
    /// when the position of the grant is committed.
    ///
    /// # Errors
    /// As [`Self::can_bind`]; [`Refusal6::Full`].
    pub fn bind(&mut self, ask: &Ask6<'_>, block: Block, until: u64) -> Result<Grant6, Refusal6> {
        self.can_bind(ask, block)?;
        let slot = self.slot(ask, block).ok_or(Refusal6::Full)?;
        let record = &self.records[at(slot)];
        let reserved = ask.reserved == Some(block);
        let held = record.state == State::Bound;
        let same = record.reserved == reserved && (record.mac == ask.mac || ask.mac.is_none());
        if held && until <= record.expires && same {
            return Ok(Grant6 { lease: record.lease(), change: Change6::Repeated });
        }
        self.forget_client(slot);
        let record = &mut self.records[at(slot)];
        record.expires = if held { record.expires.max(until) } else { until };
        record.reserved = reserved;
        record.state = State::Bound;
        record.mac = ask.mac.or(record.mac.filter(|_| record.holder == *ask.holder));
        record.holder = ask.holder.clone();
        record.network = ask.network();
        self.by_client.insert((ask.holder.clone(), ask.network()), slot);
        self.mark_prefix(slot);
        self.file(slot);
        self.write(slot);
        let change = if held { Change6::Renewed } else { Change6::Granted };
        Ok(Grant6 { lease: self.records[at(slot)].lease(), change })
    }

    /// Ends a client's lease. It stays its first choice until someone else needs it.
    pub fn release(&mut self, holder: &Association, block: Block, now: u64) -> Option<Lease6> {
        let slot = self.held_by(holder, block)?;
        self.free(slot, now);
        self.write(slot);
        Some(self.records[at(slot)].lease())
    }

    /// Lets an address alone that the client found in use. A reserved one is not quarantined:
    /// the operator gave it to this client, and no other would do.
    pub fn decline(&mut self, holder: &Association, block: Block, until: u64) -> Option<Lease6> {
        let slot = self.held_by(holder, block)?;
        if self.records[at(slot)].reserved {
            return Some(self.records[at(slot)].lease());
        }
        self.forget_client(slot);
        let record = &mut self.records[at(slot)];
        (record.state, record.expires) = (State::Quarantined, until);
        self.file(slot);
        self.write(slot);
        Some(self.records[at(slot)].lease())
    }

    /// Lets an address alone that nobody has of us, and that someone was found to use. `false`: a
    /// client has it by now.
    pub fn quarantine(&mut self, address: Ipv6Addr, until: u64) -> bool {
        let block = Block::address(address);
        let nobody = Association { duid: [].into(), iaid: 0, kind: Kind::Address };
        let known = self.by_block.get(&block).copied();
        let Some(slot) = known.or_else(|| self.place(Record::free(block, nobody))) else {
            return false;
        };
        if self.records[at(slot)].state != State::Free {
            return false;
        }
        self.forget_client(slot);
        let record = &mut self.records[at(slot)];
        (record.state, record.expires) = (State::Quarantined, until);
        self.file(slot);
        self.write(slot);
        true
    }

    /// Frees one block whose time is over; `Some` if it was a lease. Call until `None`.
    pub fn expire(&mut self, now: u64) -> Option<Lease6> {
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

    /// What is known of one address or prefix.
    #[must_use]
    pub fn lease_at(&self, block: Block) -> Option<Lease6> {
        self.by_block.get(&block).map(|slot| self.records[at(*slot)].lease())
    }

    /// What an association has, or had last, in the subnet at this place of the snapshot.
    #[must_use]
    pub fn lease_of(&self, holder: &Association, network: Ipv6Addr) -> Option<Lease6> {
        let slot = self.by_client.get(&(holder.clone(), network.to_bits()))?;
        Some(self.records[at(*slot)].lease())
    }

    /// Everything that is bound now, in no order.
    pub fn bound(&self) -> impl Iterator<Item = Lease6> + '_ {
        self.records.iter().filter(|it| it.state == State::Bound).map(Record::lease)
    }

    /// The same from a place on, each with its place, which it keeps for as long as it runs.
    pub fn bound_from(&self, place: usize) -> impl Iterator<Item = (usize, Lease6)> + '_ {
        let rest = self.records.iter().enumerate().skip(place);
        rest.filter(|(_, it)| it.state == State::Bound).map(|(at, it)| (at, it.lease()))
    }
}

/// What is reserved follows the client from one association to the next: the stages of a boot have
/// one DUID and one card, but each an association of its own, and seldom give the last one back.
fn is_reserved_anew(record: &Record, ask: &Ask6<'_>, block: Block) -> bool {
    let same_client = record.mac == ask.mac && record.holder.duid == ask.holder.duid;
    ask.reserved == Some(block) && same_client
}
