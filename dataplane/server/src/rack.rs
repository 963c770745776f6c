mod listeners;

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use arc_swap::ArcSwap;
use ironherd_leases::Claims;
use ironherd_link::{Ends, LinkConfig, Report, Rounds};
use ironherd_proto::DropReason;
use ironherd_snapshot::Snapshot;
use ironherd_uring::interfaces;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::listeners::Listeners;
use crate::ask::{Asker, Door};
use crate::cache::Cache;
use crate::clock::{Clock, since_epoch};
use crate::cold::{ColdFiles, UringFiles};
use crate::config::RackConfig;
use crate::doctor;
use crate::error::RackError;
use crate::keeper::{self, Keeper, Layout, load_snapshot};
use crate::metrics::Metrics;
use crate::probe::{PROBES_MAX, Prober, ShardProbe};
use crate::recovery::{JournalFile, open_journals};
use crate::shard::dhcp6::{self, Dhcp6};
use crate::shard::{BoundPorts, Command, Compaction, Shared, Wakers};
use crate::shards::{Shards, bind_all, start_all};
use crate::view::{UrlPorts, View, serve, serve6};
use crate::watch::{HEARD_MAX, Heard, watch_networks};

/// A running rack.
#[derive(Debug)]
pub struct Rack {
    handle: RackHandle,
    stop: Arc<AtomicBool>,
    waker: Wakers,
    shards_ended: mpsc::Receiver<Result<(), RackError>>,
    tasks: JoinSet<Result<(), RackError>>,
    dhcp6: Option<Dhcp6>,
    _lock: File, // Held: one journal has one writer.
}

/// What others may ask a running rack.
#[derive(Clone, Debug)]
pub struct RackHandle {
    metrics: Arc<Metrics>,
    view: Arc<ArcSwap<View>>,
    ports: BoundPorts,
}

impl RackHandle {
    /// Every counter, in Prometheus' text form.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        self.metrics.text()
    }

    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.metrics.dropped(reason)
    }

    /// The ports that were bound; they differ from the config only where that says 0.
    #[must_use]
    pub fn ports(&self) -> BoundPorts {
        self.ports
    }

    /// Generation of the snapshot that is answered from; 0: none yet.
    #[must_use]
    pub fn snapshot_generation(&self) -> u64 {
        self.view.load().index.snapshot().generation
    }

    /// The interfaces served now, with our address on each.
    #[must_use]
    pub fn served(&self) -> Vec<(String, Ipv4Addr)> {
        let view = self.view.load();
        view.links.iter().map(|it| (it.interface.name.clone(), it.link.address)).collect()
    }
}

/// Reports that wait for the link. A storm of ten thousand machines fits.
const REPORTS_MAX: usize = 65_536;
/// Questions of the region that no task has taken up yet.
const ASKS_MAX: usize = 8;

impl Rack {
    /// Opens everything and starts serving. When this returns, machines are answered.
    ///
    /// # Errors
    /// See [`RackError`]; nothing is left running.
    pub async fn start(mut config: RackConfig) -> Result<Self, RackError> {
        name_after_host(&mut config.name);
        doctor::prepare(&config.data_dir);
        let layout = Layout::new(&config.data_dir);
        make_folders(&config.data_dir, &layout.cache)?;
        let lock = lock(&layout.lock)?;
        let epoch = next_epoch(&layout.epoch)?;
        let snapshot = load_snapshot(&layout.snapshot).map(Arc::new);
        let (sockets, mut ports) = bind_all(&config).await?;
        let listeners = Listeners::bind(&config, &mut ports)?;
        let (reports, from_shard) = mpsc::channel(REPORTS_MAX);
        let (compactions, compactions_of_shard) = mpsc::channel(sockets.len() + 1); // And DHCPv6.
        let (probes, probes_of_shard) = mpsc::channel(PROBES_MAX);
        let (heard, heard_by_shard) = sync_channel(HEARD_MAX);
        let shared = Shared {
            clock: Clock::new(),
            view: Arc::new(ArcSwap::from_pointee(first_view(&config, &layout, &snapshot, ports)?)),
            metrics: Arc::new(Metrics::new()),
            reports,
            rounds: Rounds::default(),
            compactions,
            probes,
            heard,
            ports: UrlPorts { http: ports.http, gateway: ports.gateway },
            durability: config.durability,
            dhcp: config.dhcp(),
            dhcp6: config.dhcp6(),
            disk_faults: config.disk_faults.clone(),
        };
        let generation = snapshot.as_ref().map_or(0, |it| it.generation);
        shared.metrics.show(&config, generation);
        let journals = read_journals(&layout, &config, shared.clock).await?;
        let claims = journals.first().map(|it| it.table.claims().clone());
        let stop = Arc::new(AtomicBool::new(false));
        let shards = start_all(sockets, journals, config.capture_bytes, &shared, &stop).await?;
        let Shards { waker, commands, ended: shards_ended } = shards;
        let cold: Arc<dyn ColdFiles> = Arc::new(UringFiles::start().map_err(RackError::Thread)?);
        let handle =
            RackHandle { metrics: Arc::clone(&shared.metrics), view: shared.view.clone(), ports };
        let mut rack = Self {
            handle,
            stop,
            waker,
            shards_ended,
            tasks: JoinSet::new(),
            dhcp6: None,
            _lock: lock,
        };
        rack.start_dhcp6(&config, &shared).await?;
        let beside = Beside {
            config: Arc::new(config),
            layout,
            shared,
            cold,
            epoch,
            snapshot,
            from_shard,
            compactions: compactions_of_shard,
            probes: probes_of_shard,
            heard: heard_by_shard,
            claims,
            commands,
            listeners,
        };
        rack.start_beside(beside)?;
        let shards = rack.waker.0.len();
        tracing::info!(id = "rack.up", ?ports, generation, shards, "the rack serves");
        Ok(rack)
    }

