//! Carries out effects: claims them, runs them at the BMCs, reports how they ended.

use std::time::Duration;

use ironherd_app::{Actor, Answer, Effect, EffectKind, Machine, effect_is_moot};
use ironherd_bmc::{BmcError, Boot, PowerAction, Target};
use ironherd_domain::{BootDevice, FirmwareKind, PowerState};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::Context;
use crate::outcome::{self, Verdict};
use crate::target;

/// After a claim that found nothing, the next one waits this long: an effect may be due and yet
/// not to be had, since another one runs for its machine.
const CLAIM_PAUSE: Duration = Duration::from_millis(100);
/// The pause after the database failed us.
const FAULT_PAUSE: Duration = Duration::from_secs(1);
/// What is left of a lease when an effect that takes too long is put back.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

pub(crate) const ACTOR: Actor = Actor::System("workers");

pub(crate) async fn run(context: Context) {
    let mut running = JoinSet::new();
    loop {
        let free = context.config.effects_at_once.saturating_sub(running.len());
        let claimed = claim(&context, free).await;
        let idle = claimed.as_ref().is_ok_and(Vec::is_empty);
        let pause = if claimed.is_err() { FAULT_PAUSE } else { CLAIM_PAUSE };
        for effect in claimed.unwrap_or_default() {
            running.spawn(carry_out(context.clone(), effect));
        }
        let next =
            Instant::now() + if idle || pause == FAULT_PAUSE { pause } else { Duration::ZERO };
        let wake = async {
            context.app.effects_wait().await;
            sleep_until(next).await;
        };
        let full = running.len() >= context.config.effects_at_once;
        tokio::select! {
            () = context.stopped() => break,
            // A slot is free, and the next effect of that machine may be had.
            Some(ended) = running.join_next() => report_panic(ended),
            () = wake, if !full => {}
        }
    }
    // Each task knows of the stop and ends within the grace time.
    while let Some(ended) = running.join_next().await {
        report_panic(ended);
    }
}

async fn claim(context: &Context, free: usize) -> Answer<Vec<Effect>> {
    if free == 0 {
        return Ok(Vec::new());
    }
    let limit = u32::try_from(free).unwrap_or(u32::MAX);
    context.app.effects_claim(limit, context.config.effect_lease).await
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        // The effect is claimed again when its lease runs out.
        tracing::error!(event = "effect_panicked", %error, "an effect panicked");
    }
}

async fn carry_out(context: Context, effect: Effect) {
    let limit = context.config.effect_lease.saturating_sub(LEASE_MARGIN);
    let tries = effect.tries;
    let grace = async {
        context.stopped().await;
        sleep(context.config.shutdown_grace).await;
    };
    let verdict = tokio::select! {
        verdict = timeout(limit, attempt(&context, &effect)) => verdict.unwrap_or_else(|_| {
            let late = format!("the BMC took longer than {} s", limit.as_secs());
            outcome::unanswered(late, tries, &context.config)
        }),
        () = grace => outcome::put_back("the region stopped"),
    };
    let reported = match &verdict {
        Verdict::Done(state) => context.app.effect_done(&effect, *state).await,
        Verdict::Skipped => context.app.effect_skipped(&effect).await,
        Verdict::Retry { error, after } => {
            context.app.effect_failed(&effect, error, Some(*after)).await
        }
        Verdict::Failed(error) => context.app.effect_failed(&effect, error, None).await,
    };
    let (kind, machine) = (effect.kind.as_str(), effect.machine_id);
    match reported {
        Ok(()) => {
            tracing::info!(event = "effect_ended", kind, %machine, tries, ?verdict);
        }
        // The lease runs out, and the effect is carried out again: it asks for a state.
        Err(error) => tracing::warn!(event = "effect_unreported", kind, %machine, %error),
    }
}

/// One try, from the machine's record to what its BMC says in the end.
async fn attempt(context: &Context, effect: &Effect) -> Verdict {
    if context.config.effect_tries < effect.tries {
        // Whoever began it last did not live to say how it went.
        return Verdict::Failed(format!("it was begun {} times without an end", effect.tries - 1));
    }
    let machine = context.app.machine(&ACTOR, effect.machine_id).await;
    let power = context.app.power_target(effect.machine_id).await;
    let (machine, power) = match (machine, power) {
        (Ok(Some(machine)), Ok(power)) => (machine, power),
        (Ok(None), _) => return Verdict::Failed("the machine was deleted".to_owned()),
        (Err(error), _) | (_, Err(error)) => {
            return outcome::unanswered(error.to_string(), effect.tries, &context.config);
        }
    };
    if machine.attempt != effect.attempt && effect.kind != EffectKind::PowerQuery {
        return Verdict::Failed("a later step of the machine replaced it".to_owned());
    }
    if effect_is_moot(effect, &machine) {
        return Verdict::Skipped;
    }
    let Some(power) = power else {
        // The power became manual meanwhile: the wait reason tells the operator to switch it.
        return Verdict::Done(PowerState::Unknown);
    };
    let target = match target::of(&power) {
        Ok(target) => target,
        Err(error) => return Verdict::Failed(outcome::bad_address(&power.address, &error)),
    };
    // Refused credentials get one more try if a person asks for it, but not for switching off
    // the machine that has just failed because of them.
    let asked = effect.operation_id.is_some() || !machine.state.failed();
    if asked && effect.tries <= 1 {
        context.bmc.forgive(&target);
    }
    let result = act(context, effect, &machine, &target).await;
    outcome::verdict(result, &target, effect.tries, &context.config)
}

async fn act(
    context: &Context,
    effect: &Effect,
    machine: &Machine,
    target: &Target,
) -> Result<ironherd_bmc::PowerState, BmcError> {
    let efi = machine.firmware == Some(FirmwareKind::Uefi);
    let boot = effect.boot.map(|device| Boot { device: boot_device(device), efi });
    match effect.kind {
        EffectKind::PowerOn => context.bmc.power(target, PowerAction::On, boot).await,
        EffectKind::PowerOff => context.bmc.power(target, PowerAction::Off, None).await,
        EffectKind::PowerCycle => context.bmc.power(target, PowerAction::Cycle, boot).await,
        EffectKind::PowerQuery => context.bmc.status(target).await,
    }
}

fn boot_device(device: BootDevice) -> ironherd_bmc::BootDevice {
    match device {
        BootDevice::Network => ironherd_bmc::BootDevice::Network,
        BootDevice::Disk => ironherd_bmc::BootDevice::Disk,
    }
}
