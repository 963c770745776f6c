//! The life of a machine: states, events, the table of legal steps and what follows from it.

mod action;
mod deadline;
mod lifecycle;
mod state;

pub use action::{Action, actions};
pub use deadline::{AGENT_SILENCE_MAX, Deadlines};
pub use lifecycle::{Effect, STEPS, Step, StepRefused, dot, next};
pub use state::{Event, MachineState, Situation, boot_intent, wait_reason};
