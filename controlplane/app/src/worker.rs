use std::time::Duration;

use ironherd_domain::{
    Event, MachineId, MachineState, OperationKind, OperationState, PowerState, UnixMicros,
};
use ironherd_proto::token::ENLIST_DAYS;
use ironherd_store::effect::PutBack;
use ironherd_store::{Effect, EffectKind, Machine, boot_nonce, effect, machine, operation, token};

use crate::app::remove_parts;
use crate::machine_read::waits_for;
use crate::step::powered_off;
use crate::work::{Inner, Work, transact};
use crate::{Actor, Answer, App, Overdue};

/// Other regions on the same database queue effects too, and wake nobody here.
const SHARED_WAIT_MAX: Duration = Duration::from_secs(1);
const ALONE_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long an ended effect is kept for those who look for causes.
const ENDED_KEPT: Duration = Duration::from_hours(24);
/// How long a used nonce is kept: for longer than its token is good.
const NONCES_KEPT: Duration = Duration::from_hours(24 * (2 * ENLIST_DAYS + 2));

/// Whether a power cycle that a step of the lifecycle asked for comes too late: the machine has
/// booted, or moved on. To carry it out would cut off work that goes well.
#[must_use]
pub fn effect_is_moot(effect: &Effect, machine: &Machine) -> bool {
    let booted = machine.agent_seen.is_some() || machine.image_written;
    effect.kind == EffectKind::PowerCycle
        && effect.operation_id.is_none()
        && effect.attempt == machine.attempt
        && (booted || !machine.state.in_progress())
}

impl App {
    /// Takes effects that are due; the worker must end each within `lease`.
    ///
    /// # Errors
    /// [`CommandError::Fault`](crate::CommandError::Fault); so for all of the workers' side.
    pub async fn effects_claim(&self, limit: u32, lease: Duration) -> Answer<Vec<Effect>> {
        transact!(self, &Actor::System("region"), |work| {
            Ok(effect::claim(&mut work.tx, work.now, lease, limit).await?)
        })
    }

    /// Called once when a region begins to serve: takes up what its killed predecessor had in hand,
    /// and removes the uploads that it did not finish.
    ///
    /// # Errors
    /// See [`App::effects_claim`].
    pub async fn serving_begins(&self) -> Answer<()> {
        remove_parts(&self.data_dir().join("images"))?;
        if self.inner.db.is_shared() {
            return Ok(()); // Another region may hold them; its leases end by themselves.
        }
        transact!(self, &Actor::System("region"), |work| {
            effect::release_all(&mut work.tx, work.now).await?;
            Ok(())
        })
    }

