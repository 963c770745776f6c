//! The DHCPv4 server: full service on port 67, and the proxyDHCP answer on port 4011.

pub mod explain;

mod answer;
mod classes;
mod decide;
mod destination;
mod foreign;
mod judge;
mod names;
mod outbox;
mod probes;
mod recent;
mod request;
mod scopes;
mod sheet;
mod wanted;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ironherd_leases::{Lease, Position, Table};
use ironherd_snapshot::{Index, Mac};

pub(crate) use self::classes::holds;
pub use self::foreign::ForeignServer;

pub use self::scopes::Scope;
pub use self::sheet::Fate;

use self::foreign::Foreign;
use self::outbox::Outbox;
pub use self::probes::Probe;
use self::probes::Probes;
use self::recent::{Recent, Standing};
use self::request::Request;
use crate::rate::{Allowances, RELAYS, Rate};
use crate::{
    DropCounters, DropReason, Event, Instant, LeaseChange, LeaseEvent, Link, Now, UnixSeconds,
};

/// The port a datagram came in on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerPort {
    #[default]
    Dhcp67,
    Proxy4011,
}

/// One datagram to send; its payload was put into the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Interface index of the [`Link`] the request came in on.
    pub link: u32,
    pub to: Destination,
    pub source_port: u16,
}

/// How a reply reaches its client (RFC 2131 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    Unicast(SocketAddrV4),
    /// To 255.255.255.255, and to everyone on the link layer too.
    Broadcast {
        port: u16,
    },
    /// To a client that cannot answer ARP yet: the frame must name its card.
    Frame {
        mac: Mac,
        address: Ipv4Addr,
        port: u16,
    },
}

/// Bounds and waits. The default suits a rack of a few thousand machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long an offered address is kept for its client.
    pub offer_hold: Duration,
    /// How long an address that a client found in use is left alone.
    pub decline_quarantine: Duration,
    /// How long a foreign server that is heard no more keeps a VLAN in mode `Auto` from full
    /// service.
    pub foreign_memory: Duration,
    /// Packets of one card that are looked at. A boot needs some twenty within a minute.
    pub card_rate: Rate,
    /// Packets of one relay that are looked at.
    pub relay_rate: Rate,
    /// Replies that may wait, for the journal or for the caller, before new ones are refused.
    pub replies_max: usize,
    /// Events that may wait for the caller; beyond, the oldest goes.
    pub events_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            offer_hold: Duration::from_secs(60),
            decline_quarantine: Duration::from_hours(1),
            foreign_memory: Duration::from_mins(15),
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

/// One shard's DHCP server: its leases, and what waits to be sent.
///
/// An ACK is ready only once its lease is on disk; everything else is ready at once.
#[derive(Debug)]
pub struct Server {
    config: Config,
    leases: Table,
    outbox: Outbox,
    recent: Recent,
    relays: Allowances<Ipv4Addr>,
    foreign: Foreign,
    probes: Probes,
    events: VecDeque<Event>,
    events_lost: u64,
    withdrawn: DropCounters,
    now: Now, // What the caller last said.
}

impl Server {
    #[must_use]
    pub fn new(config: Config, leases: Table) -> Self {
        Self {
            config,
            leases,
            outbox: Outbox::default(),
            recent: Recent::new(),
            relays: Allowances::new(RELAYS),
            foreign: Foreign::default(),
            probes: Probes::default(),
            events: VecDeque::new(),
            events_lost: 0,
            withdrawn: DropCounters::new(),
            now: Now::default(),
        }
    }

    /// Decides one datagram. `Ok`: answered, or taken in and in need of no answer.
    ///
    /// # Errors
    /// The one reason why nothing is sent, for the caller to count.
    pub fn handle_datagram(
        &mut self,
        snapshot: &Index,
        port: ServerPort,
        source: SocketAddrV4,
        link: &Link,
        payload: &[u8],
        now: Now,
    ) -> Result<(), DropReason> {
        self.now = now;
        self.leases.set_now(now.wall.0);
        let request = Request::parse(snapshot, port, source, link, payload)?;
        self.admit(&request)?;
        self.leases.follow(snapshot);
        self.decide(&request)
    }

    /// Tells what is known of servers that are not ours on a VLAN; `None`: there is none.
    ///
    /// Matters where the mode is `Auto`. What clients say is learnt without this.
    pub fn set_foreign_server(&mut self, vlan: &str, server: Option<ForeignServer>) {
        self.foreign.set(vlan, server);
    }

