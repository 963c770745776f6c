//! The servers side by side, each set up as its makers advise for speed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::load::Loader;
use crate::network::{Network, SERVER_ADDRESS, SERVER_INTERFACE};
use crate::process::{Place, Process, command};
use crate::rack;
use crate::rows::Compared;

/// One way of serving that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Durable,
    Relaxed,
    Kea,
    Dhcpd,
    DhcpdDelayed,
    Dnsmasq,
}

/// A server that answers.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) folder: PathBuf,
}

pub(crate) const SERVER_CORE: u32 = 0;
const READY_PATIENCE: Duration = Duration::from_secs(30);

impl Compared for Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Durable => "ironherd_durable",
            Self::Relaxed => "ironherd_relaxed",
            Self::Kea => "kea_memfile",
            Self::Dhcpd => "isc_dhcpd",
            Self::DhcpdDelayed => "isc_dhcpd_delayed_ack",
            Self::Dnsmasq => "dnsmasq",
        }
    }

    fn is_ours(self) -> bool {
        matches!(self, Self::Durable | Self::Relaxed)
    }
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Durable, Self::Relaxed, Self::Kea, Self::Dhcpd, Self::DhcpdDelayed, Self::Dnsmasq];

    /// Last address of the pool, which starts at 10.64.0.0. Where allocation is not O(1), a large
    /// pool would measure that alone.
    fn pool_last(self) -> &'static str {
        match self {
            Self::Durable | Self::Relaxed | Self::Kea => "10.127.255.255",
            Self::Dhcpd | Self::DhcpdDelayed => "10.64.63.255",
            Self::Dnsmasq => "10.64.31.255",
        }
    }

    /// Transactions under way in the closed loop. Those that sync once a lease gain nothing by
    /// more, and would answer after the clients' patience.
    pub(crate) fn outstanding(self) -> u32 {
        match self {
            Self::Durable | Self::Relaxed => 1024,
            Self::Kea => 128, // With more, its socket's default queue overflows.
            Self::Dhcpd | Self::DhcpdDelayed | Self::Dnsmasq => 64,
        }
    }

    /// Clients that one load may play: the pool must suffice for all of a round.
    pub(crate) fn clients(self) -> u32 {
        match self {
            Self::Durable | Self::Relaxed | Self::Kea => 300_000,
            Self::Dhcpd | Self::DhcpdDelayed => 2_000,
            Self::Dnsmasq => 1_000,
        }
    }

    /// Starts it on an empty folder, and waits for its first answer.
    pub(crate) fn start(
        self,
        network: &Network,
        folder: &Path,
        loader: &mut Loader<'_>,
    ) -> anyhow::Result<Running> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        self.start_in(network, folder, loader)
    }

    /// The same on what an earlier one has left.
    pub(crate) fn start_in(
        self,
        network: &Network,
        folder: &Path,
        loader: &mut Loader<'_>,
    ) -> anyhow::Result<Running> {
        let place = Place { namespace: &network.server, core: SERVER_CORE };
        let mut command = match self {
            Self::Durable => rack_command(place, folder, "durable")?,
            Self::Relaxed => rack_command(place, folder, "relaxed")?,
            Self::Kea => kea(place, folder, self.pool_last())?,
            Self::Dhcpd => dhcpd(place, folder, self.pool_last(), "")?,
            Self::DhcpdDelayed => dhcpd(place, folder, self.pool_last(), "delayed-ack 64;\n")?,
            Self::Dnsmasq => dnsmasq(place, folder, self.pool_last()),
        };
        let log = folder.join("log");
        let mut process = Process::start(&mut command, self.name(), &log)?;
        let deadline = Instant::now() + READY_PATIENCE;
        loop {
            if let Some(status) = process.has_ended()? {
                let log = fs::read_to_string(&log).unwrap_or_default();
                bail!("{} ended at once ({status}): {}", self.name(), log.trim());
            }
            // Until the server has its socket, the probe's ARP or DISCOVER finds nobody.
            if loader.probe().is_ok_and(|answered| answered) {
                return Ok(Running { process, folder: folder.to_owned() });
            }
            if deadline <= Instant::now() {
                let log = fs::read_to_string(&log).unwrap_or_default();
                bail!("{} does not answer: {}", self.name(), log.trim());
            }
        }
    }
}

