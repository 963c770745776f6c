//! The DHCPv4 server: full service on port 67, and the proxyDHCP answer on port 4011.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ironherd_leases::{Position, Table};
use ironherd_snapshot::{Index, Mac};

use crate::{DropReason, Event, Instant, Link, Now};

/// The port a datagram came in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerPort {
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
    Broadcast { port: u16 },
    /// To a client that cannot answer ARP yet: the frame must name its card.
    Frame { mac: Mac, address: Ipv4Addr, port: u16 },
}

/// Bounds and waits. The default suits a rack of a few thousand machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long an offered address is kept for its client.
    pub offer_hold: Duration,
    /// How long an address that a client found in use is left alone.
    pub decline_quarantine: Duration,
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
            replies_max: 65_536,
            events_max: 65_536,
        }
    }
}

#[derive(Debug)]
pub struct Server {
    leases: Table,
}

impl Server {
    #[must_use]
    pub fn new(_config: Config, leases: Table) -> Self {
        Self { leases }
    }

    /// Decides one datagram. `Ok`: answered, or taken in and in need of no answer.
    ///
    /// # Errors
    /// The one reason why nothing is sent, for the caller to count.
    pub fn handle_datagram(
        &mut self,
        _snapshot: &Index,
        _port: ServerPort,
        _source: SocketAddrV4,
        _link: &Link,
        _payload: &[u8],
        _now: Now,
    ) -> Result<(), DropReason> {
        Err(DropReason::DhcpMalformed)
    }

    /// The next reply whose lease is on disk (or needs none); `out` becomes its payload.
    pub fn poll_reply(&mut self, _out: &mut Vec<u8>) -> Option<Reply> {
        None
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

    /// Everything up to `upto` is on disk.
    pub fn handle_committed(&mut self, upto: Position) {
        self.leases.handle_committed(upto);
    }

    /// The batch in flight could not be written: no lease is granted until a compaction succeeds.
    pub fn handle_commit_failed(&mut self) {
        self.leases.handle_commit_failed();
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    pub fn handle_timeouts(&mut self, _now: Now) {}

    /// The lease table, for metrics and reports.
    #[must_use]
    pub fn leases(&self) -> &Table {
        &self.leases
    }
}
