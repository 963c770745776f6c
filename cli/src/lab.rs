//! `ironherd lab`: a private network of QEMU machines with real firmware and simulated BMCs.
//!
//! A lab is one network namespace and one folder. Its machines are switched by their BMCs, over
//! the network, or by [`Lab::power`], which is the button on the front. Nothing of the host's own
//! network is touched, and [`down`] removes all of it, also after a crash.

mod bmc;
mod command;
mod console;
mod network;
mod requirements;
mod seed;
mod spec;
mod state;
mod status;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use ironherd_bmc_sim::{LAB_MARKER, Machine, namespace, process};
use tokio::task::spawn_blocking;

pub(crate) use command::{LabCommand, run};
pub(crate) use seed::prepare_region;
pub(crate) use spec::{LabSpec, MachineKind, Network};
pub(crate) use status::LabMachine;

use state::LabState;

/// A lab that is up. Dropping the handle changes nothing: the lab stays until [`Lab::down`].
#[derive(Debug)]
pub(crate) struct Lab {
    dir: PathBuf,
    state: LabState,
    machines: Vec<Machine>,
}

/// What the button on the front of a machine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
    Cycle,
}

impl Lab {
    /// Makes the network, the machines (switched off) and their BMCs, and waits for the BMCs.
    ///
    /// # Errors
    /// When the host lacks something (named with the command that installs it), when a lab of
    /// that name is up already, or when a BMC does not come up. Nothing is left behind then.
    pub(crate) async fn up(spec: &LabSpec) -> anyhow::Result<Self> {
        let spec = spec.clone();
        spawn_blocking(move || Self::up_blocking(&spec)).await?
    }

    fn up_blocking(spec: &LabSpec) -> anyhow::Result<Self> {
        requirements::check(&spec.machines)?;
        let dir = spec.base.join(&spec.name);
        if namespace::path(&spec.namespace()).exists() || dir.exists() {
            bail!("lab {0} is there already; `ironherd lab down --name {0}` removes it", spec.name);
        }
        let made = make(spec, &dir);
        if made.is_err() {
            // The first error is the one to tell; a failed clean-up is repeated by `lab down`.
            let _ = down_blocking(&spec.base, &spec.name);
        }
        made
    }

    /// Opens the lab `name` under `base`.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn open(base: &Path, name: &str) -> anyhow::Result<Self> {
        let dir = state::find(base, name);
        let state = LabState::read(&dir)
            .with_context(|| format!("there is no lab {name}; `ironherd lab up` makes one"))?;
        let machines = state
            .machines
            .iter()
            .map(|machine| Ok(Machine::open(&dir.join("machines").join(machine))?))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { dir, state, machines })
    }

    /// Name of the network namespace: the argument of `ip netns exec` and of `ironherd up --netns`.
    pub(crate) fn netns(&self) -> &str {
        &self.state.namespace
    }

    /// Private half of the SSH key for systems deployed in this lab; the public one is beside it.
    pub(crate) fn ssh_key(&self) -> PathBuf {
        self.dir.join("ssh_key")
    }

    /// What each machine is and does now.
    pub(crate) fn machines(&self) -> Vec<LabMachine> {
        self.machines.iter().map(status::look).collect()
    }

    /// Presses the button of one machine, past its BMC.
    ///
    /// # Errors
    /// When there is no such machine, or QEMU does not start.
    pub(crate) async fn power(&self, machine: &str, switch: Switch) -> anyhow::Result<()> {
        let machine = self.machine(machine)?.clone();
        let press = move || match switch {
            Switch::On => machine.power_on(),
            Switch::Off => machine.power_off(),
            Switch::Cycle => machine.power_cycle(),
        };
        Ok(spawn_blocking(press).await??)
    }

    /// Removes the lab.
    ///
    /// # Errors
    /// As [`down`].
    pub(crate) async fn down(&self) -> anyhow::Result<()> {
        let base = self.dir.parent().context("a lab without a folder above it")?;
        down(base, &self.state.name).await
    }

    fn machine(&self, name: &str) -> anyhow::Result<&Machine> {
        self.machines.iter().find(|it| it.config().name == name).with_context(|| {
            let names: Vec<_> = self.machines.iter().map(|it| it.config().name.as_str()).collect();
            format!("lab {} has no machine {name}, only {}", self.state.name, names.join(", "))
        })
    }
}

/// Removes the lab `name`: its processes, its namespace, its folder. One that is not there, or
/// only half there, is fine.
///
/// # Errors
/// When something will not go.
pub(crate) async fn down(base: &Path, name: &str) -> anyhow::Result<()> {
    let (base, name) = (base.to_owned(), name.to_owned());
    spawn_blocking(move || down_blocking(&base, &name)).await?
}

fn down_blocking(base: &Path, name: &str) -> anyhow::Result<()> {
    spec::check_name(name)?; // It becomes part of paths below.
    let dir = state::find(base, name);
    // The simulators first: what they start while we look would be missed otherwise. The second
    // round finds what was being started during the first.
    for _ in 0..2 {
        for process in LabState::read(&dir).map(|it| it.processes).unwrap_or_default() {
            process.kill().context("cannot stop a BMC simulator")?;
        }
        for process in process::marked(LAB_MARKER, name) {
            process.kill().with_context(|| format!("cannot stop process {}", process.pid))?;
        }
    }
    network::delete(&spec::namespace_of(name))?;
    state::forget(name)?;
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

fn make(spec: &LabSpec, dir: &Path) -> anyhow::Result<Lab> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let dir = fs::canonicalize(dir)?;
    let configs = spec.machine_configs()?;
    let mut state = LabState::new(spec, &configs);
    state.write(&dir)?; // From here `lab down` finds whatever is made next.
    state::remember(&spec.name, &dir)?;
    make_ssh_key(&dir.join("ssh_key"), &spec.name)?;
    network::create(spec, &configs)?;
    let mut machines = Vec::new();
    for config in configs {
        let machine_dir = dir.join("machines").join(&config.name);
        let machine = Machine::create(&machine_dir, config)?;
        state.processes.push(bmc::start(&machine, &spec.program)?);
        state.write(&dir)?;
        machines.push(machine);
    }
    for machine in &machines {
        bmc::wait_ready(machine)?;
    }
    Ok(Lab { dir, state, machines })
}

fn make_ssh_key(path: &Path, lab: &str) -> anyhow::Result<()> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", &format!("ironherd-lab-{lab}"), "-f"]);
    let output =
        command.arg(path).stdin(Stdio::null()).output().context("cannot run ssh-keygen")?;
    if !output.status.success() {
        bail!("ssh-keygen: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
