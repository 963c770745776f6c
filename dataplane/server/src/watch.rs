//! Watches the networks that the rack serves, beside the shards: foreign DHCP servers, ranges that
//! run out, journals that cannot be written. What is so goes to the region as alarms.

mod probe;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ironherd_leases::Claims;
use ironherd_link::{AlarmKind, AlarmReport};
use ironherd_proto::alarms::{self, Alarm, Place, PoolUse, Watch};
use ironherd_snapshot::{DhcpMode, Index, Mac};
use tokio::sync::watch;

use crate::ask::Door;
use crate::clock::Clock;
use crate::config::RackConfig;
use crate::error::RackError;
use crate::metrics::{Metrics, set};
use crate::shard::{Command, Shared};
use crate::view::View;

/// A client has chosen a server that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) vlan: String,
    pub(crate) server: Ipv4Addr,
}

/// What the watcher looks at, and whom it tells.
#[derive(Debug)]
struct Watcher {
    view: Arc<ArcSwap<View>>,
    metrics: Arc<Metrics>,
    /// Without DHCP there are no leases.
    claims: Option<Claims>,
    doors: Vec<Door>,
    probe_every: Option<Duration>,
    alarms: watch::Sender<Arc<Vec<AlarmReport>>>,
}

/// Sightings that the watcher has not taken up yet.
pub(crate) const HEARD_MAX: usize = 64;
const TICK: Duration = Duration::from_secs(1);
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// A server that is silent to so many probes is gone.
const SILENT_PROBES: u32 = 3;
/// Without probes only clients tell of servers, and they ask seldom.
const MEMORY: Duration = Duration::from_mins(15);

/// Starts to watch. What comes back is all that is so at the moment, as it changes.
pub(crate) fn watch_networks(
    config: &RackConfig,
    shared: &Shared,
    claims: Option<Claims>,
    doors: &[Door],
    heard: Receiver<Heard>,
) -> Result<watch::Receiver<Arc<Vec<AlarmReport>>>, RackError> {
    let (alarms, alarms_of_link) = watch::channel(Arc::default());
    let seconds = config.foreign_probe_seconds;
    let probes = config.services.dhcp && seconds != 0;
    let watcher = Watcher {
        view: Arc::clone(&shared.view),
        metrics: Arc::clone(&shared.metrics),
        claims: claims.filter(|_| config.services.dhcp),
        doors: doors.to_vec(),
        probe_every: probes.then(|| Duration::from_secs(seconds.into())),
        alarms,
    };
    let thread = std::thread::Builder::new().name("rack-watch".to_owned());
    thread.spawn(move || watcher.run(&heard)).map_err(RackError::Thread)?;
    Ok(alarms_of_link)
}

