//! Our own server: the real rack, with a prepared snapshot and no region.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ironherd_rack::{Durability, Rack, RackConfig, Services};
use ironherd_snapshot::{BootFile, Range, Snapshot, Subnet};
use sha2::{Digest as _, Sha256};
use tokio::signal::unix::{SignalKind, signal};

use crate::network::SERVER_ADDRESS;

#[derive(Debug, Args)]
pub(crate) struct RackArgs {
    #[arg(long)]
    data_dir: PathBuf,
    /// `durable` or `relaxed`.
    #[arg(long, value_parser = durability, default_value = "durable")]
    durability: Durability,
    /// What it serves.
    #[arg(long, value_enum, default_value = "dhcp")]
    service: Service,
}

/// The service that a bench is about; the others stay off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    Dhcp,
    Tftp,
    Http,
}

fn durability(word: &str) -> Result<Durability, String> {
    let all = [Durability::Durable, Durability::Relaxed];
    let found = all.into_iter().find(|it| it.as_str() == word);
    found.ok_or_else(|| "give durable or relaxed".to_owned())
}

pub(crate) const POOL_FIRST: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 0);
pub(crate) const POOL_LAST: Ipv4Addr = Ipv4Addr::new(10, 127, 255, 255);

/// One subnet, as the peers have it.
pub(crate) fn snapshot() -> Snapshot {
    let subnet = Subnet {
        id: "1".to_owned(),
        cidr: "10.0.0.0/8".parse().unwrap_or_default(),
        gateway: Some(Ipv4Addr::new(10, 0, 0, 254)),
        dns_servers: vec![SERVER_ADDRESS],
        domain: Some("lab.test".to_owned()),
        lease_seconds: 3600,
        ranges: vec![Range::new(POOL_FIRST, POOL_LAST)],
        ..Subnet::default()
    };
    Snapshot { generation: 1, subnets: vec![subnet.into()], ..Snapshot::default() }
}

pub(crate) fn prepare(folder: &Path) -> anyhow::Result<()> {
    prepare_with(folder, &[])
}

/// The same with boot files, each by its name, in the rack's cache.
pub(crate) fn prepare_with(folder: &Path, files: &[(&str, &[u8])]) -> anyhow::Result<()> {
    let cache = folder.join("cache");
    fs::create_dir_all(&cache)?;
    let mut snapshot = snapshot();
    for (name, bytes) in files {
        let sha256: String = Sha256::digest(bytes).iter().map(|it| format!("{it:02x}")).collect();
        fs::write(cache.join(&sha256), bytes)?;
        let size_bytes = u64::try_from(bytes.len())?;
        snapshot.files.push(BootFile { name: (*name).to_owned(), sha256, size_bytes });
    }
    fs::write(folder.join("snapshot.json"), serde_json::to_vec(&snapshot)?)?;
    Ok(())
}

/// Serves until signal 15; then leaves its counters in `metrics`.
pub(crate) fn run(args: RackArgs) -> anyhow::Result<()> {
    let services = Services {
        dhcp: args.service == Service::Dhcp,
        proxy: false,
        dhcp6: false,
        tftp: args.service == Service::Tftp,
        http: args.service == Service::Http,
        gateway: false,
        router_advertisements: false,
    };
    let metrics = args.data_dir.join("metrics");
    let RackArgs { data_dir, durability, .. } = args;
    // One core serves, so one shard does.
    let config = RackConfig { data_dir, services, durability, shards: 1, ..RackConfig::default() };
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut end = signal(SignalKind::terminate())?;
        let rack = Rack::start(config).await?;
        let handle = rack.handle();
        rack.run_until(async move { end.recv().await.unwrap_or_default() }).await?;
        fs::write(metrics, handle.metrics_text())?;
        Ok(())
    })
}
