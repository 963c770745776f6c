//! All that a rack needs to answer, in one immutable value with a generation number.
//!
//! The region builds it, the link brings it, the shards read it through an `Arc` that is swapped
//! between two turns. Nothing here does I/O; the rack keeps the last one on disk as JSON, so that
//! it can answer for days with the region gone.
//!
//! The serde form is the disk form. The GraphQL form has its own types in `link` and `api`.

pub mod ask;

mod class_set;
mod dhcp;
mod hex_bytes;
mod index;
mod ipv6;
mod key;
mod mac;
mod shared;

pub use class_set::ClassSet;
pub use dhcp::{
    ClassField, ClassMatch, ClientClass, DhcpMode, DhcpOption, Fabric, MatchOperator, ScopeOptions,
    Vlan,
};
pub use index::{Identity, Index, Lookup, WiderOption, WiderScope};
pub use ipv6::{PrefixPool, Range6, Reservation6, ReservationKey6, RouterAdvertisement, Subnet6};
pub use key::BootKey;
pub use mac::{Mac, MacParseError};
pub use shared::Shared;

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// Everything that answering needs. Order of the lists carries no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Grows by at least one with every change; never reused by one region database.
    pub generation: u64,
    pub settings: Settings,
    #[serde(default)]
    pub fabrics: Vec<Fabric>,
    #[serde(default)]
    pub vlans: Vec<Vlan>,
    pub subnets: Vec<Shared<Subnet>>,
    #[serde(default)]
    pub subnets6: Vec<Shared<Subnet6>>,
    /// In order: the first class that names a boot file wins, and its options win over later ones.
    /// No more than [`ClassSet::CLASSES_MAX`] have members.
    #[serde(default)]
    pub classes: Vec<ClientClass>,
    pub machines: Vec<Shared<Machine>>,
    pub files: Vec<BootFile>,
}

/// What holds for every network of the rack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether an unknown machine that boots from the network is taken in.
    pub enlist: bool,
    /// Signs the one-time tokens of machines that have no record yet.
    pub enlist_key: BootKey,
    /// What enlist, commission, deploy, erase and the like boot. Absent until one is imported.
    pub ephemeral: Option<Ephemeral>,
    /// DHCP options of the widest scope.
    #[serde(default)]
    pub options: ScopeOptions,
    /// Whether an address that was never used is probed (ARP, ND) after it was offered.
    #[serde(default)]
    pub conflict_probes: bool,
}

/// The RAM system that carries the agent. Names refer to [`Snapshot::files`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ephemeral {
    pub kernel: String,
    pub initrd: String,
    /// Appended to the kernel's command line, e.g. `console=ttyS0,115200`.
    pub kernel_args: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    pub id: String,
    /// Id of the [`Vlan`] it is on. Subnets of one VLAN share its link.
    #[serde(default)]
    pub vlan: String,
    pub cidr: Ipv4Net,
    pub gateway: Option<Ipv4Addr>,
    pub dns_servers: Vec<Ipv4Addr>,
    pub ntp_servers: Vec<Ipv4Addr>,
    pub domain: Option<String>,
    /// Interface MTU (option 26); absent means "not sent".
    pub mtu: Option<u16>,
    pub lease_seconds: u32,
    /// Addresses for machines without a reservation. Empty: reservations only.
    pub ranges: Vec<Range>,
    /// One an address.
    pub reservations: Vec<Shared<Reservation>>,
    #[serde(default)]
    pub options: ScopeOptions,
}

/// Both ends belong to the range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
    /// Id of the [`ClientClass`] whose members alone are served from here; `None`: everyone is.
    #[serde(default)]
    pub class: Option<String>,
    #[serde(default)]
    pub options: ScopeOptions,
}

impl Range {
    /// A range for everyone, without options of its own.
    #[must_use]
    pub const fn new(first: Ipv4Addr, last: Ipv4Addr) -> Self {
        Self { first, last, class: None, options: ScopeOptions::NONE }
    }
}

/// One address that belongs to one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    #[serde(flatten)]
    pub key: ReservationKey,
    pub address: Ipv4Addr,
    pub hostname: Option<String>,
    #[serde(default)]
    pub options: ScopeOptions,
}

impl Reservation {
    /// The usual one: an address of one card.
    #[must_use]
    pub const fn of_card(mac: Mac, address: Ipv4Addr, hostname: Option<String>) -> Self {
        Self { key: ReservationKey::Mac(mac), address, hostname, options: ScopeOptions::NONE }
    }

    #[must_use]
    pub const fn mac(&self) -> Option<Mac> {
        match self.key {
            ReservationKey::Mac(mac) => Some(mac),
            _ => None,
        }
    }
}

/// How the client of a reservation is told. When several fit, the first in this order wins.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationKey {
    Mac(Mac),
    /// Option 61, its type byte included.
    ClientId(#[serde(with = "hex_bytes")] Vec<u8>),
    /// SMBIOS UUID (option 97) in the byte order of its text form.
    Uuid([u8; 16]),
    /// Whatever is plugged in there: sub-options 1 and 2 of option 82.
    RelayPort(RelayPort),
}

/// A port of a switch that relays, as the switch itself names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RelayPort {
    #[serde(with = "hex_bytes")]
    pub circuit_id: Vec<u8>,
    /// Empty: whatever the remote id says, or if there is none.
    #[serde(with = "hex_bytes")]
    pub remote_id: Vec<u8>,
}

/// What a machine shall do at its next network boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Start the operating system on the machine's own disk.
    Local,
    Enlist,
    Commission,
    Test,
    Deploy,
    Rescue,
    Erase,
    Ephemeral,
    /// Nothing to do: switch off at once, without booting an operating system.
    #[default]
    PowerOff,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub id: String,
    pub hostname: String,
    pub macs: Vec<Mac>,
    /// SMBIOS UUID in the byte order of its text form.
    pub uuid: Option<[u8; 16]>,
    pub intent: Intent,
    /// Counts the boot attempts the region has asked for; part of every one-time token.
    pub attempt: u64,
    /// Signs the one-time tokens of this machine's boot attempts.
    pub boot_key: BootKey,
    /// Appended to the kernel's command line after [`Ephemeral::kernel_args`].
    pub kernel_args: String,
    /// A TFTP name or a URL to hand out instead of what the table says.
    #[serde(default)]
    pub boot_file: Option<String>,
    #[serde(default)]
    pub options: ScopeOptions,
}

/// A file that firmware or the agent may fetch, named as in its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootFile {
    /// Path without a leading slash, e.g. `snponly.efi` or `ephemeral/amd64/vmlinuz`.
    pub name: String,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub sha256: String,
    pub size_bytes: u64,
}
