//! What racks answer from: the snapshot and its changes.

use async_graphql::{Enum, ID, SimpleObject};

use crate::scalar::Long;

/// What a machine shall do at its next network boot.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BootIntent {
    /// Start the system on its own disk.
    Local,
    /// Boot the agent to be taken in.
    Enlist,
    /// Boot the agent to take stock.
    Commission,
    /// Boot the agent to run tests.
    Test,
    /// Boot the agent to write an image.
    Deploy,
    /// Boot a rescue system.
    Rescue,
    /// Boot the agent to erase the disks.
    Erase,
    /// Boot a system that lives in memory only.
    Ephemeral,
    /// Switch off at once.
    PowerOff,
}

/// All that a rack needs to answer, at one moment.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackSnapshot {
    /// Grows with every change.
    pub(crate) generation: Long,
    /// What holds for every network.
    pub(crate) settings: RackSettings,
    /// The networks.
    pub(crate) subnets: Vec<RackSubnet>,
    /// The machines.
    pub(crate) machines: Vec<RackMachine>,
    /// The files that firmware and agents fetch.
    pub(crate) files: Vec<RackFile>,
}

/// What changed between two snapshots. A null part is unchanged.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackDelta {
    /// The generation that the rack has once it applied this.
    pub(crate) generation: Long,
    /// What holds for every network, whole.
    pub(crate) settings: Option<RackSettings>,
    /// The networks, all of them.
    pub(crate) subnets: Option<Vec<RackSubnet>>,
    /// The machines that are new or changed.
    pub(crate) machines_changed: Vec<RackMachine>,
    /// The machines that are gone. `["*"]`: all that are not in `machinesChanged`.
    pub(crate) machines_removed: Vec<ID>,
    /// The files, all of them.
    pub(crate) files: Option<Vec<RackFile>>,
}

/// What holds for every network of a rack.
#[derive(SimpleObject, Clone)]
pub(crate) struct RackSettings {
    /// Whether unknown machines are taken in.
    pub(crate) enlist: bool,
    /// Signs the one-time tokens of unknown machines; hexadecimal.
    pub(crate) enlist_key: String,
    /// The system that carries the agent; absent until one was uploaded.
    pub(crate) ephemeral: Option<RackEphemeral>,
}

impl std::fmt::Debug for RackSettings {
    /// Leaves the key out.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RackSettings").field("enlist", &self.enlist).finish_non_exhaustive()
    }
}

/// The system that carries the agent. Names refer to the snapshot's files.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackEphemeral {
    /// Name of the kernel.
    pub(crate) kernel: String,
    /// Name of the initial RAM disk.
    pub(crate) initrd: String,
    /// Arguments for every kernel that racks boot.
    pub(crate) kernel_args: String,
}

/// A network that racks answer for.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackSubnet {
    /// The subnet's id, in its plain form.
    pub(crate) id: ID,
    /// Network and prefix length.
    pub(crate) cidr: String,
    /// The router's address.
    pub(crate) gateway: Option<String>,
    /// Name servers, in order.
    pub(crate) dns_servers: Vec<String>,
    /// Time servers.
    pub(crate) ntp_servers: Vec<String>,
    /// The DNS domain.
    pub(crate) domain: Option<String>,
    /// Greatest packet in bytes.
    pub(crate) mtu: Option<i32>,
    /// How long a lease lasts.
    pub(crate) lease_seconds: i32,
    /// Addresses for clients without a reservation.
    pub(crate) ranges: Vec<RackRange>,
    /// Addresses kept for one network card each.
    pub(crate) reservations: Vec<RackReservation>,
}

/// A range of addresses. Both ends belong to it.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackRange {
    /// First address.
    pub(crate) first: String,
    /// Last address.
    pub(crate) last: String,
}

/// One address that belongs to one network card.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackReservation {
    /// The network card.
    pub(crate) mac_address: String,
    /// The address.
    pub(crate) address: String,
    /// The hostname told along with it.
    pub(crate) hostname: Option<String>,
}

/// What a rack knows of a machine.
#[derive(SimpleObject, Clone)]
pub(crate) struct RackMachine {
    /// The machine's id, in its plain form as it stands in tokens.
    pub(crate) id: ID,
    /// Its name.
    pub(crate) hostname: String,
    /// Its network cards.
    pub(crate) mac_addresses: Vec<String>,
    /// Its SMBIOS UUID.
    pub(crate) uuid: Option<String>,
    /// What it shall do at its next network boot.
    pub(crate) intent: BootIntent,
    /// Counts the boots that the region has asked for.
    pub(crate) attempt: Long,
    /// Signs the one-time tokens of this attempt; hexadecimal.
    pub(crate) boot_key: String,
    /// Arguments for this machine's kernels.
    pub(crate) kernel_args: String,
}

impl std::fmt::Debug for RackMachine {
    /// Leaves the key out.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("RackMachine");
        out.field("id", &self.id).field("intent", &self.intent).finish_non_exhaustive()
    }
}

/// A file that firmware or an agent may fetch.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackFile {
    /// Path without a leading slash.
    pub(crate) name: String,
    /// SHA-256 of its bytes.
    pub(crate) sha256: String,
    /// Number of its bytes.
    pub(crate) size_bytes: Long,
}
