//! Reconcilers: take no input, idempotent, woken by signal and by period.
//!
//! Each worker asks the [`App`] what is due, does it through the [`BmcPool`], and tells the `App`
//! how it went. Nothing is kept here that a `kill -9` could lose: an effect that was begun is
//! claimed again once its lease has run out, and is carried out by the state it asks for.

mod deadlines;
mod effects;
mod outcome;
mod poll;
mod sweep;
mod target;

use std::time::Duration;

use ironherd_app::App;
use ironherd_bmc::BmcPool;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The bounds and periods of the workers.
#[derive(Clone, Copy, Debug)]
pub struct WorkersConfig {
    /// Effects that run at once. Each holds a task and a socket while its BMC thinks.
    pub effects_at_once: usize,
    /// For how long a claim is ours. An effect that takes longer is given back before that.
    pub effect_lease: Duration,
    /// How often an effect is begun before it is given up.
    pub effect_tries: u32,
    /// The pause before the second try; it doubles from there.
    pub retry_after_min: Duration,
    pub retry_after_max: Duration,
    /// How old a power state may get before the BMC is asked again. Each round adds up to a
    /// quarter by chance, so that machines that were asked together drift apart.
    pub poll_period: Duration,
    pub polls_at_once: usize,
    /// How often deadlines are looked at.
    pub deadline_period: Duration,
    pub sweep_period: Duration,
    /// How long a shutdown waits for effects that run. Those left are put back at once.
    pub shutdown_grace: Duration,
}

impl Default for WorkersConfig {
    fn default() -> Self {
        Self {
            effects_at_once: 256,
            effect_lease: Duration::from_secs(100),
            effect_tries: 8,
            retry_after_min: Duration::from_secs(2),
            retry_after_max: Duration::from_secs(60),
            poll_period: Duration::from_secs(60),
            polls_at_once: 64,
            deadline_period: Duration::from_secs(1),
            sweep_period: Duration::from_secs(600),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// What every worker works with.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) app: App,
    pub(crate) bmc: BmcPool,
    pub(crate) config: WorkersConfig,
    stop: watch::Receiver<bool>,
}

/// The running workers.
#[derive(Debug)]
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<&'static str>,
}

/// Starts all workers. Must be called inside a tokio runtime.
#[must_use]
pub fn spawn(app: App, bmc: BmcPool, config: WorkersConfig) -> Workers {
    let (stop, stopped) = watch::channel(false);
    let context = Context { app, bmc, config, stop: stopped };
    let mut tasks = JoinSet::new();
    tasks.spawn(named("effects", effects::run(context.clone())));
    tasks.spawn(named("power poll", poll::run(context.clone())));
    tasks.spawn(named("deadlines", deadlines::run(context.clone())));
    tasks.spawn(named("sweep", sweep::run(context)));
    Workers { stop, tasks }
}

async fn named(name: &'static str, worker: impl Future<Output = ()>) -> &'static str {
    worker.await;
    name
}

impl Workers {
    /// Waits until a worker ends by itself, which only a bug makes it do. The caller should end
    /// the process: a region without workers looks alive and does nothing.
    pub async fn join(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(name)) => tracing::error!(event = "worker_ended", worker = name, "it ended"),
            Some(Err(error)) => tracing::error!(event = "worker_ended", %error, "it panicked"),
            None => {}
        }
    }

    /// Stops taking work, finishes what runs within the grace time, and ends.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Context {
    /// Resolves once the workers shall stop. Also when the [`Workers`] were dropped.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error says that the sender is gone: there is nobody left to work for.
        let _ = stop.wait_for(|it| *it).await;
    }

    /// Sleeps, unless the workers stop first. `false` says stop.
    pub(crate) async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.stopped() => false,
            () = tokio::time::sleep(time) => true,
        }
    }
}
