use ironherd_domain::{
    Event, Mac, MachineId, MachineState, OperationKind, OperationState, PowerProtocol, PowerState,
    Refusal, dhcp, hostname,
};
use ironherd_store::{Machine, SnapshotChange, machine, operation, reservation};

use crate::work::{Inner, Work, transact};
use crate::{Actor, Answer, App, MachineCreate, MachineUpdate, PowerInput, address, power};

const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
const KERNEL_ARGS_CHARS_MAX: usize = 1_024;
const CARDS_MAX: usize = 64;

impl App {
    /// Takes a machine in by hand.
    ///
    /// # Errors
    /// Refusals: `MAC_MISSING`, `MAC_INVALID`, `MAC_TAKEN`, `HOSTNAME_INVALID`, `HOSTNAME_TAKEN`,
    /// `ARCHITECTURE_UNKNOWN`, `POWER_INVALID`; with `commission` those of
    /// [`App::machine_commission`].
    pub async fn machine_create(&self, actor: &Actor, input: MachineCreate) -> Answer<Machine> {
        actor.must_be_user()?;
        let macs = read_macs(&input.mac_addresses)?;
        if let Some(text) = &input.architecture {
            check_architecture(text)?;
        }
        let name = match &input.hostname {
            Some(text) => text.clone(),
            None => macs.first().map(|it| hostname::from_mac(*it)).unwrap_or_default(),
        };
        hostname::check(&name, &["input", "hostname"])?;
        transact!(self, actor, |work| {
            let mut it = blank(&work, name.clone(), macs.clone());
            it.architecture.clone_from(&input.architecture);
            check_free(&mut work, None, &it.hostname, &it.macs).await?;
            if let Some(input) = &input.power {
                set_power(self, &mut it, input)?;
            }
            add(&mut work, &mut it).await?;
            let cards: Vec<String> = it.macs.iter().map(ToString::to_string).collect();
            work.event(Some(&it), "CREATED", format!("with {}", cards.join(", ")));
            address::ensure_or_note(&mut work, &mut it).await?;
            if input.commission {
                let kind = OperationKind::Commission;
                crate::machine_act::start(&mut work, &mut it, Event::Commission, kind, None)
                    .await?;
            }
            Ok(it)
        })
    }

    /// Changes name, power, kernel arguments or boot file.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `HOSTNAME_INVALID`, `HOSTNAME_TAKEN`, `POWER_INVALID`,
    /// `KERNEL_ARGS_INVALID`, `BOOT_FILE_INVALID`.
    pub async fn machine_update(
        &self,
        actor: &Actor,
        id: MachineId,
        input: MachineUpdate,
    ) -> Answer<Machine> {
        actor.must_be_user()?;
        if let Some(name) = &input.hostname {
            hostname::check(name, &["input", "hostname"])?;
        }
        if let Some(args) = &input.kernel_args {
            check_kernel_args(args, &["input", "kernelArgs"])?;
        }
        if let Some(Some(file)) = &input.boot_file {
            dhcp::check_boot_file(file, &["input", "bootFile"])?;
        }
        transact!(self, actor, |work| {
            let mut it = work.machine(id).await?;
            let mut changed = Vec::new();
            if let Some(name) = input.hostname.clone().filter(|name| *name != it.hostname) {
                check_free(&mut work, Some(id), &name, &[]).await?;
                for mac in &it.macs {
                    reservation::rename(&mut work.tx, *mac, &name).await?;
                    work.touch_reservations_of(*mac).await?;
                }
                it.hostname = name;
                changed.push("hostname");
            }
            if let Some(input) = &input.power {
                set_power(self, &mut it, input)?;
                changed.push("power");
            }
            if let Some(args) = &input.kernel_args {
                args.trim().clone_into(&mut it.kernel_args);
                changed.push("kernel arguments");
            }
            if let Some(file) = &input.boot_file {
                it.boot_file.clone_from(file);
                changed.push("boot file");
            }
            if !changed.is_empty() {
                work.store(&mut it).await?;
                work.event(Some(&it), "UPDATED", changed.join(", "));
                work.touch(SnapshotChange::Machine(id));
            }
            Ok(it)
        })
    }

    /// Forgets a machine and frees its addresses. Nothing is done to the machine itself.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`; `MACHINE_IN_USE` unless forced.
    pub async fn machine_delete(
        &self,
        actor: &Actor,
        id: MachineId,
        force: bool,
    ) -> Answer<MachineId> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let it = work.machine(id).await?;
            if !force && !ironherd_domain::Action::Delete.legal(it.state) {
                let why = format!(
                    "The machine is {}. Release or abort it first, or force the deletion.",
                    it.state
                );
                return Err(Refusal::new("MACHINE_IN_USE", &["id"], why).into());
            }
            for mac in &it.macs {
                work.touch_reservations_of(*mac).await?;
                reservation::delete_of_mac(&mut work.tx, *mac).await?;
            }
            for running in operation::running(&mut work.tx, &[id]).await? {
                let (ended, why) = (OperationState::Cancelled, Some("The machine was deleted."));
                operation::finish(&mut work.tx, running.id, ended, why, work.now).await?;
            }
            machine::delete(&mut work.tx, &it).await?;
            work.event(Some(&it), "DELETED", "the region forgot it".to_owned());
            work.touch(SnapshotChange::Machine(id));
            Ok(id)
        })
    }
}

