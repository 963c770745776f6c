//! One data-plane thread: a ring, its sockets, its state machines. No locks and no futures.

mod command;
mod dhcp;
pub(crate) mod dhcp6;
mod http;
mod journal;
mod reports;
mod sockets;
mod tftp;

pub(crate) use command::Command;
pub(crate) use journal::{CompactError, Compaction};
pub use sockets::BoundPorts;
pub(crate) use sockets::Sockets;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use arc_swap::ArcSwap;
use ironherd_link::{Report, Rounds};
use ironherd_proto::dhcp::ServerPort;
use ironherd_proto::tape::Tape;
use ironherd_proto::token::{Stamp, day_of};
use ironherd_proto::{DropReason, Event, Instant, Now};
use ironherd_snapshot::Mac;
use ironherd_uring::{Buffer, Datagram, Done, Ring, RingCounters, RingError, SocketId, Waker};
use tokio::sync::mpsc;

use crate::clock::{Clock, since_epoch};
use crate::config::Durability;
use crate::faults::DiskFaults;
use crate::holders::Holders;
use crate::metrics::{Metrics, add};
use crate::probe::ShardProbe;
use crate::recovery::JournalFile;
use crate::view::{Shelf, UrlPorts, View};
use crate::watch::Heard;
use dhcp::{DhcpService, Sending};
use http::HttpService;
use journal::Journal;
use reports::{Reporter, bound_report};
use sockets::Role;
use tftp::TftpService;

/// What a shard shares with the rest of the rack.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// One for the whole rack, and for reading the leases back: were each to look at the time for
    /// itself, a step of it in between would end leases, or put two times into one journal.
    pub(crate) clock: Clock,
    pub(crate) view: Arc<ArcSwap<View>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) rounds: Rounds,
    pub(crate) compactions: mpsc::Sender<Compaction>,
    pub(crate) probes: mpsc::Sender<ShardProbe>,
    pub(crate) heard: SyncSender<Heard>,
    pub(crate) ports: UrlPorts,
    pub(crate) durability: Durability,
    pub(crate) dhcp: ironherd_proto::dhcp::Config,
    pub(crate) dhcp6: ironherd_proto::dhcp6::Config,
    pub(crate) disk_faults: DiskFaults,
}

/// Wakes all shards of a rack.
#[derive(Clone, Debug)]
pub(crate) struct Wakers(pub(crate) Arc<[Waker]>);

impl Wakers {
    pub(crate) fn wake(&self) {
        self.0.iter().for_each(Waker::wake);
    }
}

/// All that a shard owns when it starts.
pub(crate) struct ShardParts {
    /// Which of the rack's shards it is.
    pub(crate) index: usize,
    pub(crate) sockets: Sockets,
    pub(crate) journal: JournalFile,
    pub(crate) shared: Shared,
    pub(crate) inbox: Receiver<Command>,
    /// Bytes of DHCP packets to keep.
    pub(crate) tape_bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Shard {
    ring: Ring,
    core: Core,
    inbox: Receiver<Command>,
    clock: Clock,
    batch: Vec<Done>,
}

/// The state machines and what they need to reach the ring.
#[derive(Debug)]
struct Core {
    index: usize,
    view: Arc<View>,
    shared: Shared,
    roles: Vec<Role>, // By socket.
    dhcp: Option<DhcpService>,
    tftp: Option<TftpService>,
    http: Option<HttpService>,
    journal: Journal,
    reporter: Reporter,
    tape: Tape,
    tick: Instant,         // When the slow chores are due.
    counted: RingCounters, // What the metrics have of the ring.
    out: Vec<u8>,
}

/// Slow chores: connection timeouts, paused listeners, gauges, lease reports that did not fit.
const TICK: Duration = Duration::from_secs(1);

impl Shard {
    /// Puts a shard together. Call it on the thread that will run it: the ring belongs to that.
    pub(crate) fn new(mut ring: Ring, parts: ShardParts) -> Result<Self, RingError> {
        let ShardParts { index, sockets, journal, shared, inbox, tape_bytes } = parts;
        let clock = shared.clock;
        let JournalFile { path, file, bytes, table } = journal;
        let placed = sockets.place(&mut ring)?;
        ring.set_journal(file);
        let core = Core {
            index,
            view: shared.view.load_full(),
            roles: placed.roles,
            dhcp: placed.dhcp.map(|sockets| DhcpService::new(shared.dhcp, sockets, table)),
            tftp: placed.tftp.map(TftpService::new),
            http: placed.http.then(HttpService::default),
            journal: Journal::new(path, bytes, ring.waker(), shared.clone()),
            reporter: Reporter::new(
                shared.reports.clone(),
                shared.rounds.clone(),
                Arc::clone(&shared.metrics),
            )
            .with_heard(shared.heard.clone()),
            tape: Tape::new(tape_bytes),
            tick: clock.now().instant,
            counted: RingCounters::default(),
            out: Vec::with_capacity(64 << 10),
            shared,
        };
        Ok(Self { ring, core, inbox, clock, batch: Vec::new() })
    }

