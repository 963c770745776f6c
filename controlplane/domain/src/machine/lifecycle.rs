use std::fmt::Write as _;

use crate::machine::Effect::{
    DropDeployment, DropOwner, MarkDirty, NewBoot, PowerCycle, PowerOff, ReserveAddress,
};
use crate::machine::Event::{
    Abort, Allocate, Commission, Deploy, Erase, Expire, Failed, Finished, FixedDeployed, FixedNew,
    ImageWritten, MarkBroken, MarkFixed, PoweredOff, Release, Retry, SystemReady,
};
use crate::machine::MachineState::{
    Allocated, Broken, Commissioning, Deployed, Deploying, DiskErasing, FailedCommissioning,
    FailedDeployment, FailedDiskErasing, FailedReleasing, New, Ready, Releasing,
};
use crate::machine::{Action, Event, MachineState, actions};

/// What a step brings with it. The caller stores the state and these in one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// A new boot attempt: fresh boot key, earlier tokens and sessions end.
    NewBoot,
    /// Start, or start again, from the network.
    PowerCycle,
    PowerOff,
    /// The boot card gets an address if it has none.
    ReserveAddress,
    /// From here on the disks hold an owner's data until they are erased.
    MarkDirty,
    DropOwner,
    /// Forget image, keys and user data of the deployment.
    DropDeployment,
}

/// One legal step.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    pub from: MachineState,
    pub event: Event,
    pub to: MachineState,
    pub effects: &'static [Effect],
}

const fn step(
    from: MachineState,
    event: Event,
    to: MachineState,
    effects: &'static [Effect],
) -> Step {
    Step { from, event, to, effects }
}

const BOOT: &[Effect] = &[NewBoot, PowerCycle];
const DEPLOY: &[Effect] = &[ReserveAddress, MarkDirty, NewBoot, PowerCycle];
const OFF: &[Effect] = &[NewBoot, PowerOff]; // The agent's session and tokens end with its task.
const FREE: &[Effect] = &[NewBoot, DropOwner, DropDeployment];

/// Every legal step, one line each; what is absent is refused. Columns: from, event, to, effects.
pub const STEPS: &[Step] = &[
    step(New, Commission, Commissioning, BOOT),
    step(New, MarkBroken, Broken, &[]),
    step(Commissioning, Finished, Ready, &[]),
    step(Commissioning, Failed, FailedCommissioning, OFF),
    step(Commissioning, Expire, FailedCommissioning, OFF),
    step(Commissioning, Abort, New, OFF),
    step(FailedCommissioning, Retry, Commissioning, BOOT),
    step(FailedCommissioning, Commission, Commissioning, BOOT),
    step(FailedCommissioning, MarkBroken, Broken, &[]),
    step(Ready, Commission, Commissioning, BOOT),
    step(Ready, Allocate, Allocated, &[]),
    step(Ready, Deploy, Deploying, DEPLOY),
    step(Ready, MarkBroken, Broken, &[]),
    step(Allocated, Deploy, Deploying, DEPLOY),
    step(Allocated, Release, Releasing, OFF),
    step(Allocated, MarkBroken, Broken, &[]),
    step(Deploying, ImageWritten, Deploying, &[]),
    step(Deploying, SystemReady, Deployed, &[]),
    step(Deploying, Failed, FailedDeployment, OFF),
    step(Deploying, Expire, FailedDeployment, OFF),
    step(Deploying, Abort, Allocated, &[NewBoot, PowerOff, DropDeployment]),
    step(Deploying, Release, Releasing, OFF),
    step(FailedDeployment, Retry, Deploying, DEPLOY),
    step(FailedDeployment, Deploy, Deploying, DEPLOY),
    step(FailedDeployment, Release, Releasing, OFF),
    step(FailedDeployment, MarkBroken, Broken, &[]),
    step(Deployed, Release, Releasing, OFF),
    step(Deployed, MarkBroken, Broken, &[]),
    step(Releasing, Erase, DiskErasing, BOOT),
    step(Releasing, PoweredOff, Ready, FREE),
    step(Releasing, Failed, FailedReleasing, &[]),
    step(Releasing, Expire, FailedReleasing, &[]),
    step(Releasing, Abort, FailedReleasing, &[]),
    step(FailedReleasing, Retry, Releasing, OFF),
    step(FailedReleasing, Release, Releasing, OFF),
    step(FailedReleasing, MarkBroken, Broken, &[]),
    step(DiskErasing, Finished, Releasing, &[PowerOff]),
    step(DiskErasing, Failed, FailedDiskErasing, OFF),
    step(DiskErasing, Expire, FailedDiskErasing, OFF),
    step(DiskErasing, Abort, FailedDiskErasing, OFF),
    step(FailedDiskErasing, Retry, DiskErasing, BOOT),
    step(FailedDiskErasing, Release, Releasing, OFF),
    step(FailedDiskErasing, MarkBroken, Broken, &[]),
    step(Broken, MarkFixed, Ready, &[]),
    step(Broken, FixedNew, New, &[]),
    step(Broken, FixedDeployed, Deployed, &[]),
    step(Broken, Commission, Commissioning, &[DropOwner, DropDeployment, NewBoot, PowerCycle]),
    step(Broken, Release, Releasing, OFF),
];

