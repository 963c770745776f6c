use ironherd_domain::{
    AgentNext, AgentTaskKind, Event, FirmwareKind, LeaseState, Mac, PowerProtocol, Refusal,
    hostname,
};
use ironherd_store::{Machine, credential, lease, machine, nic, token};

use crate::agent::{answered, is_current};
use crate::work::{Inner, Work, transact};
use crate::{
    Actor, AgentEnlist, Answer, App, BmcFound, CommandError, Hardware, PowerInput, address,
    machine_edit, power, settings,
};

/// Names that differ by a number at the end; more of one kind than cards share three octets.
const NAMES_MAX: u32 = 1_000;

impl App {
    /// Takes in a machine that nobody knew, or renews what is known of one that only its cards or
    /// its SMBIOS UUID tell. Repeating it gives the same answer.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`] unless an enlisting agent asks. Refusals: `HARDWARE_INVALID`.
    pub async fn agent_enlist(&self, actor: &Actor, input: AgentEnlist) -> Answer<AgentNext> {
        let session = actor.must_be_agent()?;
        if session.task != AgentTaskKind::Enlist {
            return Err(CommandError::Forbidden);
        }
        let cards = cards(&input.hardware)?;
        transact!(self, actor, |work| {
            if let Some(next) = answered(&mut work, session).await? {
                return Ok(next);
            }
            let macs = boot_card_first(&mut work, cards.clone()).await?;
            let mut it = match find(&mut work, &macs, &input.hardware).await? {
                Some(it) => it,
                None => create(&mut work, macs.clone()).await?,
            };
            take_in(&mut work, &mut it, &macs, &input).await?;
            work.store(&mut it).await?;
            work.event(Some(&it), "ENLISTED", summary(&input.hardware));
            address::ensure_or_note(&mut work, &mut it).await?;
            let next = AgentNext::PowerOff;
            token::finish(&mut work.tx, session.token, Some(it.id), next).await?;
            work.touch_snapshot();
            Ok(next)
        })
    }

    /// Stores what commissioning found: the machine is READY.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`] unless a commissioning agent asks. Refusals:
    /// `HARDWARE_INVALID`.
    pub async fn agent_commissioned(&self, actor: &Actor, input: AgentEnlist) -> Answer<AgentNext> {
        let session = actor.must_be_agent()?;
        let (AgentTaskKind::Commission, Some(id)) = (session.task, session.machine) else {
            return Err(CommandError::Forbidden);
        };
        let macs = cards(&input.hardware)?;
        transact!(self, actor, |work| {
            if let Some(next) = answered(&mut work, session).await? {
                return Ok(next);
            }
            let mut it = work.machine(id).await?;
            if !is_current(session, &it) {
                return Ok(AgentNext::Stop);
            }
            take_in(&mut work, &mut it, &macs, &input).await?;
            it.commissioned = true;
            it.agent_seen = Some(work.now);
            work.step(&mut it, Event::Finished, &summary(&input.hardware)).await?;
            let next = AgentNext::PowerOff;
            token::finish(&mut work.tx, session.token, Some(id), next).await?;
            Ok(next)
        })
    }
}

/// Stores hardware, cards and BMC on a machine; the caller stores the row.
async fn take_in(
    work: &mut Work,
    it: &mut Machine,
    macs: &[Mac],
    input: &AgentEnlist,
) -> Inner<()> {
    let hardware = &input.hardware;
    it.hardware = serde_json::to_string(hardware).ok();
    it.smbios_uuid = smbios_uuid(hardware).or_else(|| it.smbios_uuid.take());
    it.firmware =
        hardware.firmware.kind.as_deref().and_then(|text| text.parse().ok()).or(it.firmware);
    if it.architecture.is_none() && it.firmware.is_some_and(|kind| kind == FirmwareKind::Bios) {
        it.architecture = Some("amd64".into()); // No other architecture has a BIOS.
    }
    let mut position = i64::try_from(it.macs.len()).unwrap_or(i64::MAX);
    for mac in macs {
        if machine::by_mac(&mut work.tx, *mac).await?.is_none() {
            nic::insert(&mut work.tx, it.id, *mac, position).await?;
            it.macs.push(*mac);
            position += 1;
        }
    }
    match &input.bmc {
        // What a person has set is better than what the machine believes.
        Some(bmc) if it.power_protocol == PowerProtocol::Manual => take_bmc(work, it, bmc).await,
        _ => Ok(()),
    }
}