fn rack_command(place: Place<'_>, folder: &Path, durability: &str) -> anyhow::Result<Command> {
    rack::prepare(folder)?;
    let ourselves = std::env::current_exe().context("cannot find this program")?;
    let mut command = command(place, &ourselves.to_string_lossy());
    command.args(["rack", "--durability", durability, "--data-dir"]).arg(folder);
    Ok(command)
}

fn kea(place: Place<'_>, folder: &Path, pool_last: &str) -> anyhow::Result<Command> {
    let subnet = json!({
        "id": 1,
        "subnet": "10.0.0.0/8",
        "pools": [{ "pool": format!("10.64.0.0 - {pool_last}") }],
        "option-data": [
            { "name": "routers", "data": "10.0.0.254" },
            { "name": "domain-name-servers", "data": SERVER_ADDRESS.to_string() },
            { "name": "domain-name", "data": "lab.test" },
        ],
    });
    let config = json!({ "Dhcp4": {
        "interfaces-config": { "interfaces": [SERVER_INTERFACE], "dhcp-socket-type": "udp" },
        "lease-database": {
            "type": "memfile",
            "persist": true,
            "name": folder.join("leases.csv"),
            "lfc-interval": 0,
        },
        "valid-lifetime": 3600,
        "multi-threading": { "enable-multi-threading": false },
        "reservations-global": false,
        "reservations-in-subnet": false,
        "subnet4": [subnet],
        "loggers": [{
            "name": "kea-dhcp4",
            "severity": "ERROR",
            "output_options": [{ "output": "stderr" }],
        }],
    }});
    let path = folder.join("kea.json");
    fs::write(&path, config.to_string())?;
    let mut command = command(place, "kea-dhcp4");
    command.arg("-c").arg(path);
    command.env("KEA_PIDFILE_DIR", folder).env("KEA_LOCKFILE_DIR", folder);
    Ok(command)
}

fn dhcpd(place: Place<'_>, folder: &Path, last: &str, more: &str) -> anyhow::Result<Command> {
    let config = format!(
        "authoritative;\nping-check false;\nddns-update-style none;\n{more}\
         default-lease-time 3600;\nmax-lease-time 3600;\n\
         subnet 10.0.0.0 netmask 255.0.0.0 {{\n\
         range 10.64.0.0 {last};\noption routers 10.0.0.254;\n\
         option domain-name-servers {SERVER_ADDRESS};\noption domain-name \"lab.test\";\n}}\n"
    );
    let (path, leases) = (folder.join("dhcpd.conf"), folder.join("leases"));
    fs::write(&path, config)?;
    if !leases.exists() {
        fs::write(&leases, "")?;
    }
    let mut command = command(place, "dhcpd");
    command.args(["-4", "-f", "-q", "--no-pid", "-cf"]).arg(path);
    command.arg("-lf").arg(leases).arg(SERVER_INTERFACE);
    Ok(command)
}

fn dnsmasq(place: Place<'_>, folder: &Path, pool_last: &str) -> Command {
    let mut command = command(place, "dnsmasq");
    command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"]);
    command.args(["--pid-file=", "--no-ping", "--dhcp-authoritative", "--quiet-dhcp"]);
    command.arg(format!("--interface={SERVER_INTERFACE}"));
    command.arg(format!("--dhcp-range=10.64.0.0,{pool_last},255.0.0.0,1h"));
    command.args(["--dhcp-lease-max=100000", "--dhcp-option=3,10.0.0.254"]);
    command.args([&format!("--dhcp-option=6,{SERVER_ADDRESS}"), "--domain=lab.test"]);
    command.arg(format!("--dhcp-leasefile={}", folder.join("leases").display()));
    command.arg("--log-facility=-");
    command
}