impl Watcher {
    /// Watches until the shards are gone: on a thread of its own, for it waits.
    fn run(self, heard: &Receiver<Heard>) {
        let clock = Clock::new();
        let mut watch = Watch::default();
        let mut probed: Option<Instant> = None;
        let mut counted: Option<Instant> = None;
        let is_due = |last: Option<Instant>, every| last.is_none_or(|it| every <= it.elapsed());
        loop {
            match heard.recv_timeout(TICK) {
                Ok(Heard { vlan, server }) => {
                    if !vlan.is_empty() {
                        self.tell_shards(&vlan, Some(server)); // One of them told us.
                    }
                    let place = place_of(&self.view.load().index, &vlan);
                    watch.heard(place, server, None, clock.now().instant);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.probe_every.is_some_and(|every| is_due(probed, every)) {
                probed = Some(Instant::now());
                self.probe(&mut watch, clock);
            }
            let memory = self.probe_every.map_or(MEMORY, |it| it * SILENT_PROBES + TICK * 2);
            for vlan in watch.forget(memory, clock.now().instant) {
                self.tell_shards(&vlan, None);
            }
            if is_due(counted, COUNT_EVERY) {
                counted = Some(Instant::now());
                watch.pools(self.count());
            }
            watch.journals_failed(Metrics::read(&self.metrics.journals_failed));
            self.tell_region(&watch.alarms());
        }
    }

    /// Asks every served link who else answers there, and tells the shards of it: a VLAN in mode
    /// AUTO is left to a foreign server by all of them.
    fn probe(&self, watch: &mut Watch, clock: Clock) {
        let view = self.view.load_full();
        let ours: Vec<Ipv4Addr> = view.links.iter().map(|it| it.link.address).collect();
        for (link, offer) in probe::probe(&view.links) {
            if ours.contains(&offer.server) {
                continue;
            }
            let subnet = view.index.subnet_of(link.address).map(|(_, it)| it);
            let place = match subnet.and_then(|it| view.index.vlan_of(it)) {
                Some(vlan) => place_of(&view.index, &vlan.id),
                None => Place { name: offer.interface, ..Place::default() },
            };
            if !place.vlan.is_empty() {
                self.tell_shards(&place.vlan, Some(offer.server));
            }
            watch.heard(place, offer.server, Some(Mac(offer.mac)), clock.now().instant);
        }
    }

    fn tell_shards(&self, vlan: &str, server: Option<Ipv4Addr>) {
        for door in &self.doors {
            let command = Command::Foreign { vlan: vlan.to_owned(), server };
            // A full inbox has worse to tell; the next probe says it again.
            if door.commands.try_send(command).is_ok() {
                door.waker.wake();
            }
        }
    }

    /// Counts what is in use of every range; the sums are metrics.
    fn count(&self) -> Vec<PoolUse> {
        let Some(claims) = &self.claims else { return Vec::new() };
        let view = self.view.load_full();
        let subnets = &view.index.snapshot().subnets;
        let mut pools = Vec::new();
        let (mut size, mut bound, mut quarantined) = (0, 0, 0);
        for range in subnets.iter().flat_map(|it| &it.ranges) {
            let usage = claims.usage(range.first, range.last);
            let (first, last) = (range.first, range.last);
            size += u64::from(last.to_bits().saturating_sub(first.to_bits())) + 1;
            bound += usage.bound;
            quarantined += usage.quarantined;
            pools.push(PoolUse { first, last, used: usage.bound + usage.quarantined });
        }
        set(&self.metrics.pool_addresses, size);
        set(&self.metrics.pool_bound, bound);
        set(&self.metrics.pool_quarantined, quarantined);
        pools
    }

    fn tell_region(&self, alarms: &[Alarm]) {
        let reports: Vec<AlarmReport> = alarms.iter().map(report).collect();
        set(&self.metrics.alarms, u64::try_from(reports.len()).unwrap_or(u64::MAX));
        self.alarms.send_if_modified(|told| {
            let changed = **told != reports;
            if changed {
                for it in reports.iter().filter(|it| !told.iter().any(|old| is_one(old, it))) {
                    tracing::warn!(id = "rack.alarm", kind = ?it.kind, "{}", it.message);
                }
                for it in told.iter().filter(|it| !reports.iter().any(|new| is_one(new, it))) {
                    let (kind, subject) = (it.kind, &it.subject);
                    tracing::info!(id = "rack.alarm.over", ?kind, subject, "an alarm is over");
                }
                *told = Arc::new(reports);
            }
            changed
        });
    }
}

fn is_one(a: &AlarmReport, b: &AlarmReport) -> bool {
    (a.kind, &a.subject) == (b.kind, &b.subject)
}

fn place_of(index: &Index, vlan: &str) -> Place {
    let Some(it) = index.vlan(vlan) else {
        let name = if vlan.is_empty() { "a network of no VLAN" } else { vlan };
        return Place { vlan: vlan.to_owned(), name: name.to_owned(), mode: DhcpMode::Full };
    };
    let fabric = index.fabric(&it.fabric).map_or("", |it| &it.name);
    let name = format!("VLAN {} ({}, {fabric})", it.vid, it.name);
    Place { vlan: it.id.clone(), name, mode: it.mode }
}

fn report(it: &Alarm) -> AlarmReport {
    let kind = match it.kind {
        alarms::AlarmKind::ForeignDhcpServer => AlarmKind::ForeignDhcpServer,
        alarms::AlarmKind::PoolLow => AlarmKind::PoolLow,
        alarms::AlarmKind::PoolExhausted => AlarmKind::PoolExhausted,
        alarms::AlarmKind::JournalFailed => AlarmKind::JournalFailed,
    };
    AlarmReport { kind, subject: it.subject.clone(), message: it.message.clone() }
}
