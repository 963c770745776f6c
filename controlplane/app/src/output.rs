//! What commands and queries give back beside the rows of the store.

use ironherd_domain::{AgentTaskKind, ImageKind, IpFamily, MachineId, PowerProtocol, UnixMicros};
use ironherd_store::{Event, Machine, Operation, Subnet, Token};

use crate::Secret;

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// How many; at most [`PageRequest::FIRST_MAX`] are given. Absent: 50.
    pub first: Option<u32>,
    /// The cursor of the last item that was seen.
    pub after: Option<String>,
}

impl PageRequest {
    pub const FIRST_MAX: u32 = 500;
}

/// A part of a list. Each item has the cursor that resumes after it.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    pub items: Vec<(String, T)>,
    pub has_next: bool,
}

/// A command that began long work.
#[derive(Clone, Debug)]
pub struct Started {
    pub machine: Machine,
    pub operation: Operation,
}

/// A token that was just made. The text is shown once and never again.
#[derive(Clone, Debug)]
pub struct TokenMade {
    pub token: Token,
    pub text: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub enlist: bool,
    pub ephemeral_kernel_args: String,
    /// Whether an address that was never used is probed after it was offered.
    pub conflict_probes: bool,
    /// For how long it is kept who had an address.
    pub lease_history_days: u32,
    /// Whether a BMC that speaks HTTP without TLS may be given the default credentials.
    pub bmc_defaults_over_http: bool,
}

/// A credential without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BmcCredentialView {
    pub id: ironherd_domain::CredentialId,
    pub protocol: PowerProtocol,
    pub username: String,
}

#[derive(Clone, Debug)]
pub struct AgentWelcome {
    pub session_token: Secret,
    pub machine: Option<MachineId>,
    pub task: AgentTaskKind,
}

#[derive(Clone, Debug)]
pub struct AgentTask {
    pub kind: AgentTaskKind,
    pub deploy: Option<AgentDeploy>,
}

#[derive(Clone, Debug)]
pub struct AgentDeploy {
    /// Path on the rack's HTTP boot server.
    pub image_path: String,
    pub sha256: String,
    pub size_bytes: u64,
    pub format: ImageKind,
    pub disk_bytes: Option<u64>,
    pub meta_data: String,
    pub user_data: String,
    pub vendor_data: String,
    pub network_config: String,
    pub phone_home_token: Secret,
}

/// Something changed. `event` is absent for progress, which is not kept.
#[derive(Clone, Debug)]
pub struct Change {
    /// Sequence of the event, or of the last event before a change without one.
    pub sequence: i64,
    pub machine: Option<MachineId>,
    pub event: Option<Event>,
}

/// What is needed to reach a machine's BMC.
#[derive(Clone, Debug)]
pub struct PowerTarget {
    pub machine: MachineId,
    pub protocol: PowerProtocol,
    pub address: String,
    pub username: String,
    pub password: Secret,
}

/// A machine whose state has lasted too long.
#[derive(Clone, Debug)]
pub struct Overdue {
    pub machine: MachineId,
    pub deadline: UnixMicros,
    /// What it was waiting for, in words.
    pub waiting_for: String,
}

/// A report that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RackReported {
    /// What the rack may forget.
    pub sequence: u64,
    /// Reports before this one are missing: the rack shall tell all of its leases.
    pub resync: bool,
}

/// A range that was changed.
#[derive(Clone, Debug)]
pub struct RangeUpdated {
    pub subnet: Subnet,
    /// Live leases in what the range no longer holds; `None` if they were too many to count.
    pub draining: Option<u64>,
}

/// One DHCP option that is set, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpOptionView {
    pub family: IpFamily,
    pub code: u16,
    pub name: Option<&'static str>,
    /// Absent: what a wider scope says is not sent.
    pub value: Option<String>,
    pub data: Vec<u8>,
    pub force: bool,
}

/// One option that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DhcpOptionKnown {
    pub code: u16,
    pub name: &'static str,
    /// How its value is written.
    pub value: &'static str,
}