    #[must_use]
    pub fn handle(&self) -> RackHandle {
        self.handle.clone()
    }

    /// Serves until `shutdown` is over, then ends every thread and task.
    ///
    /// # Errors
    /// What ended the rack before its time.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> Result<(), RackError> {
        let mut running = self.waker.0.len();
        let mut outcome = tokio::select! {
            () = shutdown => Ok(()),
            ended = self.shards_ended.recv() => {
                running -= 1;
                ended.unwrap_or(Err(RackError::Panicked))
            }
            Some(ended) = self.tasks.join_next() => ended.unwrap_or(Err(RackError::Panicked)),
        };
        self.stop.store(true, Ordering::Relaxed);
        self.waker.wake();
        self.tasks.shutdown().await;
        for _ in 0..running {
            let ended = self.shards_ended.recv().await;
            outcome = outcome.and(ended.unwrap_or(Err(RackError::Panicked)));
        }
        outcome
    }

    /// Starts DHCPv6, if it is on; should its thread fail, the rack ends as with any shard.
    async fn start_dhcp6(&mut self, config: &RackConfig, shared: &Shared) -> Result<(), RackError> {
        if !config.services.dhcp || !config.services.dhcp6 {
            return Ok(());
        }
        let port = config.ports.dhcp6;
        let started = dhcp6::start(&config.data_dir, port, shared.clone()).await?;
        let Some((thread, ended)) = started else { return Ok(()) };
        self.dhcp6 = Some(thread);
        self.tasks.spawn(async move { ended.await.unwrap_or(Err(RackError::Panicked)) });
        Ok(())
    }

    /// Starts what runs on tokio, beside the shard.
    fn start_beside(&mut self, beside: Beside) -> Result<(), RackError> {
        let Beside { config, layout, shared, cold, .. } = beside;
        let (snapshots, snapshots_of_link) = watch::channel(beside.snapshot.clone());
        self.serve(beside.listeners, &config, &shared.metrics)?;
        let ways = beside.commands.iter().cloned().zip(self.waker.0.iter().cloned());
        let doors: Vec<_> = ways.map(|(commands, waker)| Door { commands, waker }).collect();
        let (view, metrics) = (Arc::clone(&shared.view), Arc::clone(&shared.metrics));
        let prober = Prober { view, metrics, doors: doors.clone() };
        let probes = beside.probes;
        let thread = std::thread::Builder::new().name("rack-probe".to_owned());
        thread.spawn(move || prober.run(probes)).map_err(RackError::Thread)?;
        let alarms = watch_networks(&config, &shared, beside.claims, &doors, beside.heard)?;
        let asker = Asker::new(Arc::clone(&shared.view), doors);
        let (ask, asked) = mpsc::channel(ASKS_MAX);
        self.tasks.spawn(async move {
            asker.run(asked).await;
            std::future::pending().await // Without a region nobody asks.
        });
        let faults = shared.disk_faults.clone();
        let compactor = keeper::compact(Arc::clone(&cold), beside.compactions, faults);
        self.tasks.spawn(async move {
            compactor.await;
            Ok(())
        });
        let store = Arc::new(Cache::new(layout.cache.clone(), Arc::clone(&cold)));
        let link = link_config(&config, beside.epoch);
        let (waker, rounds) = (self.waker.clone(), shared.rounds.clone());
        let (addresses, addresses_of_link) = watch::channel(self.handle.view.load().addresses());
        let saver = keeper::save_newest(cold, layout.snapshot.clone(), snapshots_of_link.clone());
        self.tasks.spawn(async move {
            saver.await;
            Ok(())
        });
        let keeper = Keeper { config, layout, shared, waker, addresses };
        self.tasks.spawn(async move {
            keeper.run(snapshots_of_link).await;
            Ok(())
        });
        let (base, reports) = (beside.snapshot, beside.from_shard);
        match link {
            Some(link) => {
                let addresses = addresses_of_link;
                let requests = ask;
                let ends =
                    Ends { base, snapshots, reports, rounds, store, addresses, requests, alarms };
                self.tasks.spawn(async move { Ok(ironherd_link::run(link, ends).await?) });
            }
            None => {
                self.tasks.spawn(async move {
                    let _held = snapshots; // The keeper ends when this is dropped.
                    drop(reports); // Nobody to tell.
                    std::future::pending().await
                });
            }
        }
        Ok(())
    }
}

