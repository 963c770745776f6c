//! The agent's part of the GraphQL API as plain types. Field names follow the schema.

use serde::{Deserialize, Serialize};

/// What the region asks this boot to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TaskKind {
    Enlist,
    Commission,
    Deploy,
    Erase,
}

/// What the region wants next; every answer carries one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Next {
    Continue,
    Stop,
    PowerOff,
    Reboot,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct UserError {
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HelloPayload {
    pub(crate) session_token: Option<String>,
    pub(crate) task: Option<TaskKind>,
    pub(crate) user_errors: Vec<UserError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AgentPayload {
    pub(crate) next: Option<Next>,
    pub(crate) user_errors: Vec<UserError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SystemReadyPayload {
    pub(crate) user_errors: Vec<UserError>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Task {
    pub(crate) kind: TaskKind,
    pub(crate) deploy: Option<Deploy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ImageFormat {
    DiskZstd,
    DiskRaw,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deploy {
    pub(crate) image_path: String,
    pub(crate) sha256: String,
    pub(crate) size_bytes: u64,
    pub(crate) format: ImageFormat,
    pub(crate) disk_bytes: Option<u64>,
    pub(crate) meta_data: String,
    pub(crate) user_data: String,
    pub(crate) vendor_data: String,
    pub(crate) network_config: String,
    pub(crate) phone_home_token: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HelloInput<'a> {
    pub(crate) boot_token: &'a str,
    pub(crate) agent_version: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct EnlistInput<'a> {
    pub(crate) hardware: &'a Hardware,
    pub(crate) bmc: Option<&'a BmcFound>,
}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProgressInput {
    pub(crate) step: String,
    pub(crate) percent: Option<u8>,
    pub(crate) bytes_done: Option<u64>,
    pub(crate) bytes_total: Option<u64>,
    pub(crate) message: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct FinishedInput<'a> {
    pub(crate) success: bool,
    pub(crate) message: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct SystemReadyInput<'a> {
    pub(crate) token: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum BmcProtocol {
    Ipmi,
    Redfish,
}

/// A management controller found from inside the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BmcFound {
    pub(crate) protocol: BmcProtocol,
    pub(crate) address: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hardware {
    pub(crate) cpu_model: String,
    pub(crate) cpu_sockets: u32,
    pub(crate) cpu_cores: u32,
    pub(crate) cpu_threads: u32,
    pub(crate) memory_bytes: u64,
    pub(crate) system: System,
    pub(crate) firmware: Firmware,
    pub(crate) disks: Vec<Disk>,
    pub(crate) nics: Vec<Nic>,
    pub(crate) pci: Vec<PciDevice>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct System {
    pub(crate) vendor: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) uuid: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum FirmwareKind {
    #[default]
    Bios,
    Uefi,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Firmware {
    pub(crate) kind: FirmwareKind,
    pub(crate) vendor: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) date: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Disk {
    pub(crate) name: String,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) size_bytes: u64,
    pub(crate) rotational: bool,
    pub(crate) transport: Option<String>,
    /// Stable name as udev would make it, or `/dev/<name>` for a disk without a serial number.
    pub(crate) path: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Nic {
    pub(crate) name: String,
    pub(crate) mac_address: String,
    pub(crate) driver: Option<String>,
    pub(crate) link_up: bool,
    pub(crate) speed_mbps: Option<u32>,
    pub(crate) pci_address: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PciDevice {
    pub(crate) address: String,
    pub(crate) vendor_id: String,
    pub(crate) device_id: String,
    pub(crate) class: String,
    pub(crate) driver: Option<String>,
}
