//! The DHCPv6 server: addresses, prefixes, boot URLs and the rest of the configuration.
//!
//! # Source
//! RFC 9915 (before it RFC 8415), 5970 (network boot), 6939 and 8357 (relays). Choosing anew where
//! a binding is unknown, and silence where another server may know more, are our policy.

mod answer;
mod bindings;
mod classes;
mod decide;
mod outbox;
mod probes;
mod request;
mod scopes;

use std::collections::VecDeque;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use ironherd_leases::v6::{Block, Lease6, Table6};
use ironherd_leases::{Position, State};
use ironherd_snapshot::{Index, Mac};

pub use self::probes::Probe6;
pub use self::request::subnets_on;

use self::outbox::Outbox;
use self::probes::Probes;
use self::request::Request;
use crate::rate::{Allowances, CLIENTS, RELAYS, Rate};
use crate::{DropCounters, DropReason, Event, Instant, LeaseChange, Link, Now};

/// One network interface as DHCPv6 sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link6 {
    /// Index, ports, and our IPv4 address, which tells the VLAN where no IPv6 address does.
    pub link: Link,
    pub link_local: Option<Ipv6Addr>,
    /// Our other addresses on it.
    pub addresses: Vec<Ipv6Addr>,
}

/// A datagram and where it was.
#[derive(Clone, Copy, Debug)]
pub struct Datagram6<'a> {
    pub source: SocketAddrV6,
    /// What it was sent to: ours, or a multicast group.
    pub destination: Ipv6Addr,
    pub payload: &'a [u8],
}

/// One datagram to send; its payload was put into the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply6 {
    /// Interface index of the [`Link6`] the request came in on.
    pub link: u32,
    pub to: SocketAddrV6,
    /// Our address to send from; unspecified: the routing table chooses.
    pub source: Ipv6Addr,
}

/// Bounds and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long an address that a client found in use is left alone.
    pub decline_quarantine: Duration,
    /// Packets a second of one client, with bursts of 8 s' worth.
    pub card_rate: Rate,
    /// The same for all that one relay passes on.
    pub relay_rate: Rate,
    /// Replies that may wait, for the journal or for the caller, before new ones are refused.
    pub replies_max: usize,
    /// Events that may wait for the caller; beyond, the oldest goes.
    pub events_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            decline_quarantine: Duration::from_hours(1),
            card_rate: Rate(8),
            relay_rate: Rate(0),
            replies_max: 65_536,
            events_max: 65_536,
        }
    }
}

/// Journal bytes that may wait for the disk before new leases are refused.
const PENDING_BYTES_MAX: usize = 16 << 20;
/// Leases ended in one call: a storm of them must not hold up the packets.
const EXPIRIES_MAX: usize = 1024;

/// One DHCPv6 server: its leases, and what waits to be sent.
///
/// A REPLY that grants is ready only once its leases are on disk; everything else is at once.
#[derive(Debug)]
pub struct Server {
    config: Config,
    duid: Vec<u8>, // Ours: the server identifier.
    leases: Table6,
    clients: Allowances<Ipv6Addr>, // By the address heard: a DUID is made up too easily.
    relays: Allowances<Ipv6Addr>,
    outbox: Outbox,
    events: VecDeque<Event>,
    events_lost: u64,
    cards: VecDeque<(Ipv6Addr, Option<Mac>)>, // Whose address it is now.
    probes: Probes,
    withdrawn: DropCounters,
    now: Now,
}

impl Server {
    /// `duid` names this server; it must stay the same over restarts.
    #[must_use]
    pub fn new(config: Config, duid: Vec<u8>, leases: Table6) -> Self {
        Self {
            config,
            duid,
            leases,
            clients: Allowances::new(CLIENTS),
            relays: Allowances::new(RELAYS),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            events_lost: 0,
            cards: VecDeque::new(),
            probes: Probes::default(),
            withdrawn: DropCounters::new(),
            now: Now::default(),
        }
    }

    /// Decides one datagram. `Ok`: answered.
    ///
    /// # Errors
    /// The one reason why nothing is sent, for the caller to count.
    pub fn handle_datagram(
        &mut self,
        snapshot: &Index,
        link: &Link6,
        datagram: &Datagram6<'_>,
        now: Now,
    ) -> Result<(), DropReason> {
        self.now = now;
        self.leases.set_now(now.wall.0);
        let request = Request::parse(snapshot, link, datagram)?;
        self.admit(&request, *datagram.source.ip())?;
        if self.config.replies_max <= self.outbox.len()
            || PENDING_BYTES_MAX < self.leases.pending_bytes()
        {
            return Err(DropReason::Dhcp6Backlog);
        }
        self.leases.follow(snapshot);
        self.decide(&request)
    }