    /// Serves until `stop`. One turn is wait, reap, decide, queue; no step runs inside another.
    pub(crate) fn run(&mut self, stop: &AtomicBool) -> Result<(), RingError> {
        while !stop.load(Ordering::Relaxed) {
            let wait = self.core.next_deadline().saturating_since(self.clock.now().instant);
            self.ring.submit_and_wait(Some(wait))?;
            self.ring.reap_into(&mut self.batch)?;
            let now = self.clock.now();
            self.core.renew_view();
            for done in self.batch.drain(..) {
                self.core.on_done(&mut self.ring, done, now)?;
            }
            self.core.handle_timeouts(&mut self.ring, now)?;
            while let Ok(command) = self.inbox.try_recv() {
                self.core.on_command(command, self.clock, now);
            }
            if let Some(dhcp) = &mut self.core.dhcp {
                self.core.journal.commit(&mut self.ring, dhcp.server_mut(), now)?;
            }
            self.core.send_all(&mut self.ring, now);
            self.core.report_all(now);
            self.core.probe_all();
        }
        Ok(())
    }
}

impl Core {
    /// Takes a new snapshot, if there is one: between two turns, never within.
    fn renew_view(&mut self) {
        let newest = self.shared.view.load();
        if !Arc::ptr_eq(&newest, &self.view) {
            self.view = Arc::clone(&newest);
        }
    }

    fn on_done(&mut self, ring: &mut Ring, done: Done, now: Now) -> Result<(), RingError> {
        match done {
            Done::Datagram { socket, buffer } => self.on_datagram(ring, socket, buffer, now),
            Done::Accepted { stream, peer, local, .. } => {
                self.on_accepted(ring, stream, peer, local, now)?;
            }
            Done::Received { stream, buffer } => {
                let outcome = self.on_received(ring, stream, buffer.as_ref(), now);
                if let Some(buffer) = buffer {
                    ring.recycle(buffer);
                }
                self.shared.metrics.count(outcome);
                self.pump(ring, stream)?;
            }
            Done::StreamSent { stream, bytes } => {
                if let Some(http) = &mut self.http {
                    http.on_sent(stream, bytes, now);
                }
                add(&self.shared.metrics.http_bytes, u64::try_from(bytes).unwrap_or_default());
                self.pump(ring, stream)?;
            }
            Done::StreamFailed { stream, .. } => {
                if let Some(http) = &mut self.http {
                    http.forget(ring, stream);
                }
            }
            Done::Committed { bytes, result } => {
                if let Some(dhcp) = &mut self.dhcp {
                    self.journal.on_committed(dhcp.server_mut(), bytes, result, now);
                }
            }
            Done::Synced { result } => {
                if let Some(dhcp) = &mut self.dhcp {
                    self.journal.on_synced(dhcp.server_mut(), result, now);
                }
            }
            Done::Woken => {} // What there is to do is looked at in every turn.
        }
        Ok(())
    }

    fn on_datagram(&mut self, ring: &mut Ring, socket: SocketId, buffer: Buffer, now: Now) {
        match ring.datagram(socket, &buffer) {
            None => add(&self.shared.metrics.ring_malformed, 1),
            Some(datagram) => {
                let outcome = match self.roles.get(socket.index()) {
                    Some(Role::Dhcp) => self.on_dhcp(ServerPort::Dhcp67, &datagram, now),
                    Some(Role::Proxy) => self.on_dhcp(ServerPort::Proxy4011, &datagram, now),
                    Some(Role::Tftp) => self.on_tftp_request(&datagram, now),
                    Some(Role::TftpPool(place)) => match &mut self.tftp {
                        Some(tftp) => tftp.on_packet(*place, &datagram, now),
                        None => Ok(()),
                    },
                    Some(Role::Frames) | None => Ok(()),
                };
                self.shared.metrics.count(outcome);
            }
        }
        ring.recycle(buffer);
    }

    fn on_dhcp(
        &mut self,
        port: ServerPort,
        datagram: &Datagram<'_>,
        now: Now,
    ) -> Result<(), DropReason> {
        let Some(dhcp) = &mut self.dhcp else { return Ok(()) };
        let Some(served) = self.view.by_interface(datagram.interface) else {
            // Another network's traffic: not ours to answer, nor to call a fault of the packet.
            add(&self.shared.metrics.unserved_interface, 1);
            return Ok(());
        };
        add(&self.shared.metrics.dhcp_requests, 1);
        let outcome = dhcp.on_datagram(&self.view.index, port, &served.link, datagram, now);
        self.tape.record(&dhcp::received(port, datagram, outcome, now));
        outcome
    }

