//! Processors, from `/proc/cpuinfo` and the kernel's topology files.

use std::collections::BTreeSet;
use std::path::Path;

use super::{names, read_text};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cpu {
    pub(super) model: String,
    pub(super) sockets: u32,
    pub(super) cores: u32,
    pub(super) threads: u32,
}

pub(super) fn cpu(root: &Path) -> Cpu {
    let text = std::fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
    let folder = root.join("sys/devices/system/cpu");
    let mut packages = BTreeSet::new();
    let mut cores = BTreeSet::new();
    let mut threads = 0;
    for name in names(&folder) {
        let numbered = name.strip_prefix("cpu").is_some_and(|it| it.parse::<u32>().is_ok());
        let topology = folder.join(&name).join("topology");
        if !numbered || !topology.is_dir() {
            continue;
        }
        let package = read_text(&topology.join("physical_package_id")).unwrap_or_default();
        let core = read_text(&topology.join("core_id")).unwrap_or_default();
        packages.insert(package.clone());
        cores.insert((package, core));
        threads += 1;
    }
    if threads == 0 {
        threads = count(text.lines().filter(|it| it.starts_with("processor")).count());
    }
    Cpu {
        model: model(&text),
        sockets: count(packages.len()).max(1),
        cores: if cores.is_empty() { threads } else { count(cores.len()) },
        threads,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn model(cpuinfo: &str) -> String {
    let value = |key: &str| {
        cpuinfo.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        })
    };
    value("model name")
        // arm64 kernels give part numbers instead of a name.
        .or_else(|| value("CPU part").map(|it| format!("ARM part {it}")))
        .unwrap_or_else(|| "unknown".to_owned())
}
