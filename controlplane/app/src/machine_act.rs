mod check;

use ironherd_domain::{
    Event, MachineId, MachineState, OperationId, OperationKind, OperationState, PowerAction,
    PowerProtocol, Refusal,
};
use ironherd_store::{EffectKind, Machine, Operation, operation};

use check::{check_deploy, check_image, must_be_clean};

use crate::machine_read::waits_for;
use crate::step::powered_off;
use crate::work::{Inner, Work, transact};
use crate::{Actor, Answer, App, MachineDeploy, MachinePower, MachineRelease, Started};

const REQUEST_ID_CHARS_MAX: usize = 128;

impl App {
    /// Boots the agent to take stock. Repeating it with one request id is safe.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `ILLEGAL_TRANSITION`, `EPHEMERAL_MISSING`, `DISK_DIRTY`,
    /// `REQUEST_ID_REUSED`, `REQUEST_ID_INVALID`.
    pub async fn machine_commission(
        &self,
        actor: &Actor,
        id: MachineId,
        request_id: Option<String>,
    ) -> Answer<Started> {
        actor.must_be_user()?;
        let kind = OperationKind::Commission;
        transact!(self, actor, |work| {
            let mut it = work.machine(id).await?;
            if let Some(operation) = repeated(&mut work, id, kind, request_id.as_deref()).await? {
                return Ok(Started { machine: it, operation });
            }
            if it.state == MachineState::Broken {
                must_be_clean(&it)?; // It would end READY, for anybody to take.
            }
            let request = request_id.clone();
            let operation = start(&mut work, &mut it, Event::Commission, kind, request).await?;
            Ok(Started { machine: it, operation })
        })
    }

