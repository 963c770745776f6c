use std::time::Duration;

use crate::machine::AGENT_SILENCE_MAX;
use crate::text_enum::text_enum;
use crate::{BootIntent, BootStage, PowerProtocol, UnixMicros};

text_enum! {
    /// MAAS words keep their MAAS meaning.
    MachineState, "machine state" {
        New = "NEW",
        Commissioning = "COMMISSIONING",
        FailedCommissioning = "FAILED_COMMISSIONING",
        Ready = "READY",
        Allocated = "ALLOCATED",
        Deploying = "DEPLOYING",
        FailedDeployment = "FAILED_DEPLOYMENT",
        Deployed = "DEPLOYED",
        Releasing = "RELEASING",
        FailedReleasing = "FAILED_RELEASING",
        DiskErasing = "DISK_ERASING",
        FailedDiskErasing = "FAILED_DISK_ERASING",
        Broken = "BROKEN",
    }
}

impl MachineState {
    /// Whether something is being done to the machine: it has a deadline and can be aborted.
    #[must_use]
    pub const fn in_progress(self) -> bool {
        matches!(self, Self::Commissioning | Self::Deploying | Self::Releasing | Self::DiskErasing)
    }

    /// Whether the state carries the reason of a failure.
    #[must_use]
    pub const fn failed(self) -> bool {
        matches!(
            self,
            Self::FailedCommissioning
                | Self::FailedDeployment
                | Self::FailedReleasing
                | Self::FailedDiskErasing
                | Self::Broken
        )
    }
}

text_enum! {
    /// What can happen to a machine. Only [`next`](crate::machine::next) turns it into a state.
    Event, "lifecycle event" {
        Commission = "COMMISSION",
        Allocate = "ALLOCATE",
        Deploy = "DEPLOY",
        Release = "RELEASE",
        Abort = "ABORT",
        Retry = "RETRY",
        MarkBroken = "MARK_BROKEN",
        MarkFixed = "MARK_FIXED",
        /// Fixed before it was ever commissioned.
        FixedNew = "FIXED_NEW",
        /// Fixed while its owner's system is still on the disk.
        FixedDeployed = "FIXED_DEPLOYED",
        /// The agent has done its task.
        Finished = "FINISHED",
        /// The task went wrong, or the power could not be switched.
        Failed = "FAILED",
        /// The deadline of the state has passed.
        Expire = "EXPIRE",
        ImageWritten = "IMAGE_WRITTEN",
        /// The installed system itself reported in.
        SystemReady = "SYSTEM_READY",
        /// The machine is off and its disks are to be erased.
        Erase = "ERASE",
        /// The BMC confirmed that the machine is off.
        PoweredOff = "POWERED_OFF",
    }
}

/// What a network boot does in each state.
///
/// Idle and failed machines switch off through a tiny script, never by booting a whole system.
#[must_use]
pub const fn boot_intent(state: MachineState, image_written: bool) -> BootIntent {
    match state {
        MachineState::Commissioning => BootIntent::Commission,
        MachineState::Deploying if image_written => BootIntent::Local,
        MachineState::Deploying => BootIntent::Deploy,
        MachineState::Deployed => BootIntent::Local,
        MachineState::DiskErasing => BootIntent::Erase,
        MachineState::New
        | MachineState::FailedCommissioning
        | MachineState::Ready
        | MachineState::Allocated
        | MachineState::FailedDeployment
        | MachineState::Releasing
        | MachineState::FailedReleasing
        | MachineState::FailedDiskErasing
        | MachineState::Broken => BootIntent::PowerOff,
    }
}

/// What is known about a machine in progress; [`wait_reason`] puts it into words.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    pub state: MachineState,
    pub state_since: UnixMicros,
    pub protocol: PowerProtocol,
    pub image_written: bool,
    /// When the agent of the current boot last spoke.
    pub agent_seen: Option<UnixMicros>,
    pub boot_stage: Option<BootStage>,
    pub power_queued: bool,
}

/// Why a machine in progress waits, as a sentence; `None` when nothing is in progress.
#[must_use]
pub fn wait_reason(it: &Situation, now: UnixMicros) -> Option<String> {
    if !it.state.in_progress() {
        return None;
    }
    let manual = it.protocol == PowerProtocol::Manual;
    if it.state == MachineState::Releasing {
        return Some("Waiting for the BMC to report that the machine is off.".into());
    }
    if it.image_written {
        let stage = it.boot_stage.map_or("nothing", BootStage::as_str);
        let text = "The image is written; waiting for the installed system to report in";
        return Some(format!("{text} (last seen of its boot: {stage})."));
    }
    if let Some(seen) = it.agent_seen {
        let silent = now.since(seen);
        if AGENT_SILENCE_MAX < silent {
            let text = "The agent has been silent for";
            return Some(format!("{text} {}; the deadline will end this.", words(silent)));
        }
        return Some("The agent is at work.".into());
    }
    let Some(stage) = it.boot_stage else {
        let text = match (manual, it.power_queued) {
            (true, _) => "Waiting for somebody to switch the machine on: its power is manual.",
            (false, true) => "Waiting for the BMC to start the machine.",
            (false, false) => "Started; waiting for its first network boot request.",
        };
        return Some(text.into());
    };
    Some(format!("Booting (last seen: {stage}); waiting for the agent to report in."))
}

fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) }
}
