//! One region process, from opening its data to the last answered request.

use std::net::TcpListener;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use ironherd_app::{App, CommandError, OpenError};
use ironherd_bmc::{BmcPool, PoolConfig};
use ironherd_workers::WorkersConfig;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::RegionConfig;

/// How long running requests may take after the stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// Why a region could not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the region's data cannot be opened: {0}")]
    Open(#[from] OpenError),
    #[error("the work of the last run cannot be taken up: {0}")]
    Reclaim(#[from] CommandError),
    #[error("cannot listen: {0}")]
    Listen(#[source] std::io::Error),
    /// A region without workers looks alive and does nothing: better to stop and be restarted.
    #[error("a worker ended by itself; the log says which")]
    WorkerEnded,
    #[error("the server stopped: {0}")]
    Serve(#[source] std::io::Error),
}

/// Serves until `shutdown` becomes true, on `listeners`, or on `config.listen` if there are none.
///
/// # Errors
/// If the data or a socket cannot be opened, or if accepting connections fails for good.
pub async fn run(
    config: RegionConfig,
    listeners: Vec<TcpListener>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let app = App::open(&config.data_dir, config.database_url.as_deref()).await?;
    app.serving_begins().await?;
    let bmc = BmcPool::new(PoolConfig::default());
    let mut workers = ironherd_workers::spawn(app.clone(), bmc, WorkersConfig::default());
    // A region without workers looks alive and does nothing: their end is the region's end.
    let outcome = tokio::select! {
        outcome = serve(&config, listeners, app.clone(), shutdown) => outcome,
        () = workers.join() => Err(RunError::WorkerEnded),
    };
    workers.shutdown().await;
    app.close().await;
    outcome
}

async fn serve(
    config: &RegionConfig,
    listeners: Vec<TcpListener>,
    app: App,
    shutdown: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let mut sockets = Vec::new();
    for listener in listeners {
        listener.set_nonblocking(true).map_err(RunError::Listen)?;
        sockets.push(tokio::net::TcpListener::from_std(listener).map_err(RunError::Listen)?);
    }
    if sockets.is_empty() {
        let listener = tokio::net::TcpListener::bind(config.listen).await;
        sockets.push(listener.map_err(RunError::Listen)?);
    }
    let router = crate::router(app, shutdown.clone());
    let mut servers = JoinSet::new();
    for socket in sockets {
        if let Ok(address) = socket.local_addr() {
            tracing::info!(event = "listening", %address, "The API answers.");
        }
        servers.spawn(answer(socket, router.clone(), shutdown.clone()));
    }
    let mut outcome = Ok(());
    while let Some(server) = servers.join_next().await {
        match server {
            Ok(Ok(())) => {}
            Ok(Err(error)) => outcome = Err(RunError::Serve(error)),
            Err(panic) => outcome = Err(RunError::Serve(std::io::Error::other(panic))),
        }
        if outcome.is_err() {
            break; // One dead listener is a dead region: whoever started it must know.
        }
    }
    outcome
}

/// Serves one socket until the stop, and then lets running requests end, but not for ever.
async fn answer(
    socket: tokio::net::TcpListener,
    router: Router,
    shutdown: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let stopped = |mut shutdown: watch::Receiver<bool>| async move {
        // An error means that whoever could stop us is gone: that is a stop too.
        let _ = shutdown.wait_for(|stop| *stop).await;
    };
    // Small answers and WebSocket messages must not wait for an ACK of the one before.
    let socket = socket.tap_io(|io| drop(io.set_nodelay(true)));
    let serving = axum::serve(socket, router).with_graceful_shutdown(stopped(shutdown.clone()));
    let patience = async {
        stopped(shutdown).await;
        tokio::time::sleep(DRAIN_WITHIN).await;
    };
    tokio::select! {
        served = serving => served,
        () = patience => {
            tracing::warn!(event = "drain_timeout", "Some requests did not end in time.");
            Ok(())
        }
    }
}
