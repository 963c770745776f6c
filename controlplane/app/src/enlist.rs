use ironherd_domain::{
    AgentNext, AgentTaskKind, Event, FirmwareKind, LeaseState, Mac, MachineState, PowerProtocol,
    Refusal, hostname,
};
use ironherd_store::{Machine, SnapshotChange, credential, lease, machine, nic, subnet, token};

use crate::agent::{answered, is_current};
use crate::work::{Inner, Work, transact};
use crate::{
    Actor, AgentEnlist, Answer, App, BmcFound, CommandError, Hardware, PowerInput, address,
    machine_edit, power, settings,
};

/// Names that differ by a number at the end; more of one kind than cards share three octets.
const NAMES_MAX: u32 = 1_000;

impl App {
    /// Takes in a machine that nobody knew, or renews what is known of one that is still NEW. Of
    /// a machine past NEW it changes no more than a BMC password, because anybody in the boot
    /// network may enlist. Repeating it gives the same answer.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`] unless an enlisting agent asks. Refusals: `HARDWARE_INVALID`,
    /// `CARDS_OF_TWO_MACHINES`.
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
            let mut it = match known(&mut work, &macs).await? {
                Some(it) => it,
                None => create(&mut work, macs.clone(), &input.hardware).await?,
            };
            if it.state == MachineState::New {
                take_in(&mut work, &mut it, &macs, &input).await?;
                work.store(&mut it).await?;
                work.event(Some(&it), "ENLISTED", summary(&input.hardware));
                address::ensure_or_note(&mut work, &mut it).await?;
                work.touch(SnapshotChange::Machine(it.id));
            } else {
                leave(&mut work, &mut it, &macs, &input).await?;
            }
            let next = AgentNext::PowerOff;
            token::finish(&mut work.tx, session.token, Some(it.id), next).await?;
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
        Some(bmc) if it.power_protocol == PowerProtocol::Manual => take_bmc(work, it, bmc).await,
        // What a person has set is better than what the machine believes.
        Some(bmc) => {
            renew_password(work, it, bmc);
            Ok(())
        }
        None => Ok(()),
    }
}

/// A machine past NEW reported as an unknown one: it stays as it is, but for the BMC's password.
async fn leave(work: &mut Work, it: &mut Machine, macs: &[Mac], input: &AgentEnlist) -> Inner<()> {
    let why =
        format!("The machine is {}: a report of an unknown one does not change it.", it.state);
    work.event(Some(it), "ENLIST_IGNORED", why);
    let Some(bmc) = &input.bmc else { return Ok(()) };
    if !it.macs.iter().all(|own| macs.contains(own)) {
        let why = "Not all of the machine's cards were reported, so the BMC's password was left. \
                   If power control fails, give the password with machineUpdate.";
        work.event(Some(it), "BMC_IGNORED", why.to_owned());
    } else if renew_password(work, it, bmc) {
        work.store(it).await?;
    }
    Ok(())
}

/// Takes the password that the agent has given the BMC's user, which made the stored one void.
fn renew_password(work: &mut Work, it: &mut Machine, bmc: &BmcFound) -> bool {
    let Some(password) = &bmc.password else { return false };
    let same = it.power_protocol == bmc.protocol
        && it.power_address.as_ref() == Some(&bmc.address)
        && it.power_username == bmc.username;
    if !same || it.power_protocol == PowerProtocol::Manual {
        let why = "The agent has set a BMC password, but protocol, address or user are not those \
                   of the machine. If they changed, set them with machineUpdate.";
        work.event(Some(it), "BMC_IGNORED", why.to_owned());
        return false;
    }
    let place = power::place(it.id);
    let sealed = work.app.inner.keyring.seal(&place, password.expose().as_bytes());
    it.power_password = Some(sealed);
    it.power_checked = None;
    it.power_error = None;
    let text = format!("{} at {}", bmc.protocol, bmc.address);
    work.event(Some(it), "BMC_PASSWORD_RENEWED", text);
    true
}

async fn take_bmc(work: &mut Work, it: &mut Machine, bmc: &BmcFound) -> Inner<()> {
    // How far a certificate is trusted is for people to say.
    let (address, trust) = match bmc.address.split_once('#') {
        Some((address, trust)) => (address, Some(trust)),
        None => (bmc.address.as_str(), None),
    };
    let found = PowerInput {
        protocol: bmc.protocol,
        address: Some(address.to_owned()),
        username: bmc.username.clone(),
        password: None,
    };
    if let Err(refusal) = power::check(&found) {
        work.event(Some(it), "BMC_UNUSABLE", refusal.message);
        return Ok(());
    }
    it.power_protocol = bmc.protocol;
    it.power_address = found.address.clone();
    it.power_checked = None;
    it.power_error = None;
    let text = format!("{} at {address}", bmc.protocol);
    work.event(Some(it), "BMC_FOUND", text);
    if let (Some(username), Some(password)) = (&bmc.username, &bmc.password) {
        let keyring = &work.app.inner.keyring;
        it.power_username = Some(username.clone());
        it.power_password = Some(keyring.seal(&power::place(it.id), password.expose().as_bytes()));
        return Ok(());
    }
    it.power_username = found.username.clone();
    it.power_password = None;
    let fit = match trust {
        Some(_) => Err("the agent asked for trust in its certificate"),
        None => is_of_site(work, &found).await?,
    };
    take_default(work, it, fit).await
}

