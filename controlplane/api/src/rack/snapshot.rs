//! What racks answer from: the snapshot and its changes.

use async_graphql::{Enum, ID, SimpleObject};

use super::network::{
    RackClass, RackFabric, RackOption, RackReservations, RackSubnet, RackSubnet6, RackVlan,
};
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
    /// The layer-2 worlds.
    pub(crate) fabrics: Vec<RackFabric>,
    /// The broadcast domains.
    pub(crate) vlans: Vec<RackVlan>,
    /// The IPv4 networks.
    pub(crate) subnets: Vec<RackSubnet>,
    /// The IPv6 networks.
    pub(crate) subnets6: Vec<RackSubnet6>,
    /// The kinds of clients, in the order in which they are tried.
    pub(crate) classes: Vec<RackClass>,
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
    /// The layer-2 worlds, all of them.
    pub(crate) fabrics: Option<Vec<RackFabric>>,
    /// The broadcast domains, all of them.
    pub(crate) vlans: Option<Vec<RackVlan>>,
    /// The IPv4 networks that are new or changed. Without reservations, theirs are as before.
    pub(crate) subnets_changed: Vec<RackSubnet>,
    /// The IPv4 networks that are gone. `["*"]`: all that are not in `subnetsChanged`.
    pub(crate) subnets_removed: Vec<ID>,
    /// Single reservations that changed, in networks that are known or in `subnetsChanged`.
    pub(crate) reservations: Vec<RackReservations>,
    /// The IPv6 networks, all of them.
    pub(crate) subnets6: Option<Vec<RackSubnet6>>,
    /// The kinds of clients, all of them, in the order in which they are tried.
    pub(crate) classes: Option<Vec<RackClass>>,
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
    /// Whether an address that was never used is probed after it was offered.
    pub(crate) conflict_probes: bool,
    /// DHCP options of the widest scope.
    pub(crate) options: Vec<RackOption>,
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
    /// A TFTP name or a URL to hand out instead of what the boot table says.
    pub(crate) boot_file: Option<String>,
    /// DHCP options for this machine alone.
    pub(crate) options: Vec<RackOption>,
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
