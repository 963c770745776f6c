use std::time::Duration;

use crate::MachineState;

/// An agent that ran and has been silent this long is called silent in the wait reason.
pub const AGENT_SILENCE_MAX: Duration = Duration::from_mins(2);

/// How long each state in progress may last before it counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    pub commissioning: Duration,
    pub deploying: Duration,
    pub releasing: Duration,
    pub erasing: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            commissioning: Duration::from_mins(20),
            deploying: Duration::from_mins(40),
            releasing: Duration::from_mins(5),
            erasing: Duration::from_mins(30),
        }
    }
}

impl Deadlines {
    /// The time a state may take; `None` for states that may last for ever.
    #[must_use]
    pub const fn of(&self, state: MachineState) -> Option<Duration> {
        match state {
            MachineState::Commissioning => Some(self.commissioning),
            MachineState::Deploying => Some(self.deploying),
            MachineState::Releasing => Some(self.releasing),
            MachineState::DiskErasing => Some(self.erasing),
            _ => None,
        }
    }
}