    /// Gives a READY machine to the caller.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `ILLEGAL_TRANSITION`.
    pub async fn machine_allocate(&self, actor: &Actor, id: MachineId) -> Answer<Machine> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let mut it = work.machine(id).await?;
            it.owner = Some(work.actor.clone());
            work.step(&mut it, Event::Allocate, "").await?;
            Ok(it)
        })
    }

    /// Writes an image to the machine's disk and starts it; allocates a READY machine.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `ILLEGAL_TRANSITION`, `IMAGE_NOT_FOUND`, `IMAGE_NOT_READY`,
    /// `IMAGE_KIND_WRONG`, `ARCHITECTURE_MISMATCH`, `EPHEMERAL_MISSING`, `NO_ADDRESS`,
    /// `SUBNET_FULL`, `SSH_KEY_INVALID`, `USER_DATA_TOO_LARGE`, `REQUEST_ID_REUSED`,
    /// `REQUEST_ID_INVALID`.
    pub async fn machine_deploy(
        &self,
        actor: &Actor,
        id: MachineId,
        input: MachineDeploy,
    ) -> Answer<Started> {
        actor.must_be_user()?;
        check_deploy(&input)?;
        let kind = OperationKind::Deploy;
        transact!(self, actor, |work| {
            let mut it = work.machine(id).await?;
            let request = input.request_id.clone();
            if let Some(operation) = repeated(&mut work, id, kind, request.as_deref()).await? {
                return Ok(Started { machine: it, operation });
            }
            check_image(&mut work, &it, &input).await?;
            it.image_id = Some(input.image_id);
            it.ssh_keys = (!input.ssh_keys.is_empty()).then(|| input.ssh_keys.join("\n"));
            it.user_data.clone_from(&input.user_data);
            if it.owner.is_none() {
                it.owner = Some(work.actor.clone());
            }
            let operation = start(&mut work, &mut it, Event::Deploy, kind, request).await?;
            Ok(Started { machine: it, operation })
        })
    }

    /// Gives the machine back: off, erased if asked for and if anything was written, READY.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `ILLEGAL_TRANSITION`, `REQUEST_ID_REUSED`, `REQUEST_ID_INVALID`.
    pub async fn machine_release(
        &self,
        actor: &Actor,
        id: MachineId,
        input: MachineRelease,
    ) -> Answer<Started> {
        actor.must_be_user()?;
        let kind = OperationKind::Release;
        transact!(self, actor, |work| {
            let mut it = work.machine(id).await?;
            let request = input.request_id.clone();
            if let Some(operation) = repeated(&mut work, id, kind, request.as_deref()).await? {
                return Ok(Started { machine: it, operation });
            }
            // A disk that nobody wrote to needs no erasing.
            it.erase_pending = it.disk_dirty.then_some(input.erase);
            let operation = start(&mut work, &mut it, Event::Release, kind, request).await?;
            Ok(Started { machine: it, operation })
        })
    }

    /// Ends what is in progress.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `ILLEGAL_TRANSITION`.
    pub async fn machine_abort(&self, actor: &Actor, id: MachineId) -> Answer<Machine> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let mut it = work.machine(id).await?;
            let cause = format!("Aborted by {}.", work.actor);
            work.step(&mut it, Event::Abort, &cause).await?;
            Ok(it)
        })
    }

    /// Does again what failed, in place: owner, addresses, image and erase mode stay.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `ILLEGAL_TRANSITION`, `EPHEMERAL_MISSING`, `NO_ADDRESS`,
    /// `SUBNET_FULL`.
    pub async fn machine_retry(&self, actor: &Actor, id: MachineId) -> Answer<Started> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let mut it = work.machine(id).await?;
            let kind = match it.state {
                MachineState::FailedCommissioning => OperationKind::Commission,
                MachineState::FailedDeployment => OperationKind::Deploy,
                _ => OperationKind::Release,
            };
            let operation = start(&mut work, &mut it, Event::Retry, kind, None).await?;
            Ok(Started { machine: it, operation })
        })
    }

    /// Switches or asks the power.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `POWER_MANUAL`, `MACHINE_BUSY`.
    pub async fn machine_power(
        &self,
        actor: &Actor,
        id: MachineId,
        input: MachinePower,
    ) -> Answer<Started> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let it = work.machine(id).await?;
            if it.power_protocol == PowerProtocol::Manual {
                let why = "The machine's power is manual. Set its BMC first, or press the button.";
                return Err(Refusal::new("POWER_MANUAL", &["id"], why).into());
            }
            if it.state.in_progress() && input.action != PowerAction::Query {
                let why = format!("The machine is {}: abort that first.", it.state);
                return Err(Refusal::new("MACHINE_BUSY", &["id"], why).into());
            }
            let kind = match input.action {
                PowerAction::On => EffectKind::PowerOn,
                PowerAction::Off => EffectKind::PowerOff,
                PowerAction::Cycle => EffectKind::PowerCycle,
                PowerAction::Query => EffectKind::PowerQuery,
            };
            let operation = open(&mut work, &it, OperationKind::Power, None).await?;
            let id = operation.id;
            operation::step_begin(&mut work.tx, id, kind.as_str(), work.now).await?;
            let starts = matches!(input.action, PowerAction::On | PowerAction::Cycle);
            let boot = input.boot_device.filter(|_| starts);
            work.queue(&it, kind, boot, Some(id)).await?;
            work.event(Some(&it), "POWER", format!("{} asked for", input.action));
            Ok(Started { machine: it, operation })
        })
    }

    /// Takes the machine out of use, with the reason.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `ILLEGAL_TRANSITION`, `REASON_MISSING`.
    pub async fn machine_mark_broken(
        &self,
        actor: &Actor,
        id: MachineId,
        reason: &str,
    ) -> Answer<Machine> {
        actor.must_be_user()?;
        let reason = reason.trim();
        if reason.is_empty() {
            let why = "Say what is broken: whoever mends the machine reads it.";
            return Err(Refusal::new("REASON_MISSING", &["reason"], why).into());
        }
        transact!(self, actor, |work| {
            let mut it = work.machine(id).await?;
            work.step(&mut it, Event::MarkBroken, reason).await?;
            Ok(it)
        })
    }

    /// Puts a BROKEN machine back to where it was in life: NEW, READY or DEPLOYED.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `ILLEGAL_TRANSITION`, `DISK_DIRTY`.
    pub async fn machine_mark_fixed(&self, actor: &Actor, id: MachineId) -> Answer<Machine> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let mut it = work.machine(id).await?;
            let event = match &it {
                it if it.image_id.is_some() && it.image_written => Event::FixedDeployed,
                it if !it.commissioned => Event::FixedNew,
                _ => Event::MarkFixed,
            };
            if it.state == MachineState::Broken && event != Event::FixedDeployed {
                must_be_clean(&it)?;
                // It goes back to the pool: what it was allocated for is over.
                it.owner = None;
                it.image_id = None;
                it.ssh_keys = None;
                it.user_data = None;
            }
            work.step(&mut it, event, "").await?;
            Ok(it)
        })
    }

    /// Moves a machine by the lifecycle table: for workers. `PoweredOff` goes on to erasing if the
    /// release asked for it; `Expire` without a cause says what the machine waited for.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `ILLEGAL_TRANSITION`; `NOT_DUE` if the deadline was moved meanwhile.
    pub async fn machine_event(&self, id: MachineId, event: Event, cause: &str) -> Answer<Machine> {
        transact!(self, &Actor::System("region"), |work| {
            let mut it = work.machine(id).await?;
            let mut cause = cause.to_owned();
            let mut event = event;
            if event == Event::PoweredOff && it.state == MachineState::Releasing {
                event = powered_off(&it);
            }
            if event == Event::Expire {
                if it.deadline.is_some_and(|at| work.now < at) {
                    let why = "The deadline has not passed yet.";
                    return Err(Refusal::new("NOT_DUE", &["id"], why).into());
                }
                let now = work.now;
                let last = waits_for(&mut work.tx, &it, now).await?.unwrap_or_default();
                let reason = if cause.is_empty() { last } else { cause };
                let minutes = now.since(it.state_since).as_secs() / 60;
                cause = format!("Gave up {} after {minutes} min. {reason}", it.state);
            }
            work.step(&mut it, event, &cause).await?;
            Ok(it)
        })
    }
}

