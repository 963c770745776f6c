use std::time::Duration;

use ironherd_domain::{
    BootIntent, BootStage, LeaseBlock, LeaseId, Mac, MachineState, RackId, Refusal, UnixMicros,
    machine::boot_intent,
};
use ironherd_store::{EffectKind, Lease, Machine, Rack, lease, lease_history, machine, rack};

use crate::work::{Inner, Work, transact};
use crate::{
    Actor, Answer, App, RackBootEvent, RackRegister, RackReport, RackReported, rack_alarm,
};

/// More than a rack gathers between two reports, even in the minute when everything powers on.
const ITEMS_MAX: usize = 20_000;
/// The kernel and the agent ask for an address again within this time after the boot script.
const SECOND_DHCP_MAX: Duration = Duration::from_mins(3);
/// An older sighting says nothing about what the machine does now.
const SWITCH_OFF_WITHIN: Duration = Duration::from_mins(1);

impl App {
    /// Makes a rack known, or renews what is known of it. Idempotent by name.
    ///
    /// # Errors
    /// Refusals: `NAME_INVALID`.
    pub async fn rack_register(&self, actor: &Actor, input: RackRegister) -> Answer<Rack> {
        actor.must_be_rack()?;
        let RackRegister { name, version, addresses } = input;
        if name.trim().is_empty() || 128 < name.len() {
            let why = "A rack's name has 1 to 128 bytes; its hostname does well.";
            return Err(Refusal::new("NAME_INVALID", &["input", "name"], why).into());
        }
        let token = match actor {
            Actor::Rack { token, .. } => Some(*token),
            _ => None,
        };
        transact!(self, actor, |work| {
            let known = rack::by_name(&mut work.tx, &name).await?;
            let at = work.now;
            let it = rack::upsert(&mut work.tx, &name, &version, &addresses, token, at).await?;
            if known.is_none_or(|old| old.version != it.version || old.addresses != it.addresses) {
                let text = format!("{name} ({version}) at {}", addresses.join(", "));
                work.event(None, "RACK_REGISTERED", text);
            }
            Ok(it)
        })
    }

    /// Takes in leases and boot events. A report that was taken in before changes nothing.
    /// Returns what the rack may forget, and whether it shall tell all of its leases.
    ///
    /// # Errors
    /// Refusals: `RACK_UNKNOWN`, `REPORT_TOO_LARGE`.
    pub async fn rack_report(&self, actor: &Actor, input: RackReport) -> Answer<RackReported> {
        actor.must_be_rack()?;
        if ITEMS_MAX < input.leases.len().max(input.boot_events.len()) {
            let why = format!("A report holds at most {ITEMS_MAX} leases and as many events.");
            return Err(Refusal::new("REPORT_TOO_LARGE", &["input"], why).into());
        }
        transact!(self, actor, |work| {
            let Some(from) = reporting(&mut work, actor, input.rack.as_deref()).await? else {
                let why = "Register the rack first: rackRegister.";
                return Err(Refusal::new("RACK_UNKNOWN", &["input"], why).into());
            };
            rack::seen(&mut work.tx, from.id, work.now, input.snapshot_generation).await?;
            let (epoch, sequence) = (input.epoch, input.sequence);
            let last = rack::reported(&mut work.tx, from.id, epoch).await?;
            let gap = last.sequence + 1 < sequence;
            if rack::report(&mut work.tx, from.id, epoch, sequence, gap, work.now).await? {
                take_leases(&mut work, from.id, &input).await?;
                take_boot_events(&mut work, &input.boot_events).await?;
                if let Some(alarms) = &input.alarms {
                    rack_alarm::take(&mut work, &from, alarms).await?;
                }
            }
            // Asked again, for its answer was lost: the same answer.
            Ok(RackReported { sequence, resync: gap || last.gap_at == Some(sequence) })
        })
    }
}

/// The rack that reports: racks may share a token, but not a name.
async fn reporting(work: &mut Work, actor: &Actor, name: Option<&str>) -> Inner<Option<Rack>> {
    let Actor::Rack { token, .. } = actor else {
        return Ok(rack::page(&mut work.tx, None, 1).await?.pop());
    };
    let Some(name) = name else { return Ok(rack::by_token(&mut work.tx, *token).await?) };
    let Some(named) = rack::by_name(&mut work.tx, name).await? else { return Ok(None) };
    let of_token = rack::ids_of_token(&mut work.tx, *token).await?;
    Ok(Some(named).filter(|it| of_token.contains(&it.id)))
}

