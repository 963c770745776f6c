//! What agents and installed systems are answered.

use async_graphql::{Enum, ID, SimpleObject};

use crate::image::ImageKind;
use crate::scalar::Long;
use crate::user_error::payload;

/// What an agent is there for.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::AgentTaskKind")]
pub(crate) enum AgentTaskKind {
    /// Take in an unknown machine: report its hardware with `agentEnlist`.
    Enlist,
    /// Take stock of a known machine: report its hardware with `agentCommissioned`.
    Commission,
    /// Write an image to the disk.
    Deploy,
    /// Erase every disk.
    Erase,
}

/// What an agent shall do after its report.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::AgentNext")]
pub(crate) enum AgentNext {
    /// Go on.
    Continue,
    /// The task is no longer wanted: stop at once and change nothing more.
    Stop,
    /// Switch the machine off.
    PowerOff,
    /// Start the machine again.
    Reboot,
}

/// What the calling agent shall do.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct AgentTask {
    /// The kind of work.
    pub(crate) kind: AgentTaskKind,
    /// What to write; present for DEPLOY only.
    pub(crate) deploy: Option<AgentDeploy>,
}

/// What to write to the disk, and what the installed system is told.
#[derive(SimpleObject, Clone)]
pub(crate) struct AgentDeploy {
    /// Path of the image on the rack's boot HTTP server.
    pub(crate) image_path: String,
    /// SHA-256 of the image's bytes as they come over HTTP.
    pub(crate) sha256: String,
    /// Number of bytes that come over HTTP.
    pub(crate) size_bytes: Long,
    /// How those bytes become a disk: DISK_ZSTD or DISK_RAW.
    pub(crate) format: ImageKind,
    /// Bytes that the image fills on the disk, where that is known.
    pub(crate) disk_bytes: Option<Long>,
    /// cloud-init's `meta-data`.
    pub(crate) meta_data: String,
    /// cloud-init's `user-data`, from the person who deploys.
    pub(crate) user_data: String,
    /// cloud-init's `vendor-data`, from Ironherd.
    pub(crate) vendor_data: String,
    /// cloud-init's `network-config`.
    pub(crate) network_config: String,
    /// The one-time token with which the installed system calls `systemReady`.
    pub(crate) phone_home_token: String,
}

impl std::fmt::Debug for AgentDeploy {
    /// Leaves out the token and the seed, which may hold secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("AgentDeploy").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

payload! { "agentHello" => AgentHelloPayload {
        /// The token for everything that follows.
        session_token: String,
        /// The machine; null while it is unknown.
        machine_id: ID,
        /// What the agent is there for.
        task: AgentTaskKind,
    }
    AgentHelloUserError AgentHelloErrorCode {
        /// The token is not one of ours.
        TokenInvalid,
        /// The token was used before.
        TokenUsed,
        /// The token belongs to an earlier boot or deployment.
        TokenStale,
        /// Too many machines are NEW: no unknown one is taken in.
        EnlistFull,
    }
}

payload! { "agentEnlist" => AgentEnlistPayload {
        /// What the agent shall do next.
        next: AgentNext,
    }
    AgentEnlistUserError AgentEnlistErrorCode {
        /// The report has no network card.
        HardwareInvalid,
        /// The reported cards belong to more than one machine.
        CardsOfTwoMachines,
    }
}

payload! { "agentCommissioned" => AgentCommissionedPayload {
        /// What the agent shall do next.
        next: AgentNext,
    }
    AgentCommissionedUserError AgentCommissionedErrorCode {
        /// There is no such machine.
        NotFound,
        /// The report has no network card.
        HardwareInvalid,
    }
}

payload! { "agentProgress" => AgentProgressPayload {
        /// What the agent shall do next.
        next: AgentNext,
    }
    AgentProgressUserError AgentProgressErrorCode {
        /// There is no such machine.
        NotFound,
    }
}

payload! { "agentFinished" => AgentFinishedPayload {
        /// What the agent shall do next.
        next: AgentNext,
    }
    AgentFinishedUserError AgentFinishedErrorCode {
        /// There is no such machine.
        NotFound,
        /// The hardware must be reported first.
        HardwareMissing,
    }
}

payload! { "systemReady" => SystemReadyPayload {
    }
    SystemReadyUserError SystemReadyErrorCode {
        /// The token is not one of ours.
        TokenInvalid,
        /// The token belongs to an earlier boot or deployment.
        TokenStale,
    }
}
