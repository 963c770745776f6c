//! What commands take. Texts that need reading (addresses, names) come as they were written; the
//! command reads them and refuses with the path of the field.

use ironherd_domain::{
    BootDevice, BootStage, ClassId, DhcpMode, EraseMode, FabricId, ImageId, ImageKind, IpFamily,
    LeaseState, PowerAction, PowerProtocol, RackAlarmKind, ScopeId, Subnet6Id, SubnetId, VlanId,
    dhcp,
};

use crate::{Hardware, Secret};

#[derive(Clone, Debug, Default)]
pub struct MachineCreate {
    pub hostname: Option<String>,
    pub mac_addresses: Vec<String>,
    pub architecture: Option<String>,
    pub power: Option<PowerInput>,
    pub commission: bool,
}

#[derive(Clone, Debug)]
pub struct PowerInput {
    pub protocol: PowerProtocol,
    /// Redfish: `https://host:port`; IPMI: `host` or `host:port`.
    pub address: Option<String>,
    pub username: Option<String>,
    /// Absent in an update: the stored one stays.
    pub password: Option<Secret>,
}

#[derive(Clone, Debug, Default)]
pub struct MachineUpdate {
    pub hostname: Option<String>,
    pub power: Option<PowerInput>,
    pub kernel_args: Option<String>,
    /// The inner `None` goes back to what the boot table says.
    pub boot_file: Option<Option<String>>,
}

#[derive(Clone, Debug)]
pub struct MachineDeploy {
    pub image_id: ImageId,
    pub ssh_keys: Vec<String>,
    pub user_data: Option<String>,
    pub request_id: Option<String>,
}

#[derive(Clone, Debug)]
pub struct MachineRelease {
    pub erase: EraseMode,
    pub request_id: Option<String>,
}

#[derive(Clone, Copy, Debug)]
pub struct MachinePower {
    pub action: PowerAction,
    pub boot_device: Option<BootDevice>,
}

#[derive(Clone, Debug, Default)]
pub struct SubnetCreate {
    pub name: Option<String>,
    /// Absent: the default VLAN.
    pub vlan_id: Option<VlanId>,
    pub cidr: String,
    pub gateway: Option<String>,
    pub dns_servers: Vec<String>,
    pub ntp_servers: Vec<String>,
    pub domain: Option<String>,
    pub mtu: Option<i64>,
    pub lease_seconds: Option<i64>,
}

