//! DHCPv6 on a thread of its own, with a ring, sockets, leases and a journal as a shard has them:
//! whatever happens here, the IPv4 shards do not feel it.

mod duid;
mod journal;
mod neighbours;

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use ironherd_link::LeaseState;
use ironherd_proto::dhcp6::{Datagram6, Probe6, Reply6, Server};
use ironherd_proto::{DropReason, Instant, Now};
use ironherd_uring::socket::udp6;
use ironherd_uring::{
    Datagram, Done, Outgoing, Ring, RingConfig, RingError, SocketId, Source, Target, Waker,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::journal::JournalFile6;
use self::neighbours::{Neighbours, PROBES_MAX};
use super::Shared;
use super::journal::Journal;
use super::reports::{Reporter, lease6_report};
use crate::clock::Clock;
use crate::error::RackError;
use crate::metrics::{Metrics, add, set};
use crate::view::View;

/// All DHCPv6 servers and relays of a link (RFC 9915 §7.1).
const SERVERS_AND_RELAYS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// No reply is longer: it would not fit an Ethernet frame.
const REPLY_BYTES_MAX: usize = 1500;
const PORT_PATIENCE: Duration = Duration::from_secs(3);
const PORT_RETRY: Duration = Duration::from_millis(50);
/// Joins of new links, gauges: each second is often enough.
const TICK: Duration = Duration::from_secs(1);

/// A running DHCPv6 thread; it ends before this is dropped.
#[derive(Debug)]
pub(crate) struct Dhcp6 {
    waker: Waker,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    neighbours: JoinHandle<()>,
}

impl Drop for Dhcp6 {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.waker.wake();
        self.neighbours.abort();
        if let Some(thread) = self.thread.take() {
            // Its panic has been told already; a turn is short.
            let _ = thread.join();
        }
    }
}

/// What the thread tells when it ends.
pub(crate) type Ended = oneshot::Receiver<Result<(), RackError>>;

/// Starts DHCPv6, unless the host has no IPv6.
///
/// # Errors
/// A taken port, a journal that cannot be read, a ring that cannot be set up.
pub(crate) async fn start(
    data_dir: &Path,
    port: u16,
    shared: Shared,
) -> Result<Option<(Dhcp6, Ended)>, RackError> {
    let socket = match bind_patiently(port).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            return Err(RackError::port("dhcp6", port, error));
        }
        Err(error) => {
            tracing::warn!(id = "rack.ipv6.off", %error, "this host has no IPv6: no DHCPv6");
            return Ok(None);
        }
        Ok(socket) => socket,
    };
    let groups = socket.try_clone().map_err(|it| RackError::port("dhcp6", port, it))?;
    let duid = duid::load(&data_dir.join("duid"))?;
    let journal = JournalFile6::open(&data_dir.join("leases6.journal"), shared.clock.now().wall.0)?;
    let (view, metrics) = (Arc::clone(&shared.view), Arc::clone(&shared.metrics));
    let (probes, to_probe) = mpsc::channel(PROBES_MAX);
    let (conflicts, heard) = sync_channel(PROBES_MAX);
    let parts = Parts { socket, groups, duid, journal, shared, probes, heard };
    let stop = Arc::new(AtomicBool::new(false));
    let (ready, is_ready) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let stopped = Arc::clone(&stop);
    let serve = move || {
        // The ring belongs to the thread that makes it.
        let ring = Ring::new(ring_config());
        let service = ring.and_then(|ring| Ok((ring.waker(), Service::new(ring, parts)?)));
        let outcome = match service {
            Ok((waker, mut service)) => {
                let _ = ready.send(Ok(waker)); // Who started us may have given up.
                service.run(&stopped)
            }
            Err(error) => {
                let _ = ready.send(Err(RackError::Ring(error)));
                Ok(())
            }
        };
        if let Err(error) = &outcome {
            tracing::error!(id = "rack.dhcp6", %error, "DHCPv6 has ended");
        }
        let _ = end.send(outcome.map_err(RackError::Ring));
    };
    let thread = std::thread::Builder::new().name("rack-dhcp6".to_owned());
    let thread = Some(thread.spawn(serve).map_err(RackError::Thread)?);
    let waker = is_ready.await.map_err(|_| RackError::Panicked)??;
    let neighbours = Neighbours { view, metrics, conflicts, waker: waker.clone() };
    let neighbours = tokio::spawn(neighbours.run(to_probe));
    Ok(Some((Dhcp6 { waker, stop, thread, neighbours }, ended)))
}

