//! The sub-commands of `ironherd lab`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use ironherd_bmc_sim::{BmcKind, DiskBus, Firmware, Machine};
use ironherd_bmc_sim::{chassis_control, descriptors, lan_config, redfish};
use tokio::task::spawn_blocking;

use super::spec::{LabSpec, MachineKind, Network, parse_size};
use super::{Lab, Switch, console, down, prepare_region, state, status};
use crate::client::Client;
use crate::output::Output;

const DEFAULT_NAME: &str = "lab";

#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Makes the network, the machines (switched off) and their BMCs.
    Up(UpArgs),
    /// Presses a machine's power button.
    Power {
        machine: String,
        #[arg(value_enum)]
        switch: Switch,
        #[command(flatten)]
        lab: NameArg,
    },
    /// Shows the machines and what they do.
    Status(NameArg),
    /// Opens a machine's serial console; Ctrl-] leaves it.
    Console {
        machine: String,
        /// Print what the console showed so far, and end.
        #[arg(long)]
        log: bool,
        #[command(flatten)]
        lab: NameArg,
    },
    /// Tells the region about the lab: its subnet, its BMCs. May be repeated.
    Prepare(NameArg),
    /// Removes the lab with all it runs, also after a crash.
    Down(NameArg),
    #[command(hide = true)]
    ChassisControl(HelperArgs),
    #[command(hide = true)]
    LanConfig(HelperArgs),
    #[command(hide = true)]
    RedfishBmc {
        #[arg(long)]
        machine_dir: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    /// Name of the lab; its network namespace is ironherd-NAME.
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    /// One machine: FIRMWARE:BMC or FIRMWARE:BMC:DISK, as in uefi:redfish, bios:ipmi:nvme.
    #[arg(long = "machine", conflicts_with_all = ["machines", "firmware", "bmc"])]
    each: Vec<MachineKind>,
    /// How many machines.
    #[arg(long, default_value_t = 2)]
    machines: usize,
    /// bios, uefi, uefi-http or arm64. Repeated, the machines take turns.
    #[arg(long, default_value = "uefi")]
    firmware: Vec<Firmware>,
    /// ipmi or redfish. Repeated, the machines take turns.
    #[arg(long, default_value = "ipmi")]
    bmc: Vec<BmcKind>,
    /// Size of each disk. It takes only the room that is written to.
    #[arg(long, default_value = "8G", value_parser = parse_size)]
    disk: u64,
    /// Memory of each machine, in MiB.
    #[arg(long, default_value_t = 1024)]
    memory: u32,
    /// The lab's network, a /24 or larger.
    #[arg(long, default_value_t)]
    cidr: Network,
}

#[derive(Args, Debug)]
pub(crate) struct NameArg {
    /// Which lab, if there are several.
    #[arg(long)]
    name: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct HelperArgs {
    #[arg(long)]
    machine_dir: PathBuf,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs one sub-command; `data_dir` is where labs are kept unless they were made elsewhere, and
/// `client` reaches the region for the one command that talks to it.
///
/// # Errors
/// A sentence for the person who typed it.
pub(crate) async fn run(
    command: LabCommand,
    client: impl FnOnce() -> anyhow::Result<Client>,
    data_dir: &Path,
    output: Output,
) -> anyhow::Result<()> {
    let base = data_dir.join("lab");
    let open = |name: &NameArg| Lab::open(&base, &name.choose(&base)?);
    match command {
        LabCommand::Up(args) => {
            let lab = Lab::up(&args.spec(base)).await?;
            show(output, &lab);
        }
        LabCommand::Power { machine, switch, lab } => open(&lab)?.power(&machine, switch).await?,
        LabCommand::Status(name) => show(output, &open(&name)?),
        LabCommand::Console { machine, log, lab } => {
            let lab = open(&lab)?;
            let machine = lab.machine(&machine)?.clone();
            let work = move || match log {
                true => console::print_log(&machine),
                false => console::attach(&machine),
            };
            spawn_blocking(work).await??;
        }
        LabCommand::Prepare(name) => prepare_region(&client()?, &open(&name)?).await?,
        LabCommand::Down(name) => down(&base, &name.choose(&base)?).await?,
        LabCommand::ChassisControl(args) => args.chassis_control()?,
        LabCommand::LanConfig(args) => args.lan_config()?,
        LabCommand::RedfishBmc { machine_dir } => {
            redfish::serve(Machine::open(&machine_dir)?).await.context("the BMC ended")?;
        }
    }
    Ok(())
}

fn show(output: Output, lab: &Lab) {
    status::print(output, &lab.state.name, lab.netns(), &lab.machines());
}

impl UpArgs {
    fn spec(self, base: PathBuf) -> LabSpec {
        let machines = if self.each.is_empty() {
            let firmware = self.firmware.iter().cycle();
            let kinds = firmware.zip(self.bmc.iter().cycle()).take(self.machines);
            let kind = |(firmware, bmc): (&Firmware, &BmcKind)| MachineKind {
                firmware: *firmware,
                bmc: *bmc,
                disk: DiskBus::Virtio,
            };
            kinds.map(kind).collect()
        } else {
            self.each
        };
        let mut spec = LabSpec::new(&self.name, base, machines);
        spec.network = self.cidr;
        spec.disk_bytes = self.disk;
        spec.memory_mib = self.memory;
        spec
    }
}

impl NameArg {
    /// The lab that was named, or the only one under `base`, or the only one on this host.
    fn choose(&self, base: &Path) -> anyhow::Result<String> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        for names in [state::names_under(base), state::names()] {
            match names.as_slice() {
                [] => {}
                [only] => return Ok(only.clone()),
                names => bail!("several labs are up; say --name {}", names.join(" or ")),
            }
        }
        Ok(DEFAULT_NAME.to_owned())
    }
}

/// What these print goes to `ipmi_sim`.
#[allow(clippy::print_stdout, reason = "this is the program's answer")]
impl HelperArgs {
    fn chassis_control(&self) -> anyhow::Result<()> {
        descriptors::close_inherited();
        let answer = chassis_control::run(&Machine::open(&self.machine_dir)?, &self.words)?;
        print!("{answer}");
        Ok(())
    }

    fn lan_config(&self) -> anyhow::Result<()> {
        let machine = Machine::open(&self.machine_dir)?;
        print!("{}", lan_config::run(&machine.config().bmc, &self.words)?);
        Ok(())
    }
}
