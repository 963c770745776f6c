//! What the agent found in a machine: the same shape going in and coming out.

use async_graphql::{InputObject, SimpleObject};

use super::state::FirmwareKind;
use crate::scalar::Long;

/// What the agent found in a machine.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwareInput")]
pub(crate) struct Hardware {
    /// The processor as it names itself.
    pub(crate) cpu_model: Option<String>,
    /// Number of processor packages.
    pub(crate) cpu_sockets: Option<i32>,
    /// Number of cores over all sockets.
    pub(crate) cpu_cores: Option<i32>,
    /// Number of hardware threads over all cores.
    pub(crate) cpu_threads: Option<i32>,
    /// Main memory in bytes.
    pub(crate) memory_bytes: Option<Long>,
    /// Processor architecture: `amd64` or `arm64`.
    pub(crate) architecture: Option<String>,
    /// Who built the machine.
    pub(crate) system: Option<HardwareSystem>,
    /// The firmware that starts the machine.
    pub(crate) firmware: Option<HardwareFirmware>,
    /// The disks, in the order of their names.
    #[graphql(default)]
    pub(crate) disks: Vec<HardwareDisk>,
    /// The network cards, in the order of their names.
    #[graphql(default)]
    pub(crate) nics: Vec<HardwareNic>,
    /// The PCI devices, in the order of their addresses.
    #[graphql(default)]
    pub(crate) pci: Vec<HardwarePci>,
}

/// Who built the machine, as its SMBIOS tables say.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwareSystemInput")]
pub(crate) struct HardwareSystem {
    /// Manufacturer.
    pub(crate) vendor: Option<String>,
    /// Product name.
    pub(crate) product: Option<String>,
    /// Serial number.
    pub(crate) serial: Option<String>,
    /// UUID in its text form.
    pub(crate) uuid: Option<String>,
}

/// The firmware that starts the machine.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwareFirmwareInput")]
pub(crate) struct HardwareFirmware {
    /// BIOS or UEFI, as this boot went.
    pub(crate) kind: Option<FirmwareKind>,
    /// Who wrote it.
    pub(crate) vendor: Option<String>,
    /// Its version.
    pub(crate) version: Option<String>,
    /// Its release date, as it writes it.
    pub(crate) date: Option<String>,
}

/// One disk.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwareDiskInput")]
pub(crate) struct HardwareDisk {
    /// The kernel's name, e.g. `sda` or `nvme0n1`.
    pub(crate) name: String,
    /// Model as the disk names itself.
    pub(crate) model: Option<String>,
    /// Serial number.
    pub(crate) serial: Option<String>,
    /// Capacity in bytes.
    pub(crate) size_bytes: Option<Long>,
    /// Whether it has turning platters.
    pub(crate) rotational: Option<bool>,
    /// How it is attached, e.g. `nvme`, `sata`, `virtio`.
    pub(crate) transport: Option<String>,
    /// A name that stays the same over reboots, e.g. a `/dev/disk/by-id` path.
    pub(crate) path: Option<String>,
}

/// One network card.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwareNicInput")]
pub(crate) struct HardwareNic {
    /// The kernel's name, e.g. `enp1s0`.
    pub(crate) name: String,
    /// Its permanent MAC address.
    pub(crate) mac_address: String,
    /// The kernel module that drives it.
    pub(crate) driver: Option<String>,
    /// Whether a cable with a live other end is plugged in.
    pub(crate) link_up: Option<bool>,
    /// Speed in megabits per second.
    pub(crate) speed_mbps: Option<i32>,
    /// Where it sits on the PCI bus.
    pub(crate) pci_address: Option<String>,
}

/// One PCI device.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwarePciInput")]
pub(crate) struct HardwarePci {
    /// Bus address, e.g. `0000:01:00.0`.
    pub(crate) address: String,
    /// Vendor id, four hexadecimal digits.
    pub(crate) vendor_id: Option<String>,
    /// Device id, four hexadecimal digits.
    pub(crate) device_id: Option<String>,
    /// Class, e.g. `020000` for Ethernet.
    pub(crate) class: Option<String>,
    /// The kernel module that drives it.
    pub(crate) driver: Option<String>,
}
