use std::time::Duration;

use ironherd_domain::machine::{Deadlines, Effect as StepEffect, Step, next};
use ironherd_domain::{
    BootDevice, EffectId, EraseMode, Event, MachineState, OperationId, OperationKind,
    OperationState, PowerProtocol, Refusal,
};
use ironherd_store::{
    Effect, EffectKind, Machine, SnapshotChange, TokenKind, effect, operation, setting, token,
};

use crate::address;
use crate::work::{Inner, Work};

/// Longer than all tries of a power command take: what still runs then was lost, perhaps with its
/// machine.
const POWER_MAX: Duration = Duration::from_mins(20);

/// Where the boot key of a machine is sealed for.
pub(crate) fn boot_place(machine: &Machine) -> String {
    format!("boot:{}", machine.id)
}

/// Steps that follow each other without waiting: a machine with manual power is released, counts
/// as off, and is free.
const FOLLOW_MAX: usize = 3;

impl Work {
    /// Moves a machine by the lifecycle table, with all that follows. The only writer of states.
    pub(crate) async fn step(
        &mut self,
        machine: &mut Machine,
        event: Event,
        cause: &str,
    ) -> Inner<()> {
        self.step_once(machine, event, cause).await?;
        for _ in 0..FOLLOW_MAX {
            // Nobody can ask whether such a machine is off, so waiting would only end in failure.
            let manual = machine.power_protocol == PowerProtocol::Manual;
            if machine.state != MachineState::Releasing || !manual {
                break;
            }
            self.step_once(machine, powered_off(machine), "Its power is manual.").await?;
        }
        Ok(())
    }

    async fn step_once(&mut self, machine: &mut Machine, event: Event, cause: &str) -> Inner<()> {
        let step = next(machine.state, event)
            .map_err(|it| Refusal::new("ILLEGAL_TRANSITION", &["id"], it.to_string()))?;
        let deadlines = deadlines(self).await?;
        if step.to != step.from {
            machine.state = step.to;
            machine.state_since = self.now;
            machine.deadline = deadlines.of(step.to).map(|it| self.now.after(it));
        }
        machine.failure = step.to.failed().then(|| words_of(event, cause));
        if event == Event::ImageWritten {
            machine.image_written = true;
        }
        if step.from == MachineState::DiskErasing && event == Event::Finished {
            machine.disk_dirty = false;
            machine.erase_pending = None;
        }
        if step.to == MachineState::Ready {
            machine.erase_pending = None;
        }
        self.end_operation(machine, step, cause).await?;
        for it in step.effects {
            self.follow(machine, *it).await?;
        }
        self.store(machine).await?;
        self.touch(SnapshotChange::Machine(machine.id));
        let cause = if cause.is_empty() { String::new() } else { format!(" ({cause})") };
        let text = format!("{} → {}{cause}", step.from, step.to);
        self.event(Some(machine), event.as_str(), text);
        Ok(())
    }

    async fn follow(&mut self, machine: &mut Machine, it: StepEffect) -> Inner<()> {
        match it {
            StepEffect::NewBoot => {
                machine.attempt += 1;
                machine.boot_key = self.app.inner.keyring.fresh_boot_key(&boot_place(machine));
                machine.boot_stage = None;
                machine.boot_stage_since = None;
                machine.agent_seen = None;
                machine.image_written = false;
                token::delete_of_machine(&mut self.tx, machine.id, TokenKind::PhoneHome).await?;
            }
            StepEffect::PowerCycle => {
                let network = Some(BootDevice::Network);
                self.queue(machine, EffectKind::PowerCycle, network, None).await?;
            }
            StepEffect::PowerOff => self.queue(machine, EffectKind::PowerOff, None, None).await?,
            StepEffect::ReserveAddress => address::must_have(self, machine).await?,
            StepEffect::MarkDirty => machine.disk_dirty = true,
            StepEffect::DropOwner => machine.owner = None,
            StepEffect::DropDeployment => {
                machine.image_id = None;
                machine.ssh_keys = None;
                machine.user_data = None;
            }
        }
        Ok(())
    }

