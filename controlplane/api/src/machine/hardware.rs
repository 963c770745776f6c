//! What the agent found in a machine: the same shape going in and coming out.

use async_graphql::{InputObject, SimpleObject};
use ironherd_app as app;

use super::state::FirmwareKind;
use crate::scalar::Long;
use crate::user_error::code_from_name;

/// What the agent found in a machine.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwareInput")]
pub(crate) struct Hardware {
    /// The processor as it names itself.
    cpu_model: Option<String>,
    /// Number of processor packages.
    cpu_sockets: Option<i32>,
    /// Number of cores over all sockets.
    cpu_cores: Option<i32>,
    /// Number of hardware threads over all cores.
    cpu_threads: Option<i32>,
    /// Main memory in bytes.
    memory_bytes: Option<Long>,
    /// Who built the machine.
    system: Option<HardwareSystem>,
    /// The firmware that starts the machine.
    firmware: Option<HardwareFirmware>,
    /// The disks, in the order of their names.
    #[graphql(default)]
    disks: Vec<HardwareDisk>,
    /// The network cards, in the order of their names.
    #[graphql(default)]
    nics: Vec<HardwareNic>,
    /// The PCI devices, in the order of their addresses.
    #[graphql(default)]
    pci: Vec<HardwarePci>,
}

/// Who built the machine, as its SMBIOS tables say.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwareSystemInput")]
pub(crate) struct HardwareSystem {
    /// Manufacturer.
    vendor: Option<String>,
    /// Product name.
    product: Option<String>,
    /// Serial number.
    serial: Option<String>,
    /// UUID in its text form.
    uuid: Option<String>,
}

/// The firmware that starts the machine.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwareFirmwareInput")]
pub(crate) struct HardwareFirmware {
    /// BIOS or UEFI, as this boot went.
    kind: Option<FirmwareKind>,
    /// Who wrote it.
    vendor: Option<String>,
    /// Its version.
    version: Option<String>,
    /// Its release date, as it writes it.
    date: Option<String>,
}

/// One disk.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwareDiskInput")]
pub(crate) struct HardwareDisk {
    /// The kernel's name, e.g. `sda` or `nvme0n1`.
    name: String,
    /// Model as the disk names itself.
    model: Option<String>,
    /// Serial number.
    serial: Option<String>,
    /// Capacity in bytes.
    size_bytes: Long,
    /// Whether it has turning platters.
    rotational: Option<bool>,
    /// How it is attached, e.g. `nvme`, `sata`, `virtio`.
    transport: Option<String>,
    /// A name that stays the same over reboots, e.g. a `/dev/disk/by-id` path.
    path: Option<String>,
}

/// One network card.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwareNicInput")]
pub(crate) struct HardwareNic {
    /// The kernel's name, e.g. `enp1s0`.
    name: String,
    /// Its permanent MAC address.
    mac_address: String,
    /// The kernel module that drives it.
    driver: Option<String>,
    /// Whether a cable with a live other end is plugged in.
    link_up: Option<bool>,
    /// Speed in megabits per second.
    speed_mbps: Option<i32>,
    /// Where it sits on the PCI bus.
    pci_address: Option<String>,
}

/// One PCI device.
#[derive(SimpleObject, InputObject, Clone, Debug, Default)]
#[graphql(input_name = "HardwarePciInput")]
pub(crate) struct HardwarePci {
    /// Bus address, e.g. `0000:01:00.0`.
    address: String,
    /// Vendor id, four hexadecimal digits.
    vendor_id: String,
    /// Device id, four hexadecimal digits.
    device_id: String,
    /// Class, e.g. `020000` for Ethernet.
    class: Option<String>,
    /// The kernel module that drives it.
    driver: Option<String>,
}

impl From<app::Hardware> for Hardware {
    fn from(it: app::Hardware) -> Self {
        Self {
            cpu_model: it.cpu_model,
            cpu_sockets: it.cpu_sockets.map(shown),
            cpu_cores: it.cpu_cores.map(shown),
            cpu_threads: it.cpu_threads.map(shown),
            memory_bytes: it.memory_bytes.map(Into::into),
            system: Some(it.system.into()),
            firmware: Some(it.firmware.into()),
            disks: it.disks.into_iter().map(Into::into).collect(),
            nics: it.nics.into_iter().map(Into::into).collect(),
            pci: it.pci.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Hardware> for app::Hardware {
    fn from(it: Hardware) -> Self {
        Self {
            cpu_model: it.cpu_model,
            cpu_sockets: it.cpu_sockets.and_then(taken),
            cpu_cores: it.cpu_cores.and_then(taken),
            cpu_threads: it.cpu_threads.and_then(taken),
            memory_bytes: it.memory_bytes.and_then(Long::count),
            system: it.system.unwrap_or_default().into(),
            firmware: it.firmware.unwrap_or_default().into(),
            disks: it.disks.into_iter().map(Into::into).collect(),
            nics: it.nics.into_iter().map(Into::into).collect(),
            pci: it.pci.into_iter().map(Into::into).collect(),
        }
    }
}

/// GraphQL's `Int` is signed; no machine has 2^31 of anything that is counted so.
fn shown(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// What an agent cannot have counted is as good as unknown.
fn taken(count: i32) -> Option<u32> {
    u32::try_from(count).ok()
}

/// Writes both directions between two structs whose fields have the same names.
macro_rules! both_ways {
    ($ours:ident = $theirs:ident { $($same:ident),* } $( $field:ident: $out:expr, $in:expr; )*) => {
        impl From<app::$theirs> for $ours {
            fn from(it: app::$theirs) -> Self {
                Self { $($same: it.$same,)* $($field: $out(it.$field),)* }
            }
        }

        impl From<$ours> for app::$theirs {
            fn from(it: $ours) -> Self {
                Self { $($same: it.$same,)* $($field: $in(it.$field),)* }
            }
        }
    };
}

both_ways! { HardwareSystem = System { vendor, product, serial, uuid } }
both_ways! { HardwareFirmware = Firmware { vendor, version, date }
    kind: |kind: Option<String>| kind.as_deref().and_then(code_from_name),
        |kind: Option<FirmwareKind>| kind.map(|it| domain_firmware(it).as_str().to_owned());
}
both_ways! { HardwareDisk = Disk { name, model, serial, rotational, transport, path }
    size_bytes: Long::from, |bytes: Long| bytes.count().unwrap_or(0);
}
both_ways! { HardwareNic = NicHardware { name, mac_address, driver, link_up, pci_address }
    speed_mbps: |it: Option<u32>| it.map(shown), |it: Option<i32>| it.and_then(taken);
}
both_ways! { HardwarePci = PciDevice { address, vendor_id, device_id, class, driver } }

fn domain_firmware(kind: FirmwareKind) -> ironherd_domain::FirmwareKind {
    kind.into()
}
