//! What commands and queries give back beside the rows of the store.

use ironherd_domain::{AgentTaskKind, ImageKind, MachineId, PowerProtocol, UnixMicros};
use ironherd_store::{Event, Machine, Operation, Token};

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
