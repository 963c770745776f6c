use serde::{Deserialize, Serialize};

/// What the agent found in a machine. Sizes in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    pub cpu_model: Option<String>,
    pub cpu_sockets: Option<u32>,
    pub cpu_cores: Option<u32>,
    pub cpu_threads: Option<u32>,
    pub memory_bytes: Option<u64>,
    pub system: System,
    pub firmware: Firmware,
    pub disks: Vec<Disk>,
    pub nics: Vec<NicHardware>,
    pub pci: Vec<PciDevice>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    pub vendor: Option<String>,
    pub product: Option<String>,
    pub serial: Option<String>,
    /// SMBIOS UUID.
    pub uuid: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firmware {
    /// `BIOS` or `UEFI`.
    pub kind: Option<String>,
    pub vendor: Option<String>,
    pub version: Option<String>,
    pub date: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    pub name: String,
    pub model: Option<String>,
    pub serial: Option<String>,
    pub size_bytes: u64,
    pub rotational: Option<bool>,
    pub transport: Option<String>,
    /// A path that stays the same over boots, e.g. under `/dev/disk/by-id`.
    pub path: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicHardware {
    pub name: String,
    pub mac_address: String,
    pub driver: Option<String>,
    pub link_up: Option<bool>,
    pub speed_mbps: Option<u32>,
    pub pci_address: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PciDevice {
    pub address: String,
    pub vendor_id: String,
    pub device_id: String,
    pub class: Option<String>,
    pub driver: Option<String>,
}