/// A step that is not in the table. The message says what would be legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRefused {
    pub from: MachineState,
    pub event: Event,
}

impl std::fmt::Display for StepRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, event } = self;
        let legal: Vec<&str> = actions(*from).into_iter().map(Action::as_str).collect();
        let legal = legal.join(", ");
        write!(f, "{event} is not possible while the machine is {from}. Possible now: {legal}.")
    }
}

impl std::error::Error for StepRefused {}

/// Looks up one step. Pure: the caller stores `to` and queues `effects` in a single transaction.
///
/// # Errors
/// [`StepRefused`] when the table has no such line.
pub fn next(from: MachineState, event: Event) -> Result<&'static Step, StepRefused> {
    let found = STEPS.iter().find(|it| (it.from, it.event) == (from, event));
    found.ok_or(StepRefused { from, event })
}

/// The table as a Graphviz drawing: the text of `docs/lifecycle.dot`.
#[must_use]
pub fn dot() -> String {
    let mut text = String::from("// Generated from STEPS in controlplane/domain: do not edit.\n");
    text.push_str("digraph lifecycle {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
    for state in MachineState::ALL {
        if state.in_progress() {
            let _ = writeln!(text, "  {state} [style=\"rounded,dashed\"];");
        } else if state.failed() {
            let _ = writeln!(text, "  {state} [color=red];");
        } else {
            let _ = writeln!(text, "  {state};");
        }
    }
    for Step { from, event, to, .. } in STEPS {
        let _ = writeln!(text, "  {from} -> {to} [label=\"{event}\"];");
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::BootIntent;
    use crate::machine::{Deadlines, boot_intent};

    #[test]
    fn no_pair_of_state_and_event_stands_twice() {
        let mut seen = HashSet::new();
        for it in STEPS {
            assert!(seen.insert((it.from, it.event)), "{} {} stands twice", it.from, it.event);
        }
    }

    #[test]
    fn the_matrix_holds_exactly_the_table() {
        let mut legal = 0;
        for from in MachineState::ALL {
            for event in Event::ALL {
                match next(*from, *event) {
                    Ok(step) => {
                        assert_eq!((step.from, step.event), (*from, *event));
                        legal += 1;
                    }
                    Err(refused) => {
                        let text = refused.to_string();
                        assert!(text.contains(from.as_str()) && text.contains("Possible now"));
                    }
                }
            }
        }
        assert_eq!(legal, STEPS.len());
    }

    #[test]
    fn every_state_is_reached_from_new_and_leads_back_to_ready() {
        let all: HashSet<_> = MachineState::ALL.iter().copied().collect();
        assert_eq!(reach(New), all);
        for state in MachineState::ALL {
            assert!(reach(*state).contains(&Ready), "{state} never leads to READY");
        }
    }

    #[test]
    fn every_event_is_used() {
        for event in Event::ALL {
            assert!(STEPS.iter().any(|it| it.event == *event), "{event} does nothing");
        }
    }

    #[test]
    fn states_in_progress_end_by_deadline_and_by_abort() {
        for state in MachineState::ALL {
            let ends = Deadlines::default().of(*state).is_some();
            assert_eq!(ends, state.in_progress(), "{state}");
            assert_eq!(next(*state, Expire).is_ok(), state.in_progress(), "{state}");
            assert_eq!(next(*state, Abort).is_ok(), state.in_progress(), "{state}");
            assert_eq!(next(*state, Failed).is_ok(), state.in_progress(), "{state}");
        }
    }

    #[test]
    fn every_failed_state_is_retried_in_place_without_losing_its_owner() {
        for state in MachineState::ALL.iter().filter(|it| it.failed() && **it != Broken) {
            let step = next(*state, Retry).unwrap();
            assert!(step.to.in_progress(), "{state}");
            assert!(!step.effects.contains(&DropOwner), "{state}");
        }
    }

    #[test]
    fn a_machine_boots_the_agent_only_where_a_step_started_it() {
        for state in MachineState::ALL {
            let boots_agent =
                !matches!(boot_intent(*state, false), BootIntent::PowerOff | BootIntent::Local);
            let started = STEPS.iter().any(|it| {
                it.to == *state && it.effects.contains(&NewBoot) && it.effects.contains(&PowerCycle)
            });
            assert_eq!(boots_agent, started, "{state}");
        }
        assert_eq!(boot_intent(Deploying, true), BootIntent::Local);
        assert_eq!(boot_intent(Deployed, true), BootIntent::Local);
    }

    #[test]
    fn the_drawing_names_every_state() {
        let text = dot();
        for state in MachineState::ALL {
            assert!(text.contains(state.as_str()));
        }
        assert_eq!(text.matches("->").count(), STEPS.len());
    }

    fn reach(from: MachineState) -> HashSet<MachineState> {
        let mut seen = HashSet::from([from]);
        let mut todo = vec![from];
        while let Some(at) = todo.pop() {
            for step in STEPS.iter().filter(|it| it.from == at) {
                if seen.insert(step.to) {
                    todo.push(step.to);
                }
            }
        }
        seen
    }
}
