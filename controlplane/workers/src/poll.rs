//! Keeps the power states of all machines fresh.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use ironherd_app::Answer;
use ironherd_domain::MachineId;
use tokio::task::JoinSet;

use crate::Context;
use crate::{outcome, target};

/// How long a round that found nothing to ask waits.
const ROUND_PAUSE: Duration = Duration::from_secs(1);

pub(crate) async fn run(context: Context) {
    let mut asking: JoinSet<MachineId> = JoinSet::new();
    let mut asked = HashSet::new();
    loop {
        let free = context.config.polls_at_once.saturating_sub(asking.len());
        let stale = match stale(&context, &asked, free).await {
            Ok(stale) => stale,
            Err(error) => {
                tracing::warn!(event = "power_poll_unread", %error);
                Vec::new()
            }
        };
        for machine in stale {
            asked.insert(machine);
            asking.spawn(ask(context.clone(), machine));
        }
        // One slow BMC fills one slot and no more; whoever answers makes room for the next.
        let full = context.config.polls_at_once <= asking.len();
        tokio::select! {
            () = context.stopped() => return, // A poll is lost without harm.
            Some(ended) = asking.join_next() => forget(&mut asked, &asking, ended),
            () = tokio::time::sleep(ROUND_PAUSE), if !full => {}
        }
        while let Some(ended) = asking.try_join_next() {
            forget(&mut asked, &asking, ended);
        }
    }
}

fn forget(
    asked: &mut HashSet<MachineId>,
    asking: &JoinSet<MachineId>,
    ended: Result<MachineId, tokio::task::JoinError>,
) {
    match ended {
        Ok(machine) => {
            asked.remove(&machine);
        }
        Err(error) => {
            tracing::error!(event = "power_poll_panicked", %error);
            if asking.is_empty() {
                asked.clear(); // Which machine it was is not known: let all be asked again.
            }
        }
    }
}

/// Machines to ask now, at most `free`, without those that are being asked.
async fn stale(
    context: &Context,
    asked: &HashSet<MachineId>,
    free: usize,
) -> Answer<Vec<MachineId>> {
    if free == 0 {
        return Ok(Vec::new());
    }
    // Those being asked are the stalest of all and come first.
    let limit = u32::try_from(free + asked.len()).unwrap_or(u32::MAX);
    let older_than = jittered(context.config.poll_period);
    let stale = context.app.power_stale(older_than, limit).await?;
    Ok(stale.into_iter().filter(|it| !asked.contains(it)).take(free).collect())
}

/// The period and up to a quarter more.
fn jittered(period: Duration) -> Duration {
    // A fresh hasher is seeded by chance; this needs no better source.
    let chance = RandomState::new().hash_one(0u8) % 256;
    period + period * u32::try_from(chance).unwrap_or(0) / 1024
}

/// Asks one BMC and records what it says. Answers the machine.
async fn ask(context: Context, machine: MachineId) -> MachineId {
    let seen = match context.app.power_target(machine).await {
        Ok(Some(power)) => match target::of(&power) {
            Ok(target) => match context.bmc.status(&target).await {
                Ok(state) => Ok(target::power_state(state)),
                Err(error) => Err(outcome::words(&error, &target)),
            },
            Err(error) => Err(outcome::bad_address(&power.address, &error)),
        },
        // Deleted, or its power became manual.
        Ok(None) => return machine,
        Err(error) => Err(format!("power.password: it cannot be read ({error})")),
    };
    if let Err(error) = context.app.power_observed(machine, seen).await {
        tracing::warn!(event = "power_poll_unrecorded", %machine, %error);
        // It stays the stalest of all: without a pause this would become a busy loop.
        context.pause(ROUND_PAUSE).await;
    }
    machine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_adds_less_than_a_quarter() {
        let period = Duration::from_secs(60);
        for _ in 0..1000 {
            assert!((period..period + period / 4).contains(&jittered(period)));
        }
    }
}