/// Whether the site's own password may be sent to a BMC that only an agent has named: anybody who
/// boots from the network can name any host.
async fn is_of_site(work: &mut Work, found: &PowerInput) -> Inner<Result<(), &'static str>> {
    let Some(address) = power::literal(found) else {
        return Ok(Err("its address is no IPv4 address"));
    };
    let plain = found.address.as_deref().is_some_and(|it| it.starts_with("http://"));
    if plain && !settings::load(&mut work.tx).await?.bmc_defaults_over_http {
        return Ok(Err("it speaks HTTP without TLS, where anybody could read them \
                       (settingsUpdate bmcDefaultsOverHttp allows it for all)"));
    }
    let networks = subnet::networks(&mut work.tx).await?;
    let inside = networks.iter().any(|(_, cidr)| cidr.contains(&address));
    Ok(if inside { Ok(()) } else { Err("its address is in no subnet of the region") })
}

/// Gives the machine the default credentials if its BMC is `fit` for them, and says so either way.
async fn take_default(
    work: &mut Work,
    it: &mut Machine,
    fit: Result<(), &'static str>,
) -> Inner<()> {
    let default = credential::by_protocol(&mut work.tx, it.power_protocol).await?;
    let why = match (default, fit) {
        (Some(default), Ok(())) => {
            let keyring = &work.app.inner.keyring;
            let plain = keyring.unseal(&settings::place(default.protocol), &default.password)?;
            it.power_password = Some(keyring.seal(&power::place(it.id), &plain));
            it.power_username = Some(default.username);
            let text = format!("The BMC gets the region's {} credentials.", it.power_protocol);
            work.event(Some(it), "BMC_CREDENTIALS_DEFAULT", text);
            return Ok(());
        }
        (Some(_), Err(why)) => format!("The BMC does not get the default credentials: {why}"),
        (None, _) => "The agent has no BMC password, and the region has no default".to_owned(),
    };
    let text = format!("{why}. Check the address and give machineUpdate power.password.");
    work.event(Some(it), "BMC_CREDENTIALS_MISSING", text);
    Ok(())
}

/// The machine that the reported cards belong to. A UUID alone is no proof: whole series of boards
/// share one.
async fn known(work: &mut Work, macs: &[Mac]) -> Inner<Option<Machine>> {
    let mut owners = Vec::new();
    for mac in macs {
        if let Some(it) = machine::by_mac(&mut work.tx, *mac).await? {
            owners.push((*mac, it));
        }
    }
    let Some((mac, first)) = owners.first() else { return Ok(None) };
    if let Some((other_mac, other)) = owners.iter().find(|(_, it)| it.id != first.id) {
        let why = format!(
            "The card {mac} belongs to `{}`, {other_mac} to `{}`. If a card has moved, delete the \
             machine that has lost it.",
            first.hostname, other.hostname
        );
        let field = ["input", "hardware", "nics"];
        return Err(Refusal::new("CARDS_OF_TWO_MACHINES", &field, why).into());
    }
    Ok(machine::by_id_locked(&mut work.tx, first.id).await?)
}

async fn create(work: &mut Work, macs: Vec<Mac>, hardware: &Hardware) -> Inner<Machine> {
    let base = macs.first().map(|it| hostname::from_mac(*it)).unwrap_or_default();
    let mut name = base.clone();
    for number in 2..NAMES_MAX {
        if machine::by_hostname(&mut work.tx, &name).await?.is_none() {
            break;
        }
        name = format!("{base}-{number}");
    }
    let twin = match smbios_uuid(hardware) {
        Some(uuid) => machine::by_smbios_uuid(&mut work.tx, &uuid).await?,
        None => None,
    };
    let mut it = machine_edit::blank(work, name, macs);
    machine_edit::add(work, &mut it).await?;
    if let Some(twin) = twin {
        let text = format!(
            "`{}` has the same SMBIOS UUID, but none of its cards was reported. If it is the same \
             machine with other cards, delete one of the two.",
            twin.hostname
        );
        work.event(Some(&it), "DUPLICATE_UUID", text);
    }
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