/// `None` leaves a field as it is; the inner `None` clears it.
#[derive(Clone, Debug, Default)]
pub struct SubnetUpdate {
    pub name: Option<String>,
    pub vlan_id: Option<VlanId>,
    pub gateway: Option<Option<String>>,
    pub dns_servers: Option<Vec<String>>,
    pub ntp_servers: Option<Vec<String>>,
    pub domain: Option<Option<String>>,
    pub mtu: Option<Option<i64>>,
    pub lease_seconds: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct RangeCreate {
    pub subnet_id: SubnetId,
    pub first: String,
    pub last: String,
    /// Absent: for everyone.
    pub class_id: Option<ClassId>,
}

#[derive(Clone, Debug, Default)]
pub struct RangeUpdate {
    pub first: Option<String>,
    pub last: Option<String>,
    pub class_id: Option<Option<ClassId>>,
}

#[derive(Clone, Debug)]
pub struct ReservationCreate {
    pub subnet_id: SubnetId,
    pub client: dhcp::KeyWords,
    /// Absent: the next free one.
    pub address: Option<String>,
    pub hostname: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct ReservationUpdate {
    pub address: Option<String>,
    pub hostname: Option<Option<String>>,
}

#[derive(Clone, Debug)]
pub struct FabricCreate {
    pub name: String,
}

#[derive(Clone, Debug, Default)]
pub struct FabricUpdate {
    pub name: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct VlanCreate {
    /// Absent: the default fabric.
    pub fabric_id: Option<FabricId>,
    pub vid: i64,
    pub name: Option<String>,
    pub mode: Option<DhcpMode>,
}

#[derive(Clone, Debug, Default)]
pub struct VlanUpdate {
    pub vid: Option<i64>,
    pub name: Option<String>,
    pub mode: Option<DhcpMode>,
}

#[derive(Clone, Debug)]
pub struct DhcpOptionSet {
    pub on: ScopeId,
    pub family: IpFamily,
    /// Name or number.
    pub option: String,
    /// Absent when the option is suppressed.
    pub value: Option<String>,
    pub force: bool,
    pub suppress: bool,
}

#[derive(Clone, Debug, Default)]
pub struct ClientClassCreate {
    pub name: String,
    pub conditions: Vec<dhcp::ConditionWords>,
    pub boot_file: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct ClientClassUpdate {
    pub name: Option<String>,
    pub conditions: Option<Vec<dhcp::ConditionWords>>,
    pub boot_file: Option<Option<String>>,
}

#[derive(Clone, Debug, Default)]
pub struct Subnet6Create {
    pub cidr: String,
    pub vlan_id: Option<VlanId>,
    pub rest: Subnet6Update,
}

/// `None` leaves a field as it is. Lists are whole.
#[derive(Clone, Debug, Default)]
pub struct Subnet6Update {
    pub name: Option<String>,
    pub vlan_id: Option<VlanId>,
    pub dns_servers: Option<Vec<String>>,
    pub domain_search: Option<Vec<String>>,
    pub preferred_seconds: Option<i64>,
    pub valid_seconds: Option<i64>,
    /// First and last address of each.
    pub ranges: Option<Vec<(String, String)>>,
    /// Prefix and length of what is delegated from it.
    pub prefix_pools: Option<Vec<(String, i64)>>,
    pub advertise: Option<bool>,
    pub advertise_lifetime_seconds: Option<i64>,
    pub advertise_autonomous: Option<bool>,
}

#[derive(Clone, Debug)]
pub struct Reservation6Create {
    pub subnet6_id: Subnet6Id,
    pub client: dhcp::KeyWords6,
    pub address: Option<String>,
    pub prefix: Option<String>,
    pub hostname: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Reservation6Update {
    pub address: Option<Option<String>>,
    pub prefix: Option<Option<String>>,
    pub hostname: Option<Option<String>>,
}

#[derive(Clone, Debug)]
pub struct ImageCreate {
    pub name: String,
    pub kind: ImageKind,
    pub sha256: String,
    pub size_bytes: u64,
    pub architecture: Option<String>,
    pub disk_bytes: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub struct SettingsUpdate {
    pub enlist: Option<bool>,
    pub ephemeral_kernel_args: Option<String>,
    pub conflict_probes: Option<bool>,
    pub lease_history_days: Option<u32>,
    pub bmc_defaults_over_http: Option<bool>,
}

#[derive(Clone, Debug)]
pub struct BmcCredentialSet {
    pub protocol: PowerProtocol,
    pub username: String,
    pub password: Secret,
}

#[derive(Clone, Debug)]
pub struct RackRegister {
    pub name: String,
    pub version: String,
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct RackReport {
    /// Which of the racks that share a token reports.
    pub rack: Option<String>,
    pub epoch: u64,
    pub sequence: u64,
    pub snapshot_generation: u64,
    pub leases: Vec<RackLease>,
    pub boot_events: Vec<RackBootEvent>,
    /// Reports of this epoch from this one on have named every lease that the rack holds.
    pub resynced_since: Option<u64>,
    /// All that the rack warns of now. Absent: as before.
    pub alarms: Option<Vec<RackAlarmReport>>,
}

#[derive(Clone, Debug)]
pub struct RackAlarmReport {
    pub kind: RackAlarmKind,
    pub subject: String,
    pub message: String,
}

#[derive(Clone, Debug)]
pub struct RackLease {
    pub address: String,
    pub mac_address: Option<String>,
    /// DUID and IAID of a client of DHCPv6.
    pub client: Option<String>,
    pub hostname: Option<String>,
    pub state: LeaseState,
    pub started_unix_seconds: i64,
    pub expires_unix_seconds: i64,
}

#[derive(Clone, Debug)]
pub struct RackBootEvent {
    pub at_unix_ms: i64,
    pub mac_address: String,
    pub stage: BootStage,
    pub detail: String,
}

#[derive(Clone, Debug)]
pub struct AgentHello {
    pub boot_token: Secret,
    pub agent_version: String,
}

#[derive(Clone, Debug, Default)]
pub struct AgentEnlist {
    pub hardware: Hardware,
    pub bmc: Option<BmcFound>,
}

#[derive(Clone, Debug)]
pub struct BmcFound {
    pub protocol: PowerProtocol,
    pub address: String,
    pub username: Option<String>,
    pub password: Option<Secret>,
}

#[derive(Clone, Debug, Default)]
pub struct AgentProgress {
    pub step: String,
    pub percent: Option<u8>,
    pub bytes_done: Option<u64>,
    pub bytes_total: Option<u64>,
    pub message: Option<String>,
}

#[derive(Clone, Debug)]
pub struct AgentFinished {
    pub success: bool,
    pub message: Option<String>,
}