    fn on_tftp_request(&mut self, datagram: &Datagram<'_>, now: Now) -> Result<(), DropReason> {
        let Some(tftp) = &mut self.tftp else { return Ok(()) };
        let Some(link) = self.view.by_address(datagram.local, self.shared.ports) else {
            add(&self.shared.metrics.unserved_interface, 1);
            return Ok(());
        };
        add(&self.shared.metrics.tftp_requests, 1);
        let leases = self.dhcp.as_ref().map(DhcpService::claims);
        let holders = Holders { index: &self.view.index, leases, cards6: &self.view.cards6 };
        let peer = datagram.source.ip();
        let shelf = Shelf { view: &self.view, link, peer, holders, stamp: stamp() };
        tftp.on_request(&shelf, datagram, now)
    }

    /// The card that holds an address by a lease that runs.
    fn card_of(&self, address: IpAddr) -> Option<Mac> {
        let leases = self.dhcp.as_ref().map(DhcpService::claims);
        Holders { index: &self.view.index, leases, cards6: &self.view.cards6 }.card_of(address)
    }

    fn next_deadline(&self) -> Instant {
        let dhcp = self.dhcp.as_ref().and_then(DhcpService::next_deadline);
        let tftp = self.tftp.as_ref().and_then(TftpService::next_deadline);
        let sync = self.journal.next_sync();
        [dhcp, tftp, sync].into_iter().flatten().fold(self.tick, Instant::min)
    }

    fn handle_timeouts(&mut self, ring: &mut Ring, now: Now) -> Result<(), RingError> {
        if let Some(dhcp) = &mut self.dhcp {
            dhcp.handle_timeouts(now);
        }
        if let Some(tftp) = &mut self.tftp {
            tftp.handle_timeouts(now);
        }
        if now.instant < self.tick {
            return Ok(());
        }
        self.tick = now.instant + TICK;
        if let Some(http) = &mut self.http {
            http.handle_timeouts(ring, &self.shared.metrics, now)?;
        }
        self.tell_leases(now);
        ring.resume_listeners();
        let counters = ring.counters();
        self.shared.metrics.add_ring(std::mem::replace(&mut self.counted, counters), counters);
        Ok(())
    }

    /// Sends what is ready, as far as there are free slots: a completed send wakes us for more.
    fn send_all(&mut self, ring: &mut Ring, now: Now) {
        let metrics = &self.shared.metrics;
        if let Some(dhcp) = &mut self.dhcp {
            let mut sending = Sending { view: &self.view, tape: &mut self.tape, metrics, now };
            dhcp.send_all(ring, &mut sending, &mut self.out);
        }
        if let Some(tftp) = &mut self.tftp {
            tftp.send_all(ring, &mut self.out, metrics);
        }
    }

    fn report_all(&mut self, now: Now) {
        while let Some(event) = self.poll_event() {
            let mac = match &event {
                Event::BootByAddress { address, .. } => self.card_of(*address),
                _ => None,
            };
            self.reporter.report(event, mac, now);
        }
    }

    /// Tells the region all leases where that is wanted. Without DHCP there are none to tell.
    fn tell_leases(&mut self, now: Now) {
        let Some(dhcp) = &self.dhcp else { return self.reporter.resync(|_| std::iter::empty()) };
        self.reporter.note_lost(dhcp.events_lost());
        let index = &self.view.index;
        self.reporter.resync(|place| {
            let rest = dhcp.leases().bound_from(place);
            rest.map(move |(at, lease)| (at, bound_report(&lease, index, now)))
        });
    }

    /// Passes addresses on that are to be probed, as far as there is room: offers do not wait.
    fn probe_all(&mut self) {
        let Some(dhcp) = &mut self.dhcp else { return };
        while let Some(probe) = dhcp.poll_probe() {
            let probe = ShardProbe { shard: self.index, probe };
            if self.shared.probes.try_send(probe).is_err() {
                add(&self.shared.metrics.probes_left_out, 1);
            }
        }
    }

    fn on_conflict(&mut self, address: std::net::Ipv4Addr, now: Now) {
        add(&self.shared.metrics.conflicts, 1);
        let quarantined = self.dhcp.as_mut().is_some_and(|it| it.handle_conflict(address, now));
        let id = "rack.dhcp.conflict";
        tracing::warn!(id, %address, quarantined, "somebody uses an address that was offered");
    }

    fn poll_event(&mut self) -> Option<Event> {
        let dhcp = self.dhcp.as_mut().and_then(DhcpService::poll_event);
        let tftp = || self.tftp.as_mut().and_then(TftpService::poll_event);
        let http = || self.http.as_mut().and_then(HttpService::poll_event);
        dhcp.or_else(tftp).or_else(http)
    }
}

/// Sixteen bytes that nobody can guess.
/// What the token of one script is minted with. The clock of the host, as it is now: it may have
/// been set since this process began to count on its own.
fn stamp() -> Stamp {
    Stamp { nonce: nonce(), day: day_of(since_epoch().as_secs()) }
}

fn nonce() -> [u8; 16] {
    let mut nonce = [0; 16];
    aws_lc_rs::rand::fill(&mut nonce).expect("the kernel's random numbers never fail once seeded");
    nonce
}
