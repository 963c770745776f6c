use crate::machine::{Event, MachineState, next};
use crate::text_enum::text_enum;

text_enum! {
    /// What a user may ask of a machine.
    Action, "machine action" {
        Commission = "COMMISSION",
        Allocate = "ALLOCATE",
        Deploy = "DEPLOY",
        Release = "RELEASE",
        Abort = "ABORT",
        Retry = "RETRY",
        MarkBroken = "MARK_BROKEN",
        MarkFixed = "MARK_FIXED",
        Delete = "DELETE",
    }
}

impl Action {
    const fn event(self) -> Option<Event> {
        match self {
            Self::Commission => Some(Event::Commission),
            Self::Allocate => Some(Event::Allocate),
            Self::Deploy => Some(Event::Deploy),
            Self::Release => Some(Event::Release),
            Self::Abort => Some(Event::Abort),
            Self::Retry => Some(Event::Retry),
            Self::MarkBroken => Some(Event::MarkBroken),
            Self::MarkFixed => Some(Event::MarkFixed),
            Self::Delete => None,
        }
    }

    /// Whether the action is legal now.
    #[must_use]
    pub fn legal(self, state: MachineState) -> bool {
        match self.event() {
            Some(event) => next(state, event).is_ok(),
            // A machine that someone owns or that is being worked on is not deleted by accident.
            None => {
                !state.in_progress()
                    && !matches!(state, MachineState::Allocated | MachineState::Deployed)
            }
        }
    }
}

/// All that is legal in `state`, in the order of [`Action::ALL`].
#[must_use]
pub fn actions(state: MachineState) -> Vec<Action> {
    Action::ALL.iter().copied().filter(|it| it.legal(state)).collect()
}
