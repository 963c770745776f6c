//! `ironherd up | region | rack`: opens what must be opened in this namespace, enters the lab's
//! when told to, then starts the halves.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use ironherd_app::App;
use ironherd_rack::{Ports, RackConfig, Secret, Services};
use ironherd_region::RegionConfig;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::watch;

use crate::config::Config;

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Address of the API and the console.
    #[arg(long)]
    listen: Option<String>,
    /// Network namespace for everything but the API's listener, as `ip netns` names it.
    #[arg(long)]
    netns: Option<String>,
    /// The region that a rack belongs to.
    #[arg(long)]
    region_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Both,
    Region,
    Rack,
}

/// Serves until SIGINT or SIGTERM. Must be called before any thread is started.
pub(crate) fn run(mut config: Config, args: &ServeArgs, role: Role) -> anyhow::Result<()> {
    if let Some(listen) = &args.listen {
        config.region.listen.clone_from(listen);
        config.rack.region_url = format!("http://{listen}");
    }
    if let Some(netns) = &args.netns {
        config.netns.clone_from(netns);
    }
    if let Some(url) = &args.region_url {
        config.rack.region_url.clone_from(url);
    }
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot make the data folder {}", config.data_dir.display()))?;
    let mut listeners = Vec::new();
    if role != Role::Rack {
        listeners.push(listen(&config.region.listen)?);
    }
    if !config.netns.is_empty() {
        enter_netns(&config.netns)?;
        // The rack and the agents' gateway look for the region where they are.
        if role != Role::Rack {
            listeners.push(listen(&config.region.listen)?);
        }
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(serve(&config, role, listeners))
}

fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| {
        format!("cannot listen on {address}; set region.listen, or end what holds that port")
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Moves this thread, and so every later one, into a namespace that `ip netns add` made.
fn enter_netns(name: &str) -> anyhow::Result<()> {
    let path = Path::new("/run/netns").join(name);
    let file = File::open(&path).with_context(|| {
        format!("no network namespace `{name}`; `ip netns add {name}` makes it")
    })?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .with_context(|| format!("cannot enter the network namespace `{name}` (needs root)"))
}

async fn serve(config: &Config, role: Role, listeners: Vec<TcpListener>) -> anyhow::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let mut halves = tokio::task::JoinSet::new();
    if role != Role::Rack {
        let app = open_app(config).await?;
        app.rack_token_ensure().await.context("cannot make the rack's token")?;
        print_setup_link(&app, &config.region.listen).await?;
        app.close().await; // The region opens its own: one owner of the database's writer.
        let (region, stopping) = (region_config(config), stopping.clone());
        halves.spawn(async move {
            let outcome = ironherd_region::run(region, listeners, stopping).await;
            outcome.context("the region stopped")
        });
    }
    if role != Role::Region {
        let (rack, stopping) = (rack_config(config)?, stopping.clone());
        halves.spawn(async move {
            ironherd_rack::run(rack, stopped(stopping)).await.context("the rack stopped")
        });
    }
    let ended = tokio::select! {
        ended = halves.join_next() => ended,
        () = terminated() => None,
    };
    let _ = stop.send(true);
    let mut outcome = ended.map_or(Ok(()), |half| half.context("a half panicked")?);
    while let Some(half) = halves.join_next().await {
        let half = half.context("a half panicked").and_then(|it| it);
        outcome = outcome.and(half);
    }
    outcome
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that whoever could stop us is gone: that is a stop too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping");
}

/// Shows the link that makes the first administrator, as long as there is none.
async fn print_setup_link(app: &App, listen: &str) -> anyhow::Result<()> {
    if let Some(token) = app.setup_token_issue().await.context("cannot make the setup link")? {
        // Behind `#` the token stays in the browser: no server, proxy or log sees it.
        eprintln!("Set up the first administrator: http://{listen}/#setup={}", token.expose());
    }
    Ok(())
}

pub(crate) async fn open_app(config: &Config) -> anyhow::Result<App> {
    let database = Some(config.region.database_url.as_str()).filter(|url| !url.is_empty());
    let app = App::open(&config.data_dir, database).await;
    app.with_context(|| format!("cannot open the region's data in {}", config.data_dir.display()))
}

fn region_config(config: &Config) -> RegionConfig {
    let database = Some(config.region.database_url.clone()).filter(|url| !url.is_empty());
    RegionConfig {
        data_dir: config.data_dir.clone(),
        database_url: database,
        ..RegionConfig::default()
    }
}

fn rack_config(config: &Config) -> anyhow::Result<RackConfig> {
    let rack = &config.rack;
    let token_file = match rack.token_file.as_str() {
        "" => config.data_dir.join("rack.token"),
        path => PathBuf::from(path),
    };
    let token = std::fs::read_to_string(&token_file).with_context(|| {
        format!("cannot read the rack's token {}; set rack.token_file", token_file.display())
    })?;
    if [rack.dhcp_port, rack.tftp_port, rack.http_port] == [0, 0, 0] {
        bail!("every service of the rack is turned off; give rack.dhcp_port, … a port");
    }
    let metrics_listen = match rack.metrics_listen.as_str() {
        "" => None,
        text => Some(text.parse().with_context(|| {
            format!("rack.metrics_listen = {text:?}: give an address with a port, or nothing")
        })?),
    };
    Ok(RackConfig { token: Secret::new(token.trim()), metrics_listen, ..rack_settings(config) })
}

/// All but the token.
pub(crate) fn rack_settings(config: &Config) -> RackConfig {
    let rack = &config.rack;
    let name = match rack.name.as_str() {
        "" => host_name(),
        name => name.to_owned(),
    };
    let on = |port: u16| port != 0;
    RackConfig {
        name,
        data_dir: config.data_dir.join("rack"),
        region_url: Some(rack.region_url.clone()),
        interfaces: rack.interfaces.clone(),
        services: Services {
            dhcp: on(rack.dhcp_port),
            proxy: on(rack.proxy_port),
            dhcp6: on(rack.dhcp6_port),
            tftp: on(rack.tftp_port),
            http: on(rack.http_port),
            gateway: on(rack.gateway_port),
            router_advertisements: rack.router_advertisements,
        },
        ports: Ports {
            dhcp: rack.dhcp_port,
            proxy: rack.proxy_port,
            dhcp6: rack.dhcp6_port,
            tftp: rack.tftp_port,
            http: rack.http_port,
            gateway: rack.gateway_port,
        },
        capture_bytes: rack.capture_bytes,
        shards: rack.shards,
        durability: rack.durability,
        card_rate: rack.card_rate,
        relay_rate: rack.relay_rate,
        foreign_probe_seconds: rack.foreign_probe_seconds,
        ..RackConfig::default()
    }
}

fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "rack".to_owned() } else { name }
}