    /// Queues work on the machine's power; nothing for a machine with manual power.
    pub(crate) async fn queue(
        &mut self,
        machine: &Machine,
        kind: EffectKind,
        boot: Option<BootDevice>,
        operation: Option<OperationId>,
    ) -> Inner<()> {
        if machine.power_protocol == PowerProtocol::Manual {
            return Ok(());
        }
        let it = Effect {
            id: EffectId::new(),
            machine_id: machine.id,
            operation_id: operation,
            kind,
            boot,
            attempt: machine.attempt,
            tries: 0,
            created: self.now,
        };
        for replaced in effect::insert(&mut self.tx, &it).await? {
            self.replaced(replaced).await?;
        }
        if let Some(id) = operation {
            let deadline = Some(self.now.after(POWER_MAX));
            operation::deadline(&mut self.tx, id, deadline).await?;
        }
        self.effects = true;
        Ok(())
    }

    /// Ends the operation of an effect that a later one replaced.
    pub(crate) async fn replaced(&mut self, operation: OperationId) -> Inner<()> {
        let why = Some("A later command replaced this one.");
        let state = OperationState::Cancelled;
        Ok(operation::finish(&mut self.tx, operation, state, why, self.now).await?)
    }

    /// Ends the running operation if this step does.
    async fn end_operation(&mut self, machine: &Machine, step: &Step, cause: &str) -> Inner<()> {
        let (state, error) = match step.event {
            // A release that begins takes over from a deployment that runs.
            Event::Release if step.from.in_progress() => (OperationState::Cancelled, Some(cause)),
            _ if step.to.in_progress() => {
                for it in operation::running(&mut self.tx, &[machine.id]).await? {
                    if it.kind != OperationKind::Power {
                        operation::deadline(&mut self.tx, it.id, machine.deadline).await?;
                    }
                }
                return Ok(());
            }
            Event::Failed | Event::Expire => (OperationState::Failed, Some(cause)),
            Event::Finished | Event::SystemReady | Event::PoweredOff => {
                (OperationState::Done, None)
            }
            _ => (OperationState::Cancelled, Some(cause)),
        };
        for it in operation::running(&mut self.tx, &[machine.id]).await? {
            if it.kind != OperationKind::Power {
                operation::finish(&mut self.tx, it.id, state, error, self.now).await?;
            }
        }
        Ok(())
    }
}

/// What follows once a machine in release is off.
pub(crate) fn powered_off(machine: &Machine) -> Event {
    match machine.erase_pending {
        Some(EraseMode::Quick) => Event::Erase,
        Some(EraseMode::None) | None => Event::PoweredOff,
    }
}

/// Deadlines of this region: settings like `deadline_deploying_seconds` override the defaults.
async fn deadlines(work: &mut Work) -> Inner<Deadlines> {
    let mut deadlines = Deadlines::default();
    let settings = setting::all(&mut work.tx).await?;
    let places = [
        ("deadline_commissioning_seconds", &mut deadlines.commissioning),
        ("deadline_deploying_seconds", &mut deadlines.deploying),
        ("deadline_releasing_seconds", &mut deadlines.releasing),
        ("deadline_erasing_seconds", &mut deadlines.erasing),
    ];
    for (name, place) in places {
        if let Some(seconds) = settings.get(name).and_then(|it| it.parse().ok()) {
            *place = Duration::from_secs(seconds);
        }
    }
    Ok(deadlines)
}

fn words_of(event: Event, cause: &str) -> String {
    match (cause.is_empty(), event) {
        (false, _) => cause.to_owned(),
        (true, Event::Abort) => "It was aborted.".to_owned(),
        (true, _) => "No reason was given.".to_owned(),
    }
}
