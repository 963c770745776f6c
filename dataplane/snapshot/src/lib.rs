//! All that a rack needs to answer, in one immutable value with a generation number.
//!
//! The region builds it, the link brings it, the shards read it through an `Arc` that is swapped
//! between two turns. Nothing here does I/O; the rack keeps the last one on disk as JSON, so that
//! it can answer for days with the region gone.
//!
//! The serde form is the disk form. The GraphQL form has its own types in `link` and `api`.

mod index;
mod key;
mod mac;

pub use index::{Index, Lookup};
pub use key::BootKey;
pub use mac::{Mac, MacParseError};

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// Everything that answering needs. Order of the lists carries no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Grows by at least one with every change; never reused by one region database.
    pub generation: u64,
    pub settings: Settings,
    pub subnets: Vec<Subnet>,
    pub machines: Vec<Machine>,
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
}

/// The RAM system that carries the agent. Names refer to [`Snapshot::files`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ephemeral {
    pub kernel: String,
    pub initrd: String,
    /// Appended to the kernel's command line, e.g. `console=ttyS0,115200`.
    pub kernel_args: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    pub id: String,
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
    pub reservations: Vec<Reservation>,
}

/// Both ends belong to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
}

/// One address that belongs to one network card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    pub mac: Mac,
    pub address: Ipv4Addr,
    pub hostname: Option<String>,
}

/// What a machine shall do at its next network boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    PowerOff,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