/// After a kill the kernel closes the old ring's socket only once the process is gone: a taken port
/// may be free in a moment.
async fn bind_patiently(port: u16) -> io::Result<OwnedFd> {
    let deadline = tokio::time::Instant::now() + PORT_PATIENCE;
    loop {
        match udp6(port, false) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse
                    && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(PORT_RETRY).await;
            }
            done => return done,
        }
    }
}

/// One socket with a few thousand clients: a shard's ring would be too large.
fn ring_config() -> RingConfig {
    RingConfig {
        submissions: 512,
        datagram_buffers: 1024,
        stream_buffers: 1,
        small_slots: 1024,
        large_slots: 1,
        streams_max: 0,
        ..RingConfig::default()
    }
}

struct Parts {
    socket: OwnedFd,
    groups: OwnedFd,
    duid: Vec<u8>,
    journal: JournalFile6,
    shared: Shared,
    probes: mpsc::Sender<Probe6>,
    heard: Receiver<Ipv6Addr>,
}

struct Service {
    ring: Ring,
    socket: SocketId,
    groups: OwnedFd,      // The same socket: groups are joined through it.
    joined: HashSet<u32>, // Interfaces.
    server: Server,
    journal: Journal,
    view: Arc<View>,
    shared: Shared,
    probes: mpsc::Sender<Probe6>,
    heard: Receiver<Ipv6Addr>, // Addresses that somebody was found to use.
    reporter: Reporter,
    clock: Clock,
    withdrawn: [u64; 2], // What the metrics have already, of `WITHDRAWN`.
    tick: Instant,
    out: Vec<u8>,
}

/// Why an accepted reply may yet not be sent.
const WITHDRAWN: [DropReason; 2] = [DropReason::Dhcp6Superseded, DropReason::Dhcp6Journal];

impl Service {
    fn new(mut ring: Ring, parts: Parts) -> Result<Self, RingError> {
        let Parts { socket, groups, duid, journal, shared, probes, heard } = parts;
        let socket = ring.add_datagram_socket(socket)?;
        let JournalFile6 { path, file, bytes, table } = journal;
        ring.set_journal(file);
        let clock = shared.clock;
        let view = shared.view.load_full();
        for lease in table.bound().filter(|it| it.block.len == 128) {
            view.cards6.set(lease.block.address, lease.mac);
        }
        let journal = Journal::new(path, bytes, ring.waker(), shared.clone());
        let (reports, rounds) = (shared.reports.clone(), shared.rounds.clone());
        let reporter = Reporter::new(reports, rounds, Arc::clone(&shared.metrics));
        let server = Server::new(shared.dhcp6, duid, table);
        let mut service = Self {
            ring,
            socket,
            groups,
            joined: HashSet::new(),
            server,
            journal,
            view,
            shared,
            probes,
            heard,
            reporter,
            tick: clock.now().instant,
            clock,
            withdrawn: [0; 2],
            out: Vec::new(),
        };
        service.join();
        Ok(service)
    }

