//! Starts the shards of a rack, each on a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use ironherd_uring::socket::Share;
use ironherd_uring::{Ring, RingConfig, RingError, Waker};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::sync::{mpsc, oneshot};

use crate::config::{Ports, RackConfig};
use crate::error::RackError;
use crate::recovery::JournalFile;
use crate::shard::{BoundPorts, Command, Shard, ShardParts, Shared, Sockets, Wakers};

/// The shards that run.
#[derive(Debug)]
pub(crate) struct Shards {
    pub(crate) waker: Wakers,
    pub(crate) commands: Vec<SyncSender<Command>>,
    /// Tells of each shard that ends, and why.
    pub(crate) ended: mpsc::Receiver<Result<(), RackError>>,
}

const PORT_PATIENCE: Duration = Duration::from_secs(3);
const PORT_RETRY: Duration = Duration::from_millis(50);
const COMMANDS_MAX: usize = 64;
const RING_TRIES: u32 = 40;

/// Binds the sockets of all shards: to one and the same port for each service.
pub(crate) async fn bind_all(config: &RackConfig) -> Result<(Vec<Sockets>, BoundPorts), RackError> {
    let count = config.shard_count();
    let first = Share { index: 0, count };
    let (sockets, bound) = bind_patiently(config, first).await?;
    let BoundPorts { dhcp, proxy, tftp, http, gateway, metrics: _ } = bound;
    let ports = Ports { dhcp, proxy, tftp, http, gateway, dhcp6: config.ports.dhcp6 };
    let mut all = vec![sockets];
    for index in 1..count {
        // In their order: a program that chooses a socket counts them so.
        let (sockets, _) = Sockets::bind(&config.services, &ports, Share { index, count })?;
        all.push(sockets);
    }
    Ok((all, bound))
}

/// Binds the first shard's sockets. After a kill the kernel takes down the old ring, and with it
/// the old sockets, only after the process is gone: a taken port may be free in a moment.
async fn bind_patiently(
    config: &RackConfig,
    share: Share,
) -> Result<(Sockets, BoundPorts), RackError> {
    let deadline = tokio::time::Instant::now() + PORT_PATIENCE;
    loop {
        match Sockets::bind(&config.services, &config.ports, share) {
            Err(RackError::Port { source, .. })
                if source.kind() == io::ErrorKind::AddrInUse
                    && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(PORT_RETRY).await;
            }
            done => return done,
        }
    }
}

/// Runs the shards; returns once their rings are set up.
pub(crate) async fn start_all(
    sockets: Vec<Sockets>,
    journals: Vec<JournalFile>,
    tape_bytes: usize,
    shared: &Shared,
    stop: &Arc<AtomicBool>,
) -> Result<Shards, RackError> {
    let count = sockets.len();
    let (end, ended) = mpsc::channel(count);
    let mut wakers = Vec::with_capacity(count);
    let mut commands = Vec::with_capacity(count);
    for (index, (sockets, journal)) in sockets.into_iter().zip(journals).enumerate() {
        let (command, inbox) = sync_channel(COMMANDS_MAX);
        let shared = shared.clone();
        let parts = ShardParts { index, sockets, journal, shared, inbox, tape_bytes };
        wakers.push(start(parts, count, Arc::clone(stop), end.clone()).await?);
        commands.push(command);
    }
    Ok(Shards { waker: Wakers(wakers.into()), commands, ended })
}

/// Tells that a shard has ended, even if it panicked.
struct Farewell {
    to: mpsc::Sender<Result<(), RackError>>,
    outcome: Result<(), RackError>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, Ok(()));
        // There is room for one word of each shard; nobody listens while the rack is dropped.
        let _ = self.to.try_send(outcome);
    }
}

async fn start(
    parts: ShardParts,
    count: usize,
    stop: Arc<AtomicBool>,
    end: mpsc::Sender<Result<(), RackError>>,
) -> Result<Waker, RackError> {
    let (ready, is_ready) = oneshot::channel();
    let index = parts.index;
    let serve = move || {
        let mut farewell = Farewell { to: end, outcome: Err(RackError::Panicked) };
        pin(index, count);
        // The ring belongs to the thread that makes it.
        let shard = ring_patiently().and_then(|ring| Ok((ring.waker(), Shard::new(ring, parts)?)));
        let outcome = match shard {
            Ok((waker, mut shard)) => {
                let _ = ready.send(Ok(waker)); // Who started us may have given up: `stop` says so.
                shard.run(&stop)
            }
            Err(error) => {
                let _ = ready.send(Err(RackError::Ring(error)));
                Ok(())
            }
        };
        if let Err(error) = &outcome {
            tracing::error!(id = "rack.shard", index, %error, "a shard has ended");
        }
        farewell.outcome = outcome.map_err(RackError::Ring);
    };
    let thread = std::thread::Builder::new().name(format!("rack-shard-{index}"));
    thread.spawn(serve).map_err(RackError::Thread)?;
    is_ready.await.map_err(|_| RackError::Panicked)?
}

/// Makes a ring. After a kill the kernel gives the memory of the old rings back only in a while.
fn ring_patiently() -> Result<Ring, RingError> {
    for _ in 1..RING_TRIES {
        match Ring::new(RingConfig::default()) {
            Err(RingError::SetUp { source, .. }) if source.kind() == io::ErrorKind::OutOfMemory => {
                std::thread::park_timeout(PORT_RETRY);
            }
            done => return done,
        }
    }
    Ring::new(RingConfig::default())
}

/// Gives a shard a processor of its own, where there is one more than shards: the first is for the
/// rest of the rack. A single shard goes where the scheduler finds room.
fn pin(index: usize, count: usize) {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let processors = (0..CpuSet::MAX_CPU).filter(|it| allowed.is_set(*it));
    let processors: Vec<_> = processors.collect();
    if count < 2 || processors.len() <= count {
        return;
    }
    let Some(processor) = processors.get(index + 1) else { return };
    let mut only = CpuSet::new();
    only.set(*processor);
    if let Err(error) = sched_setaffinity(None, &only) {
        tracing::warn!(id = "rack.shard.pin", index, %error, "a shard is not pinned");
    }
}