    /// Resolves when an effect may be due: a command queued one, or the next one's time has come.
    pub async fn effects_wait(&self) {
        let woken = self.inner.effects.notified();
        let longest = if self.inner.db.is_shared() { SHARED_WAIT_MAX } else { ALONE_WAIT_MAX };
        let due = match self.read().await {
            Ok(mut tx) => effect::next_due(&mut tx).await.ok().flatten(),
            Err(_) => None,
        };
        let wait = due.map_or(longest, |at| at.since(self.now()).min(longest));
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Ends an effect that worked; `observed` is what the BMC reported after it.
    ///
    /// # Errors
    /// See [`App::effects_claim`].
    pub async fn effect_done(&self, it: &Effect, observed: PowerState) -> Answer<()> {
        transact!(self, &Actor::System("power"), |work| {
            if !effect::done(&mut work.tx, it).await? {
                return Ok(()); // Another worker holds it, or the machine is gone.
            }
            if let Some(id) = it.operation_id {
                let done = OperationState::Done;
                operation::finish(&mut work.tx, id, done, None, work.now).await?;
            } else if it.kind == EffectKind::PowerCycle {
                work.operation_step(it.machine_id, "boot").await?;
            }
            work.power_seen(it.machine_id, observed, None).await
        })
    }

    /// Ends an effect that nothing was done for, see [`effect_is_moot`].
    ///
    /// # Errors
    /// See [`App::effects_claim`].
    pub async fn effect_skipped(&self, it: &Effect) -> Answer<()> {
        transact!(self, &Actor::System("power"), |work| {
            if effect::done(&mut work.tx, it).await? {
                work.touch_progress(it.machine_id);
            }
            Ok(())
        })
    }

    /// Ends an effect that did not work: it is tried again after `retry_after`, or given up. Then
    /// the operation fails, and so does the machine's state if the effect belongs to it.
    ///
    /// # Errors
    /// See [`App::effects_claim`].
    pub async fn effect_failed(
        &self,
        it: &Effect,
        error: &str,
        retry_after: Option<Duration>,
    ) -> Answer<()> {
        transact!(self, &Actor::System("power"), |work| {
            let id = it.machine_id;
            if let Some(delay) = retry_after {
                let after = work.now.after(delay);
                match effect::retry(&mut work.tx, it, error, after).await? {
                    PutBack::Lost => return Ok(()),
                    PutBack::Superseded(Some(operation)) => work.replaced(operation).await?,
                    PutBack::Superseded(None) | PutBack::Queued => {}
                }
                work.power_seen(id, PowerState::Unknown, Some(error)).await?;
                work.touch_progress(id);
                return Ok(());
            }
            if !effect::failed(&mut work.tx, it, error).await? {
                return Ok(());
            }
            work.power_seen(id, PowerState::Unknown, Some(error)).await?;
            if let Some(operation) = it.operation_id {
                let failed = OperationState::Failed;
                operation::finish(&mut work.tx, operation, failed, Some(error), work.now).await?;
                return Ok(());
            }
            let mut machine = work.machine(id).await?;
            let current = machine.state.in_progress() && machine.attempt == it.attempt;
            if current && !effect_is_moot(it, &machine) {
                let cause = format!("{} did not work: {error}", it.kind.as_str());
                work.step(&mut machine, Event::Failed, &cause).await?;
            }
            Ok(())
        })
    }

    /// Machines past their deadline. Call [`App::machine_event`] with `Expire` for each.
    ///
    /// # Errors
    /// See [`App::effects_claim`].
    pub async fn deadlines_passed(&self, now: UnixMicros, limit: u32) -> Answer<Vec<Overdue>> {
        let mut tx = self.read().await?;
        let mut overdue = Vec::new();
        for it in machine::past_deadline(&mut tx, now, limit).await? {
            let waiting_for = waits_for(&mut tx, &it, now).await?.unwrap_or_default();
            let deadline = it.deadline.unwrap_or(now);
            overdue.push(Overdue { machine: it.id, deadline, waiting_for });
        }
        Ok(overdue)
    }

    /// Fails power operations past their deadline, at most `limit`, with what waits for them.
    ///
    /// # Errors
    /// See [`App::effects_claim`].
    pub async fn power_operations_expire(&self, limit: u32) -> Answer<()> {
        let late = operation::power_overdue(&mut self.read().await?, self.now(), limit).await?;
        if late.is_empty() {
            return Ok(()); // The usual case must not take the writer.
        }
        transact!(self, &Actor::System("region"), |work| {
            let why = "It did not end in time. Look at the machine's BMC, then try again.";
            for it in operation::power_overdue(&mut work.tx, work.now, limit).await? {
                let failed = OperationState::Failed;
                effect::abandon(&mut work.tx, it.id, why).await?;
                operation::finish(&mut work.tx, it.id, failed, Some(why), work.now).await?;
                work.touch_progress(it.machine_id);
            }
            Ok(())
        })
    }

    /// Drops what is over: ended effects, used nonces, expired tokens, old leases. For a slow
    /// worker.
    ///
    /// # Errors
    /// See [`App::effects_claim`].
    pub async fn sweep(&self) -> Answer<()> {
        transact!(self, &Actor::System("region"), |work| {
            effect::sweep(&mut work.tx, work.now.before(ENDED_KEPT)).await?;
            boot_nonce::sweep(&mut work.tx, work.now.before(NONCES_KEPT)).await?;
            token::sweep(&mut work.tx, work.now).await?;
            Ok(())
        })?;
        self.sweep_leases().await
    }
}

impl Work {
    /// Records what a BMC said, and moves a release on when the machine is off.
    pub(crate) async fn power_seen(
        &mut self,
        id: MachineId,
        seen: PowerState,
        error: Option<&str>,
    ) -> Inner<()> {
        let Some(mut it) = machine::by_id_locked(&mut self.tx, id).await? else { return Ok(()) };
        machine::power_seen(&mut self.tx, id, seen, error, self.now).await?;
        if it.power_state != seen && seen != PowerState::Unknown {
            self.event(Some(&it), "POWER_STATE", format!("{} → {seen}", it.power_state));
        } else if it.power_error.as_deref() != error && error.is_some() {
            self.event(Some(&it), "POWER_ERROR", error.unwrap_or_default().to_owned());
        }
        it.power_state = seen;
        it.power_error = error.map(str::to_owned);
        it.power_checked = Some(self.now);
        if it.state == MachineState::Releasing && seen == PowerState::Off {
            let event = powered_off(&it);
            self.step(&mut it, event, "The BMC reports that it is off.").await?;
        }
        Ok(())
    }

    /// Begins the next step of the operation that runs on a machine.
    pub(crate) async fn operation_step(&mut self, machine: MachineId, name: &str) -> Inner<()> {
        for it in operation::running(&mut self.tx, &[machine]).await? {
            let open = operation::step_open(&mut self.tx, it.id).await?;
            if it.kind != OperationKind::Power && open.as_deref() != Some(name) {
                operation::step_begin(&mut self.tx, it.id, name, self.now).await?;
                self.touch_progress(machine);
            }
        }
        Ok(())
    }
}