/// A machine that was never stored.
pub(crate) fn blank(work: &Work, hostname: String, macs: Vec<Mac>) -> Machine {
    let mut it = Machine {
        id: MachineId::new(),
        generation: 1,
        hostname,
        state: MachineState::New,
        state_since: work.now,
        deadline: None,
        failure: None,
        owner: None,
        architecture: None,
        firmware: None,
        smbios_uuid: None,
        power_protocol: PowerProtocol::Manual,
        power_address: None,
        power_username: None,
        power_password: None,
        power_state: PowerState::Unknown,
        power_checked: None,
        power_error: None,
        boot_stage: None,
        boot_stage_since: None,
        agent_seen: None,
        attempt: 0,
        boot_key: Vec::new(),
        kernel_args: String::new(),
        boot_file: None,
        hardware: None,
        commissioned: false,
        image_written: false,
        disk_dirty: false,
        erase_pending: None,
        image_id: None,
        ssh_keys: None,
        user_data: None,
        created: work.now,
        macs,
        address: None,
    };
    it.boot_key = work.app.inner.keyring.fresh_boot_key(&crate::step::boot_place(&it));
    it
}

/// Stores a new machine.
pub(crate) async fn add(work: &mut Work, it: &mut Machine) -> Inner<()> {
    it.generation = machine::insert(&mut work.tx, it).await?;
    let addresses = reservation::addresses(&mut work.tx, &it.macs).await?;
    it.address = it.macs.iter().find_map(|mac| addresses.get(mac).copied());
    work.touch(SnapshotChange::Machine(it.id));
    Ok(())
}

/// Refuses a name or a card that another machine has, naming it.
async fn check_free(
    work: &mut Work,
    except: Option<MachineId>,
    name: &str,
    macs: &[Mac],
) -> Inner<()> {
    let other = machine::by_hostname(&mut work.tx, name).await?;
    if other.is_some_and(|it| Some(it.id) != except) {
        let why = format!("Another machine is named `{name}`. Choose another name.");
        return Err(Refusal::new("HOSTNAME_TAKEN", &["input", "hostname"], why).into());
    }
    for mac in macs {
        if let Some(other) = machine::by_mac(&mut work.tx, *mac).await? {
            let why = format!("The card {mac} belongs to the machine `{}`.", other.hostname);
            return Err(Refusal::new("MAC_TAKEN", &["input", "macAddresses"], why).into());
        }
    }
    Ok(())
}

fn set_power(app: &App, it: &mut Machine, input: &PowerInput) -> Result<(), Refusal> {
    power::check(input)?;
    it.power_protocol = input.protocol;
    it.power_address.clone_from(&input.address);
    it.power_username.clone_from(&input.username);
    if input.protocol == PowerProtocol::Manual {
        it.power_password = None;
    } else if let Some(password) = &input.password {
        let place = power::place(it.id);
        it.power_password = Some(app.inner.keyring.seal(&place, password.expose().as_bytes()));
    }
    it.power_state = PowerState::Unknown;
    it.power_checked = None;
    it.power_error = None;
    Ok(())
}

fn read_macs(texts: &[String]) -> Result<Vec<Mac>, Refusal> {
    let field = ["input", "macAddresses"];
    if texts.is_empty() || CARDS_MAX < texts.len() {
        let why = "Give the MAC address of the card that the machine boots from, then the others.";
        return Err(Refusal::new("MAC_MISSING", &field, why));
    }
    let mut macs = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let place = at.to_string();
        let path = ["input", "macAddresses", &place];
        let mac = text.parse::<Mac>();
        let mac = mac.map_err(|it| Refusal::new("MAC_INVALID", &path, it.to_string()))?;
        if !macs.contains(&mac) {
            macs.push(mac);
        }
    }
    Ok(macs)
}

fn check_architecture(text: &str) -> Result<(), Refusal> {
    if ARCHITECTURES.contains(&text) {
        return Ok(());
    }
    let shown: String = text.chars().take(32).collect();
    let why = format!("`{shown}` is not served; write one of {}.", ARCHITECTURES.join(", "));
    Err(Refusal::new("ARCHITECTURE_UNKNOWN", &["input", "architecture"], why))
}

/// Kernel arguments land in a boot script: a line break would begin a command of its own.
pub(crate) fn check_kernel_args(text: &str, field: &[&str]) -> Result<(), Refusal> {
    let fits = text.len() <= KERNEL_ARGS_CHARS_MAX
        && text.chars().all(|it| it.is_ascii_graphic() || it == ' ')
        && !text.contains("${");
    if fits {
        return Ok(());
    }
    let why = "Kernel arguments are one line of at most 1024 printable ASCII characters without \
               `${`.";
    Err(Refusal::new("KERNEL_ARGS_INVALID", field, why))
}