impl Drop for Rack {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.waker.wake();
    }
}

/// What the tokio side of a rack is made of.
struct Beside {
    config: Arc<RackConfig>,
    layout: Layout,
    shared: Shared,
    cold: Arc<dyn ColdFiles>,
    epoch: u64,
    snapshot: Option<Arc<Snapshot>>,
    from_shard: mpsc::Receiver<Report>,
    compactions: mpsc::Receiver<Compaction>,
    probes: mpsc::Receiver<ShardProbe>,
    heard: Receiver<Heard>,
    claims: Option<Claims>,
    commands: Vec<SyncSender<Command>>,
    listeners: Listeners,
}

/// Makes the data folder, for nobody else to read: the snapshot holds the keys of boot tokens.
fn make_folders(data_dir: &Path, cache: &Path) -> Result<(), RackError> {
    std::fs::create_dir_all(cache).map_err(RackError::file(cache))?;
    let owner_only = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(data_dir, owner_only).map_err(RackError::file(data_dir))
}

fn name_after_host(name: &mut String) {
    if name.is_empty() {
        *name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    }
}

/// Reads the leases back, off the threads that serve tokio: it may take a while.
async fn read_journals(
    layout: &Layout,
    config: &RackConfig,
    clock: Clock,
) -> Result<Vec<JournalFile>, RackError> {
    let (folder, count) = (layout.folder.clone(), config.shard_count());
    let mut key = [[0; 8]; 2];
    key.iter_mut().for_each(|it| {
        aws_lc_rs::rand::fill(it).expect("the kernel's random numbers never fail once seeded");
    });
    let key = key.map(u64::from_ne_bytes);
    let now = clock.now().wall.0;
    let read = tokio::task::spawn_blocking(move || open_journals(&folder, count, key, now));
    read.await.map_err(|_| RackError::Panicked)?
}

/// Takes the data folder for this process, or says who else has it.
fn lock(path: &Path) -> Result<File, RackError> {
    let file = File::create(path).map_err(RackError::file(path))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(_) => Err(RackError::Locked { path: path.to_owned() }),
    }
}

fn first_view(
    config: &RackConfig,
    layout: &Layout,
    snapshot: &Option<Arc<Snapshot>>,
    ports: BoundPorts,
) -> Result<View, RackError> {
    let snapshot = snapshot.clone().unwrap_or_default();
    let ports = UrlPorts { http: ports.http, gateway: ports.gateway };
    let interfaces = interfaces().map_err(RackError::Interfaces)?;
    let links6 = serve6(&snapshot, &interfaces, &config.interfaces, ports);
    let links = serve(&snapshot, interfaces, &config.interfaces, ports);
    let view = View::new(&snapshot, &layout.cache, &View::default(), links);
    Ok(View { links6, ..view })
}

fn link_config(config: &RackConfig, epoch: u64) -> Option<LinkConfig> {
    Some(LinkConfig {
        region_url: config.region_url.clone()?,
        token: config.token.clone(),
        name: config.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epoch,
        retry_first: Duration::from_millis(200),
        retry_max: Duration::from_secs(10),
    })
}

/// A number that grows with every start, even if the clock went back.
fn next_epoch(path: &Path) -> Result<u64, RackError> {
    let last = std::fs::read_to_string(path).ok().and_then(|it| it.trim().parse::<u64>().ok());
    let now = u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX);
    let epoch = now.max(last.map_or(0, |it| it.saturating_add(1)));
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, epoch.to_string()).map_err(RackError::file(&temporary))?;
    std::fs::rename(&temporary, path).map_err(RackError::file(path))?;
    Ok(epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_grow_even_when_the_clock_goes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epoch");
        let first = next_epoch(&path).unwrap();
        let future = first + 1_000_000_000_000;
        std::fs::write(&path, future.to_string()).unwrap();
        assert_eq!(next_epoch(&path).unwrap(), future + 1);
    }
}