/// Takes the step and opens its operation.
pub(crate) async fn start(
    work: &mut Work,
    it: &mut Machine,
    event: Event,
    kind: OperationKind,
    request_id: Option<String>,
) -> Inner<Operation> {
    let boots = matches!(kind, OperationKind::Commission | OperationKind::Deploy);
    if boots && ironherd_domain::machine::next(it.state, event).is_ok() {
        need_ephemeral(work).await?;
    }
    let from = it.state;
    work.step(it, event, "").await?;
    let operation = open(work, it, kind, request_id).await?;
    if it.state == MachineState::Ready {
        // Nothing to wait for: the machine's power is manual and there is nothing to erase.
        let done = OperationState::Done;
        operation::finish(&mut work.tx, operation.id, done, None, work.now).await?;
    } else {
        let step = if it.state == MachineState::Releasing { "power off" } else { "power on" };
        operation::step_begin(&mut work.tx, operation.id, step, work.now).await?;
    }
    tracing::info!(event = "operation_started", machine = %it.id, %from, %kind, "work begins");
    let found = operation::by_id(&mut work.tx, operation.id).await?;
    Ok(found.unwrap_or(operation))
}

async fn open(
    work: &mut Work,
    it: &Machine,
    kind: OperationKind,
    request_id: Option<String>,
) -> Inner<Operation> {
    let operation = Operation {
        id: OperationId::new(),
        kind,
        state: OperationState::Running,
        machine_id: it.id,
        request_id,
        created: work.now,
        finished: None,
        deadline: if kind == OperationKind::Power { None } else { it.deadline },
        error: None,
        progress: None,
    };
    operation::insert(&mut work.tx, &operation).await.map_err(|error| {
        crate::work::Halt::from(error).taken(|_| reused("by a command that runs at this moment"))
    })?;
    Ok(operation)
}

/// The operation that a request id began before.
async fn repeated(
    work: &mut Work,
    machine: MachineId,
    kind: OperationKind,
    request_id: Option<&str>,
) -> Inner<Option<Operation>> {
    let Some(request) = request_id else { return Ok(None) };
    if request.is_empty() || REQUEST_ID_CHARS_MAX < request.len() {
        let why = "A request id has 1 to 128 characters; a random UUID does well.";
        return Err(Refusal::new("REQUEST_ID_INVALID", &["input", "requestId"], why).into());
    }
    match operation::by_request(&mut work.tx, request).await? {
        Some(it) if it.machine_id == machine && it.kind == kind => Ok(Some(it)),
        Some(it) => Err(reused(&format!("for another command ({})", it.kind)).into()),
        None => Ok(None),
    }
}

fn reused(by: &str) -> Refusal {
    let why = format!("This request id was used before {by}. Choose a fresh one.");
    Refusal::new("REQUEST_ID_REUSED", &["input", "requestId"], why)
}

async fn need_ephemeral(work: &mut Work) -> Inner<()> {
    if crate::snapshot::ephemeral(&mut work.tx).await?.is_some() {
        return Ok(());
    }
    let why = "There is no RAM system to boot the machine with. Build and upload one first: \
               ironherd image build-ephemeral.";
    Err(Refusal::new("EPHEMERAL_MISSING", &["id"], why).into())
}
