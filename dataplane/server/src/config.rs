use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ironherd_leases::Slice;
use ironherd_link::Secret;
use ironherd_proto::{Rate, dhcp, dhcp6};
use serde::{Deserialize, Serialize};

use crate::faults::DiskFaults;

/// How a rack is set up. Whatever is left out has the value that most racks want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RackConfig {
    /// Names this rack to the region. Empty: the host's name.
    pub name: String,
    /// Holds the lease journal, the last snapshot and the cache of boot files.
    pub data_dir: PathBuf,
    /// `http://host:5240`. Absent: the rack serves its last snapshot and tells nobody.
    pub region_url: Option<String>,
    pub token: Secret,
    /// Names of the interfaces to serve. Empty: all that hold an address of a known subnet.
    pub interfaces: Vec<String>,
    pub services: Services,
    pub ports: Ports,
    /// The last DHCP packets that each shard keeps for captures, in bytes. 0: none.
    pub capture_bytes: usize,
    /// Threads that answer. 0: one for each processor but one, which the rest of the rack has.
    pub shards: u32,
    pub durability: Durability,
    /// DHCP packets a second that one card may send, with bursts of eight seconds' worth. 0: any.
    pub card_rate: u32,
    /// The same for all that one relay passes on. 0: any.
    pub relay_rate: u32,
    /// How often each link is asked for foreign DHCP servers, in seconds. 0: never.
    pub foreign_probe_seconds: u32,
    /// Where `GET /metrics` is answered. Absent: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Lets tests make the disk fail.
    #[serde(skip)]
    pub disk_faults: DiskFaults,
}

/// When a lease counts as kept, so that its ACK may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Once it is on disk: it survives a power cut.
    #[default]
    Durable,
    /// Once the kernel has it: it survives the end of this process. The disk has it 50 ms later.
    Relaxed,
}

impl Durability {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Relaxed => "relaxed",
        }
    }
}

impl RackConfig {
    /// What each shard's DHCP server may do.
    pub(crate) fn dhcp(&self) -> dhcp::Config {
        // A card is one shard's; what a relay passes on is spread over all.
        let relay_rate = self.relay_rate.div_ceil(self.shard_count());
        let (card_rate, relay_rate) = (Rate(self.card_rate), Rate(relay_rate));
        let usual = dhcp::Config::default();
        // What a probe has found stands until the second one after it had its chance.
        let probed = Duration::from_secs(self.foreign_probe_seconds.into()) * 3;
        let foreign_memory = usual.foreign_memory.max(probed);
        dhcp::Config { card_rate, relay_rate, foreign_memory, ..usual }
    }

    /// What the DHCPv6 server may do.
    pub(crate) fn dhcp6(&self) -> dhcp6::Config {
        let (card_rate, relay_rate) = (Rate(self.card_rate), Rate(self.relay_rate));
        dhcp6::Config { card_rate, relay_rate, ..dhcp6::Config::default() }
    }

    /// How many shards there shall be on this host.
    #[must_use]
    pub fn shard_count(&self) -> u32 {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let processors = u32::try_from(processors).unwrap_or(u32::MAX);
        let wanted = if self.shards == 0 { processors - 1 } else { self.shards };
        wanted.clamp(1, Slice::COUNT_MAX)
    }
}

/// What the rack serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the config")]
pub struct Services {
    pub dhcp: bool,
    /// The proxyDHCP answer on port 4011; needs `dhcp`.
    pub proxy: bool,
    /// DHCPv6; needs `dhcp`.
    pub dhcp6: bool,
    pub tftp: bool,
    pub http: bool,
    /// What agents and installed systems reach the region through.
    pub gateway: bool,
    /// Router Advertisements that route nothing but end iPXE's wait for one.
    pub router_advertisements: bool,
}

/// 0 lets the kernel choose (tests do).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ports {
    pub dhcp: u16,
    pub proxy: u16,
    pub dhcp6: u16,
    pub tftp: u16,
    pub http: u16,
    pub gateway: u16,
}

impl Default for RackConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            data_dir: PathBuf::from("ironherd-data/rack"),
            region_url: None,
            token: Secret::default(),
            interfaces: Vec::new(),
            services: Services::default(),
            ports: Ports::default(),
            capture_bytes: 4 << 20,
            shards: 0,
            durability: Durability::default(),
            card_rate: dhcp::Config::default().card_rate.0,
            relay_rate: dhcp::Config::default().relay_rate.0,
            foreign_probe_seconds: 60,
            metrics_listen: None,
            disk_faults: DiskFaults::default(),
        }
    }
}

impl Default for Services {
    fn default() -> Self {
        Self {
            dhcp: true,
            proxy: true,
            dhcp6: true,
            tftp: true,
            http: true,
            gateway: true,
            router_advertisements: true,
        }
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self { dhcp: 67, proxy: 4011, dhcp6: 547, tftp: 69, http: 5248, gateway: 5249 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_server_is_remembered_from_one_probe_to_the_next() {
        for (probe_seconds, want_seconds) in [(0, 900), (60, 900), (300, 900), (3600, 10_800)] {
            let config =
                RackConfig { foreign_probe_seconds: probe_seconds, ..RackConfig::default() };
            assert_eq!(config.dhcp().foreign_memory, Duration::from_secs(want_seconds));
        }
    }
}