    /// Holds back who asks too much. Overload drops repeats before first contacts: whoever was
    /// heard once gets its answer yet, a machine that was never heard waits seconds for its next
    /// try.
    fn admit(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        let (message, now) = (&request.message, self.now.instant);
        let standing = self.recent.note(request.mac, message.xid(), self.config.card_rate, now);
        if standing == Standing::TooMany {
            return Err(DropReason::DhcpCardRate);
        }
        let relay = message.giaddr();
        if !relay.is_unspecified() && !self.relays.take(relay, self.config.relay_rate, now) {
            return Err(DropReason::DhcpRelayRate);
        }
        let waiting = self.outbox.len();
        let full = self.config.replies_max <= waiting;
        if full || PENDING_BYTES_MAX < self.leases.pending_bytes() {
            return Err(DropReason::DhcpBacklog);
        }
        if standing == Standing::Repeated && self.config.replies_max / 2 < waiting {
            return Err(DropReason::DhcpRepeat);
        }
        Ok(())
    }

    /// The next reply whose lease is on disk (or needs none); `out` becomes its payload.
    pub fn poll_reply(&mut self, out: &mut Vec<u8>) -> Option<Reply> {
        self.outbox.take_ready(out)
    }

    /// Appends to `out` what the journal shall take next. `None`: nothing waits, or a batch is
    /// still in flight.
    pub fn take_journal_batch(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        self.leases.take_batch(out)
    }

    /// Appends to `out` a whole new journal, which replaces the file once it is on disk. `None`:
    /// a batch is in flight. Ends like a batch, in [`Self::handle_committed`] or
    /// [`Self::handle_commit_failed`], and also mends a journal that failed.
    pub fn take_compaction(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        self.leases.take_compaction(out)
    }

    /// Everything up to `upto` is on disk: the replies that waited for it are ready.
    pub fn handle_committed(&mut self, upto: Position) {
        self.leases.handle_committed(upto);
        while let Some(waiting) = self.outbox.take_committed(self.leases.committed()) {
            // Released or declined meanwhile: the ACK would promise the address again.
            let promised = self.leases.lease_at(waiting.address);
            if promised.is_some_and(|it| it.mac == waiting.mac && it.position == waiting.position) {
                if let Some(event) = waiting.event {
                    self.push_event(event);
                }
                self.outbox.push_ready(waiting.reply, waiting.payload);
            } else {
                self.withdrawn.count(DropReason::DhcpSuperseded);
            }
        }
    }

    /// The batch in flight could not be written: no lease is granted until a compaction succeeds.
    pub fn handle_commit_failed(&mut self) {
        self.leases.handle_commit_failed();
        self.withdrawn.add(DropReason::DhcpJournal, self.outbox.clear_waiting());
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

    pub fn handle_timeouts(&mut self, now: Now) {
        self.now = now;
        self.leases.set_now(now.wall.0);
        for _ in 0..EXPIRIES_MAX {
            let Some(lease) = self.leases.expire(now.wall.0) else { break };
            self.push_lease_event(LeaseChange::Expired, &lease, None);
        }
    }

    /// The lease table, for metrics and reports.
    #[must_use]
    pub fn leases(&self) -> &Table {
        &self.leases
    }

    /// Replies that were accepted and then not sent, because their lease could not be promised.
    #[must_use]
    pub fn withdrawn(&self) -> &DropCounters {
        &self.withdrawn
    }

    /// Events that nobody fetched in time.
    #[must_use]
    pub fn events_lost(&self) -> u64 {
        self.events_lost
    }

    fn push_event(&mut self, event: Event) {
        if self.config.events_max <= self.events.len() {
            self.events.pop_front();
            self.events_lost += 1;
        }
        self.events.push_back(event);
    }

    fn push_lease_event(&mut self, change: LeaseChange, lease: &Lease, hostname: Option<String>) {
        self.push_event(lease_event(change, lease, hostname));
    }
}

fn lease_event(change: LeaseChange, lease: &Lease, hostname: Option<String>) -> Event {
    let (address, mac, expires) = (lease.address, lease.mac, UnixSeconds(lease.expires));
    Event::Lease(LeaseEvent { change, address, mac, expires, hostname })
}
