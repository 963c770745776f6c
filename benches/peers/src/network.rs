//! Two namespaces joined by a pair of interfaces: one for the server, one for its clients.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

/// Removed when dropped; what a killed run left behind is removed by the next.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) server: String,
    pub(crate) clients: String,
}

pub(crate) const SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const RELAY_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(crate) const SERVER_INTERFACE: &str = "vs";
pub(crate) const CLIENT_INTERFACE: &str = "vc";

const PREFIX: &str = "ironherd-bench-";

impl Network {
    pub(crate) fn new() -> anyhow::Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("network namespaces need root");
        }
        remove_remains()?;
        let id = std::process::id();
        let network =
            Self { server: format!("{PREFIX}{id}-s"), clients: format!("{PREFIX}{id}-c") };
        let Self { server, clients } = &network;
        let pair = format!(
            "link add {SERVER_INTERFACE} netns {server} type veth \
             peer name {CLIENT_INTERFACE} netns {clients}"
        );
        for line in [
            format!("netns add {server}"),
            format!("netns add {clients}"),
            pair,
            format!("-n {server} addr add {SERVER_ADDRESS}/8 dev {SERVER_INTERFACE}"),
            format!("-n {clients} addr add {RELAY_ADDRESS}/8 dev {CLIENT_INTERFACE}"),
            format!("-n {server} link set lo up"),
            format!("-n {clients} link set lo up"),
            format!("-n {server} link set {SERVER_INTERFACE} up"),
            format!("-n {clients} link set {CLIENT_INTERFACE} up"),
        ] {
            ip(&line)?;
        }
        Ok(network)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in [&self.server, &self.clients] {
            if let Err(error) = ip(&format!("netns del {namespace}")) {
                eprintln!("{error:#}");
            }
        }
    }
}

/// Removes the namespaces of runs whose process is gone.
fn remove_remains() -> anyhow::Result<()> {
    let Ok(names) = std::fs::read_dir("/run/netns") else { return Ok(()) };
    for name in names.flatten() {
        let name = name.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let id = rest.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(id).exists() {
            ip(&format!("netns del {name}"))?;
        }
    }
    Ok(())
}

fn ip(line: &str) -> anyhow::Result<()> {
    let output = Command::new("ip").args(line.split_whitespace()).output();
    let output = output.context("cannot run `ip`; is iproute2 installed?")?;
    if !output.status.success() {
        bail!("ip {line}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