    /// Serves until `stop`, turn by turn as a shard does.
    fn run(&mut self, stop: &AtomicBool) -> Result<(), RingError> {
        let mut batch = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let deadlines = [self.server.next_deadline(), self.journal.next_sync()];
            let deadline = deadlines.into_iter().flatten().fold(self.tick, Instant::min);
            let wait = deadline.saturating_since(self.clock.now().instant);
            self.ring.submit_and_wait(Some(wait))?;
            self.ring.reap_into(&mut batch)?;
            let now = self.clock.now();
            self.renew_view();
            for done in batch.drain(..) {
                self.on_done(done, now);
            }
            self.handle_timeouts(now);
            self.probe(now);
            self.journal.commit(&mut self.ring, &mut self.server, now)?;
            self.send_all();
            self.tell(now);
        }
        Ok(())
    }

    fn renew_view(&mut self) {
        let newest = self.shared.view.load();
        if !Arc::ptr_eq(&newest, &self.view) {
            self.view = Arc::clone(&newest);
            self.join();
        }
    }

    /// Joins the group of all servers on each link that is served, and leaves it on others.
    fn join(&mut self) {
        let socket = socket2::SockRef::from(&self.groups);
        let wanted: HashSet<u32> = self.view.links6.iter().map(|it| it.link.link.index).collect();
        for gone in self.joined.difference(&wanted) {
            // An interface that went took its membership along.
            let _ = socket.leave_multicast_v6(&SERVERS_AND_RELAYS, *gone);
        }
        self.joined.retain(|it| wanted.contains(it));
        for index in wanted {
            if self.joined.contains(&index) {
                continue;
            }
            match socket.join_multicast_v6(&SERVERS_AND_RELAYS, index) {
                Ok(()) => {
                    self.joined.insert(index);
                }
                // Tried again with the next tick.
                Err(error) => tracing::debug!(id = "rack.dhcp6.join", index, %error, "not yet"),
            }
        }
    }

    fn on_done(&mut self, done: Done, now: Now) {
        match done {
            Done::Datagram { socket, buffer } => {
                match self.ring.datagram(socket, &buffer) {
                    None => add(&self.shared.metrics.ring_malformed, 1),
                    Some(datagram) => {
                        let (server, view) = (&mut self.server, &self.view);
                        let outcome =
                            on_datagram(server, view, &self.shared.metrics, &datagram, now);
                        self.shared.metrics.count(outcome);
                    }
                }
                self.ring.recycle(buffer);
            }
            Done::Committed { bytes, result } => {
                self.journal.on_committed(&mut self.server, bytes, result, now);
            }
            Done::Synced { result } => self.journal.on_synced(&mut self.server, result, now),
            // This ring has no streams, and a wake-up only ends the wait.
            _ => {}
        }
    }

    fn handle_timeouts(&mut self, now: Now) {
        self.server.handle_timeouts(now);
        if self.tick <= now.instant {
            self.tick = now.instant + TICK;
            self.join();
            let leases = u64::try_from(self.server.leases().bound().count()).unwrap_or_default();
            set(&self.shared.metrics.dhcp6_leases, leases);
            self.reporter.note_lost(self.server.events_lost());
            self.reporter.resync(|place| {
                let rest = self.server.leases().bound_from(place);
                rest.map(move |(at, it)| (at, lease6_report(&it, LeaseState::Active, now)))
            });
        }
    }

    /// Takes in what probes have found, and passes new ones on as far as there is room: offers do
    /// not wait.
    fn probe(&mut self, now: Now) {
        let metrics = &self.shared.metrics;
        while let Ok(address) = self.heard.try_recv() {
            add(&metrics.conflicts, 1);
            let quarantined = self.server.handle_conflict(address, now);
            let id = "rack.dhcp6.conflict";
            tracing::warn!(id, %address, quarantined, "somebody uses an address that was offered");
        }
        while let Some(probe) = self.server.poll_probe() {
            if self.probes.try_send(probe).is_err() {
                add(&metrics.probes_left_out, 1);
            }
        }
    }

    fn send_all(&mut self) {
        while self.ring.can_send(REPLY_BYTES_MAX) {
            let Some(reply) = self.server.poll_reply(&mut self.out) else { return };
            let Reply6 { link, to, source } = reply;
            let interface = if to.scope_id() == 0 { 0 } else { link };
            let outgoing = Outgoing {
                socket: self.socket,
                to: Target::Udp(SocketAddr::V6(to)),
                source: Some(Source { interface, address: IpAddr::V6(source) }),
                payload: &self.out,
                segment_bytes: None,
            };
            let metrics = &self.shared.metrics;
            let sent = self.ring.send(outgoing).is_ok();
            add(if sent { &metrics.dhcp6_replies } else { &metrics.sends_refused }, 1);
        }
    }

    /// Passes on what others wait to know: holders to the shards, boots to the region, counts.
    fn tell(&mut self, now: Now) {
        while let Some((address, mac)) = self.server.poll_card() {
            self.view.cards6.set(address, mac);
        }
        while let Some(event) = self.server.poll_event() {
            self.reporter.report(event, None, now);
        }
        for (told, reason) in self.withdrawn.iter_mut().zip(WITHDRAWN) {
            let count = self.server.withdrawn().of(reason);
            for _ in *told..count {
                self.shared.metrics.count(Err(reason));
            }
            *told = count;
        }
    }
}

fn on_datagram(
    server: &mut Server,
    view: &View,
    metrics: &Metrics,
    datagram: &Datagram<'_>,
    now: Now,
) -> Result<(), DropReason> {
    let (SocketAddr::V6(source), IpAddr::V6(destination)) = (datagram.source, datagram.destination)
    else {
        return Ok(()); // Never: the socket carries IPv6 alone.
    };
    let Some(served) = view.links6.iter().find(|it| it.link.link.index == datagram.interface)
    else {
        // Another network's traffic: not ours to answer, nor to call a fault of the packet.
        add(&metrics.unserved_interface, 1);
        return Ok(());
    };
    add(&metrics.dhcp6_requests, 1);
    let datagram = Datagram6 { source, destination, payload: datagram.payload };
    server.handle_datagram(&view.index, &served.link, &datagram, now)
}
