//! What the machine mutations take.

use async_graphql::{ID, InputObject, MaybeUndefined};
use ironherd_app as app;

use super::state::{BootDevice, EraseMode, MachineState, PowerAction, PowerProtocol};
use crate::id::{self, Kind};

/// Which machines a list shows. Conditions add up; an absent one holds for all.
#[derive(InputObject, Debug, Default)]
pub(crate) struct MachineFilter {
    /// Machines in one of these states.
    pub(crate) states: Option<Vec<MachineState>>,
    /// The machine with exactly this hostname.
    pub(crate) hostname: Option<String>,
    /// The machine that has a network card with this MAC address.
    pub(crate) mac_address: Option<String>,
}

/// A machine to be made known before it boots for the first time.
#[derive(InputObject, Debug)]
pub(crate) struct MachineCreateInput {
    /// Its name; made up when absent.
    pub(crate) hostname: Option<String>,
    /// MAC addresses of its network cards; the first is the one it boots from.
    pub(crate) mac_addresses: Vec<String>,
    /// Its processor architecture: `amd64` or `arm64`. Found out when absent.
    pub(crate) architecture: Option<String>,
    /// How to switch it on and off; by hand when absent.
    pub(crate) power: Option<PowerInput>,
    /// Whether to commission it at once.
    pub(crate) commission: Option<bool>,
}

/// What to change of a machine. What is absent stays.
#[derive(InputObject, Debug)]
pub(crate) struct MachineUpdateInput {
    /// Its new name.
    pub(crate) hostname: Option<String>,
    /// How to switch it on and off.
    pub(crate) power: Option<PowerInput>,
    /// Arguments for the kernel of every network boot of this machine.
    pub(crate) kernel_args: Option<String>,
    /// A TFTP name or a URL for this machine; null: what the boot table says.
    pub(crate) boot_file: MaybeUndefined<String>,
}

/// How to reach a machine's management controller.
#[derive(InputObject)]
pub(crate) struct PowerInput {
    /// The protocol to speak.
    pub(crate) protocol: PowerProtocol,
    /// Redfish: the full URL, e.g. `https://192.0.2.7`. IPMI: host, or host:port.
    pub(crate) address: Option<String>,
    /// The user to log in as.
    pub(crate) username: Option<String>,
    /// The user's password. Kept encrypted, and never shown again; absent keeps the known one.
    #[graphql(secret)]
    pub(crate) password: Option<String>,
}

impl std::fmt::Debug for PowerInput {
    /// Leaves the password out, since inputs end up in logs.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("PowerInput");
        out.field("protocol", &self.protocol).field("address", &self.address);
        out.finish_non_exhaustive()
    }
}

/// How to commission a machine.
#[derive(InputObject, Debug, Default)]
pub(crate) struct MachineCommissionInput {
    /// A key of the caller's choice. Asking again with it answers with the same operation.
    pub(crate) request_id: Option<String>,
}

/// What to install.
#[derive(InputObject, Debug)]
pub(crate) struct MachineDeployInput {
    /// The disk image to write.
    pub(crate) image_id: ID,
    /// Public SSH keys for the image's default user.
    pub(crate) ssh_keys: Option<Vec<String>>,
    /// cloud-init user data, handed to the installed system as it is.
    pub(crate) user_data: Option<String>,
    /// A key of the caller's choice. Asking again with it answers with the same operation.
    pub(crate) request_id: Option<String>,
}

/// How to give a machine back.
#[derive(InputObject, Debug, Default)]
pub(crate) struct MachineReleaseInput {
    /// How thoroughly to erase its disks; QUICK when absent.
    pub(crate) erase: Option<EraseMode>,
    /// A key of the caller's choice. Asking again with it answers with the same operation.
    pub(crate) request_id: Option<String>,
}

/// What to do with a machine's power.
#[derive(InputObject, Debug)]
pub(crate) struct MachinePowerInput {
    /// Switch on, off, off and on, or only ask.
    pub(crate) action: PowerAction,
    /// What to start from when switched on; as the machine's state wants it when absent.
    pub(crate) boot_device: Option<BootDevice>,
}

impl From<PowerInput> for app::PowerInput {
    fn from(it: PowerInput) -> Self {
        Self {
            protocol: it.protocol.into(),
            address: it.address,
            username: it.username,
            password: it.password.map(Into::into),
        }
    }
}

impl From<MachineCreateInput> for app::MachineCreate {
    fn from(it: MachineCreateInput) -> Self {
        Self {
            hostname: it.hostname,
            mac_addresses: it.mac_addresses,
            architecture: it.architecture,
            power: it.power.map(Into::into),
            commission: it.commission.unwrap_or(false),
        }
    }
}

impl From<MachineUpdateInput> for app::MachineUpdate {
    fn from(it: MachineUpdateInput) -> Self {
        Self {
            hostname: it.hostname,
            power: it.power.map(Into::into),
            kernel_args: it.kernel_args,
            boot_file: it.boot_file.into(),
        }
    }
}

impl MachineDeployInput {
    pub(super) fn parse(self) -> app::Answer<app::MachineDeploy> {
        Ok(app::MachineDeploy {
            image_id: id::input(
                Kind::Image,
                &self.image_id,
                "IMAGE_NOT_FOUND",
                &["input", "imageId"],
            )?,
            ssh_keys: self.ssh_keys.unwrap_or_default(),
            user_data: self.user_data,
            request_id: self.request_id,
        })
    }
}

impl From<MachineReleaseInput> for app::MachineRelease {
    fn from(it: MachineReleaseInput) -> Self {
        Self { erase: it.erase.unwrap_or(EraseMode::Quick).into(), request_id: it.request_id }
    }
}

impl From<MachinePowerInput> for app::MachinePower {
    fn from(it: MachinePowerInput) -> Self {
        Self { action: it.action.into(), boot_device: it.boot_device.map(Into::into) }
    }
}