async fn take_bmc(work: &mut Work, it: &mut Machine, bmc: &BmcFound) -> Inner<()> {
    let found = PowerInput {
        protocol: bmc.protocol,
        address: Some(bmc.address.clone()),
        username: bmc.username.clone(),
        password: None,
    };
    if let Err(refusal) = power::check(&found) {
        work.event(Some(it), "BMC_UNUSABLE", refusal.message);
        return Ok(());
    }
    let keyring = &work.app.inner.keyring;
    let place = power::place(it.id);
    let (username, password) = match (&bmc.username, &bmc.password) {
        (Some(username), Some(password)) => {
            (Some(username.clone()), Some(keyring.seal(&place, password.expose().as_bytes())))
        }
        _ => match credential::by_protocol(&mut work.tx, bmc.protocol).await? {
            Some(default) => {
                let from = settings::place(default.protocol);
                let plain = keyring.unseal(&from, &default.password)?;
                (Some(default.username), Some(keyring.seal(&place, &plain)))
            }
            None => (bmc.username.clone(), None),
        },
    };
    it.power_protocol = bmc.protocol;
    it.power_address = Some(bmc.address.clone());
    it.power_username = username;
    it.power_password = password;
    it.power_checked = None;
    it.power_error = None;
    let text = format!("{} at {}", bmc.protocol, bmc.address);
    work.event(Some(it), "BMC_FOUND", text);
    Ok(())
}

async fn find(work: &mut Work, macs: &[Mac], hardware: &Hardware) -> Inner<Option<Machine>> {
    let mut id = None;
    for mac in macs {
        if let Some(it) = machine::by_mac(&mut work.tx, *mac).await? {
            id = Some(it.id);
            break;
        }
    }
    if let (None, Some(uuid)) = (id, smbios_uuid(hardware)) {
        id = machine::by_smbios_uuid(&mut work.tx, &uuid).await?.map(|it| it.id);
    }
    match id {
        Some(id) => Ok(machine::by_id_locked(&mut work.tx, id).await?),
        None => Ok(None),
    }
}

async fn create(work: &mut Work, macs: Vec<Mac>) -> Inner<Machine> {
    let base = macs.first().map(|it| hostname::from_mac(*it)).unwrap_or_default();
    let mut name = base.clone();
    for number in 2..NAMES_MAX {
        if machine::by_hostname(&mut work.tx, &name).await?.is_none() {
            break;
        }
        name = format!("{base}-{number}");
    }
    let mut it = machine_edit::blank(work, name, macs);
    machine_edit::add(work, &mut it).await?;
    Ok(it)
}

/// The card that the machine booted from leads: the one with the latest lease; else one with a
/// link; else the first.
async fn boot_card_first(work: &mut Work, mut macs: Vec<Mac>) -> Inner<Vec<Mac>> {
    let mut best: Option<(ironherd_domain::UnixMicros, usize)> = None;
    for (at, mac) in macs.iter().enumerate() {
        let leases = lease::of_mac(&mut work.tx, *mac).await?;
        let active = leases.iter().find(|it| it.state == LeaseState::Active);
        if let Some(lease) = active.filter(|it| best.is_none_or(|(last, _)| last < it.started)) {
            best = Some((lease.started, at));
        }
    }
    if let Some((_, at)) = best {
        macs[..=at].rotate_right(1);
    }
    Ok(macs)
}

/// Cards that may boot, those with a link first.
fn cards(hardware: &Hardware) -> Result<Vec<Mac>, Refusal> {
    let mut cards: Vec<(bool, Mac)> = Vec::new();
    for nic in &hardware.nics {
        let Ok(mac) = nic.mac_address.parse::<Mac>() else { continue };
        if !cards.iter().any(|(_, it)| *it == mac) {
            cards.push((nic.link_up != Some(true), mac));
        }
    }
    cards.sort_by_key(|(down, _)| *down); // Stable: the agent's order counts beside the link.
    if cards.is_empty() {
        let why = "No network card with a MAC address was reported: the machine has no name.";
        return Err(Refusal::new("HARDWARE_INVALID", &["input", "hardware", "nics"], why));
    }
    Ok(cards.into_iter().map(|(_, mac)| mac).collect())
}

/// The SMBIOS UUID, unless it is one of those that vendors leave in every machine.
fn smbios_uuid(hardware: &Hardware) -> Option<String> {
    let text = hardware.system.uuid.as_deref()?;
    let uuid = uuid::Uuid::try_parse(text.trim()).ok()?;
    let bytes = uuid.as_bytes();
    let same = bytes.iter().all(|it| it == &bytes[0]);
    let shared = uuid.as_u128() == 0x0302_0100_0504_0706_0809_0a0b_0c0d_0e0f_u128
        || uuid.as_u128() == 0x0302_0100_0400_0500_0006_0007_0008_0009_u128;
    (!same && !shared).then(|| uuid.to_string())
}

fn summary(hardware: &Hardware) -> String {
    let gib = hardware.memory_bytes.unwrap_or_default() / (1 << 30);
    let threads = hardware.cpu_threads.unwrap_or_default();
    let (disks, nics) = (hardware.disks.len(), hardware.nics.len());
    format!("{threads} threads, {gib} GiB, disks: {disks}, cards: {nics}")
}