/// A lease that cannot be read is logged and skipped: refusing the report would block all later
/// ones.
///
/// Once a rack has told all that it holds, what was not named is over.
async fn take_leases(work: &mut Work, from: RackId, report: &RackReport) -> Inner<()> {
    for it in &report.leases {
        let address = it.address.parse::<LeaseBlock>();
        let mac = it.mac_address.as_deref().map(str::parse::<Mac>).transpose();
        let (Ok(address), Ok(mac)) = (address, mac) else {
            tracing::warn!(event = "lease_unreadable", lease = ?it, "a rack sent nonsense");
            continue;
        };
        let row = Lease {
            id: LeaseId::new(),
            address,
            mac,
            client: it.client.clone(),
            hostname: it.hostname.clone(),
            state: it.state,
            started: UnixMicros(it.started_unix_seconds.saturating_mul(1_000_000)),
            expires: UnixMicros(it.expires_unix_seconds.saturating_mul(1_000_000)),
            rack_id: from,
            epoch: report.epoch,
            sequence: report.sequence,
        };
        lease::upsert(&mut work.tx, &row).await?;
    }
    if let Some(since) = report.resynced_since {
        let (tx, epoch) = (&mut work.tx, report.epoch);
        let ended = lease_history::end_unnamed(tx, from, epoch, since, work.now).await?;
        tracing::debug!(event = "leases_resynced", rack = %from, ended);
    }
    Ok(())
}

async fn take_boot_events(work: &mut Work, events: &[RackBootEvent]) -> Inner<()> {
    // In the order of machines, so that two racks that report at once lock rows in one order.
    let mut known: Vec<(Machine, &RackBootEvent)> = Vec::new();
    for it in events {
        let Ok(mac) = it.mac_address.parse::<Mac>() else { continue };
        if let Some(machine) = machine::by_mac(&mut work.tx, mac).await? {
            known.push((machine, it));
        }
    }
    known.sort_by_key(|(machine, it)| (machine.id, it.at_unix_ms));
    for (found, it) in known {
        let Some(mut machine) = machine::by_id_locked(&mut work.tx, found.id).await? else {
            continue;
        };
        let at = UnixMicros(it.at_unix_ms.saturating_mul(1_000));
        if !is_news(&machine, it.stage, at) {
            continue;
        }
        machine.boot_stage = Some(it.stage);
        machine::boot_seen(&mut work.tx, machine.id, it.stage, at).await?;
        work.event(Some(&machine), "BOOT", format!("{}: {}", it.stage, it.detail));
        if it.stage == BootStage::Dhcp && machine.state.in_progress() {
            work.operation_step(machine.id, "boot").await?;
        }
        // Not every iPXE can switch a machine off: one that shall be off is helped by its BMC.
        let intent = boot_intent(machine.state, machine.image_written);
        let idle = it.stage == BootStage::Script && intent == BootIntent::PowerOff;
        if idle && work.now.since(at) < SWITCH_OFF_WITHIN {
            work.queue(&machine, EffectKind::PowerOff, None, None).await?;
        }
    }
    Ok(())
}

/// Whether a sighting is a new stage of the boot: one event a stage, not one a packet.
fn is_news(machine: &Machine, stage: BootStage, at: UnixMicros) -> bool {
    let Some(last) = machine.boot_stage else { return true };
    if last == stage {
        return false;
    }
    if machine.boot_stage_since.is_some_and(|it| at < it) {
        return false; // A report that came late.
    }
    if stage != BootStage::Dhcp {
        // The agent fetches its image by HTTP: that is no step back to the loader.
        return (last, stage) != (BootStage::Agent, BootStage::Http);
    }
    // Asking for an address is the first stage of a boot, but a running system asks too.
    let since = machine.boot_stage_since.map_or(Duration::MAX, |it| at.since(it));
    let agent_alive = machine.agent_seen.is_some_and(|it| at.since(it) < SECOND_DHCP_MAX);
    let starting = last == BootStage::Script && since < SECOND_DHCP_MAX;
    machine.state != MachineState::Deployed && !agent_alive && !starting
}
