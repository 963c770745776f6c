//! The words of a machine's life.

use async_graphql::Enum;

/// Where a machine stands in its life. Names in -ING run against a deadline.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::MachineState")]
pub(crate) enum MachineState {
    /// Known, but not yet looked at.
    New,
    /// The agent takes stock of the hardware.
    Commissioning,
    /// Taking stock failed; may be tried again.
    FailedCommissioning,
    /// Free for use.
    Ready,
    /// Belongs to somebody, and is switched off.
    Allocated,
    /// An operating system is being written or started for the first time.
    Deploying,
    /// Writing or first start failed; may be tried again.
    FailedDeployment,
    /// The installed system has reported in.
    Deployed,
    /// On its way back: being switched off.
    Releasing,
    /// Switching off failed; may be tried again.
    FailedReleasing,
    /// The agent erases the disks.
    DiskErasing,
    /// Erasing failed; may be tried again.
    FailedDiskErasing,
    /// Marked as broken by a person.
    Broken,
}

/// What can be asked of a machine.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::Action")]
pub(crate) enum MachineAction {
    /// `machineCommission`: take stock of the hardware.
    Commission,
    /// `machineAllocate`: reserve the machine for the caller.
    Allocate,
    /// `machineDeploy`: install an operating system.
    Deploy,
    /// `machineRelease`: give the machine back.
    Release,
    /// `machineAbort`: end what is in progress.
    Abort,
    /// `machineRetry`: do what failed once more.
    Retry,
    /// `machineMarkBroken`: take the machine out of service.
    MarkBroken,
    /// `machineMarkFixed`: take the machine back into service.
    MarkFixed,
    /// `machineDelete`: forget the machine.
    Delete,
}

/// The kind of firmware that starts the machine.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::FirmwareKind")]
pub(crate) enum FirmwareKind {
    /// Legacy BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

/// The last thing seen of a machine's network boot, in the order in which they happen.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::BootStage")]
pub(crate) enum BootStage {
    /// It asked for an address.
    Dhcp,
    /// It fetched a boot file over TFTP.
    Tftp,
    /// It fetched a boot file over HTTP.
    Http,
    /// It fetched its boot script.
    Script,
    /// The agent runs.
    Agent,
    /// The installed system reported in.
    Installed,
}

/// How a machine is switched on and off.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::PowerProtocol")]
pub(crate) enum PowerProtocol {
    /// By hand: Ironherd says what to do and waits.
    Manual,
    /// IPMI 2.0 over the network.
    Ipmi,
    /// Redfish over HTTP or HTTPS.
    Redfish,
}

/// What the management controller said last.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::PowerState")]
pub(crate) enum PowerState {
    /// Switched on.
    On,
    /// Switched off.
    Off,
    /// Never asked, or no answer.
    Unknown,
}

/// What to do with a machine's power.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::PowerAction")]
pub(crate) enum PowerAction {
    /// Switch on.
    On,
    /// Switch off at once, without asking the operating system.
    Off,
    /// Switch off and on again.
    Cycle,
    /// Only ask.
    Query,
}

/// What a machine shall start from.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::BootDevice")]
pub(crate) enum BootDevice {
    /// The network card.
    Network,
    /// The first disk.
    Disk,
}

/// How thoroughly disks are erased.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::EraseMode")]
pub(crate) enum EraseMode {
    /// Not at all: the data stays readable for the next user.
    None,
    /// Discard, or overwrite the ends of each disk: seconds, not hours.
    Quick,
}