    /// Holds back who asks too much.
    fn admit(&mut self, request: &Request<'_>, source: Ipv6Addr) -> Result<(), DropReason> {
        let now = self.now.instant;
        let relay = Some(source).filter(|_| !request.relayed.is_direct());
        let client = request.relayed.innermost().map_or(source, |it| it.peer);
        if !self.clients.take(client, self.config.card_rate, now) {
            return Err(DropReason::Dhcp6CardRate);
        }
        if relay.is_some_and(|it| !self.relays.take(it, self.config.relay_rate, now)) {
            return Err(DropReason::Dhcp6RelayRate);
        }
        Ok(())
    }

    /// The next reply whose leases are on disk (or that needs none); `out` becomes its payload.
    pub fn poll_reply(&mut self, out: &mut Vec<u8>) -> Option<Reply6> {
        self.outbox.take_ready(out)
    }

    /// Appends to `out` what the journal shall take next. `None`: nothing waits, or a batch is
    /// still in flight.
    pub fn take_journal_batch(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        self.leases.take_batch(out)
    }

    /// Appends to `out` a whole new journal, which replaces the file once it is on disk. Ends like
    /// a batch, and also mends a journal that failed.
    pub fn take_compaction(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        self.leases.take_compaction(out)
    }

    /// Everything up to `upto` is on disk: the replies that waited for it are ready.
    pub fn handle_committed(&mut self, upto: Position) {
        self.leases.handle_committed(upto);
        while let Some(waiting) = self.outbox.take_committed(self.leases.committed()) {
            // Released or declined meanwhile: the REPLY would promise it again.
            let stands = |(block, holder): &(_, _)| {
                self.leases.lease_at(*block).is_some_and(|it: Lease6| it.is_held_by(holder))
            };
            if waiting.promised.iter().all(stands) {
                for (block, _) in &waiting.promised {
                    self.push_card(*block);
                    self.push_lease_event(LeaseChange::Renewed, self.leases.lease_at(*block));
                }
                if let Some(event) = waiting.event {
                    self.push_event(event);
                }
                self.outbox.push_ready(waiting.reply, waiting.payload);
            } else {
                self.withdrawn.count(DropReason::Dhcp6Superseded);
            }
        }
    }

    /// The batch in flight could not be written: no lease is granted until a compaction succeeds.
    pub fn handle_commit_failed(&mut self) {
        self.leases.handle_commit_failed();
        self.withdrawn.add(DropReason::Dhcp6Journal, self.outbox.clear_waiting());
        self.push_event(Event::JournalFailed);
    }

    /// A compaction of a sound journal came to nothing: the old file is as good as before.
    pub fn handle_compaction_abandoned(&mut self) {
        self.leases.handle_compaction_abandoned();
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeouts`] shall be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let seconds = self.leases.next_expiry()?.saturating_sub(self.now.wall.0);
        Some(self.now.instant + Duration::from_secs(seconds))
    }

    /// Ends leases whose time is over.
    pub fn handle_timeouts(&mut self, now: Now) {
        self.now = now;
        self.leases.set_now(now.wall.0);
        for _ in 0..EXPIRIES_MAX {
            let Some(lease) = self.leases.expire(now.wall.0) else { break };
            self.push_card(lease.block);
            self.push_lease_event(LeaseChange::Expired, Some(lease));
        }
    }

    /// An address whose holder changed, and the card of the new one. Drain it every turn: nothing
    /// is left out.
    pub fn poll_card(&mut self) -> Option<(Ipv6Addr, Option<Mac>)> {
        self.cards.pop_front()
    }

    /// The lease table, for metrics and reports.
    #[must_use]
    pub fn leases(&self) -> &Table6 {
        &self.leases
    }

    /// Replies that were accepted and then not sent, because their leases could not be promised.
    #[must_use]
    pub fn withdrawn(&self) -> &DropCounters {
        &self.withdrawn
    }

    /// Events that nobody fetched in time.
    #[must_use]
    pub fn events_lost(&self) -> u64 {
        self.events_lost
    }

    fn push_card(&mut self, block: Block) {
        if block.len == 128 {
            let lease = self.leases.lease_at(block).filter(|it| it.state == State::Bound);
            self.cards.push_back((block.address, lease.and_then(|it| it.mac)));
        }
    }

    fn push_lease_event(&mut self, change: LeaseChange, lease: Option<Lease6>) {
        if let Some(lease) = lease {
            self.push_event(Event::Lease6 { change, lease });
        }
    }

    fn push_event(&mut self, event: Event) {
        if self.config.events_max <= self.events.len() {
            self.events.pop_front();
            self.events_lost += 1;
        }
        self.events.push_back(event);
    }
}
