//! What is written down about a lab, and where it is found again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ironherd_bmc_sim::machine::write_private;
use ironherd_bmc_sim::{MachineConfig, ProcessRecord};
use serde::{Deserialize, Serialize};

use super::spec::LabSpec;

const STATE: &str = "lab.json";
/// One file a lab, holding the path of its folder. Gone after a reboot, as the labs are.
const REGISTRY: &str = "/run/ironherd-labs";

/// `lab.json`. Machines describe themselves in their own folders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LabState {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) cidr: String,
    pub(super) bridge: std::net::Ipv4Addr,
    pub(super) machines: Vec<String>,
    /// The BMC simulators. A machine's own process is recorded in its folder.
    pub(super) processes: Vec<ProcessRecord>,
}

impl LabState {
    pub(super) fn new(spec: &LabSpec, configs: &[MachineConfig]) -> Self {
        Self {
            name: spec.name.clone(),
            namespace: spec.namespace(),
            cidr: spec.network.to_string(),
            bridge: spec.network.bridge(),
            machines: configs.iter().map(|it| it.name.clone()).collect(),
            processes: Vec::new(),
        }
    }

    pub(super) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(STATE);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    pub(super) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let path = dir.join(STATE);
        write_private(&path, self).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The folder of a lab: under `base`, or where it was made with another base.
pub(super) fn find(base: &Path, name: &str) -> PathBuf {
    let usual = base.join(name);
    if usual.exists() {
        return usual;
    }
    fs::read_to_string(Path::new(REGISTRY).join(name)).map_or(usual, PathBuf::from)
}

/// Names of the labs that are up on this host, wherever their folders are.
pub(super) fn names() -> Vec<String> {
    names_under(Path::new(REGISTRY))
}

/// Names of the labs whose folders are in `base`.
pub(super) fn names_under(base: &Path) -> Vec<String> {
    let entries = fs::read_dir(base).into_iter().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

pub(super) fn remember(name: &str, dir: &Path) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        fs::create_dir_all(REGISTRY)?;
        fs::write(Path::new(REGISTRY).join(name), dir.to_string_lossy().as_bytes())
    };
    write().with_context(|| format!("cannot write to {REGISTRY}"))
}

pub(super) fn forget(name: &str) -> anyhow::Result<()> {
    match fs::remove_file(Path::new(REGISTRY).join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot write to {REGISTRY}"))
        }
        _ => {
            let _ = fs::remove_dir(REGISTRY); // Stays as long as it holds other labs.
            Ok(())
        }
    }
}
