//! What a lab needs from the host, checked before anything is made.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;

use anyhow::bail;
use ironherd_bmc_sim::machine::qemu;

use super::spec::MachineKind;

/// # Errors
/// One sentence that names everything missing and the command that installs it.
pub(super) fn check(machines: &[MachineKind]) -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("a lab makes network namespaces, which takes root: run it with sudo");
    }
    if !Path::new("/dev/net/tun").exists() {
        bail!("there is no /dev/net/tun; `modprobe tun` makes it");
    }
    let mut missing = BTreeSet::new();
    for kind in machines {
        for (path, package) in qemu::requirements(kind.firmware, kind.bmc) {
            if !path.exists() {
                missing.insert(package);
            }
        }
    }
    for (program, package) in [("ip", "iproute2"), ("ssh-keygen", "openssh-client")] {
        if !is_program(program) {
            missing.insert(package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.into_iter().collect();
    bail!("packages are missing: apt-get install --no-install-recommends {}", packages.join(" "));
}

fn is_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(name).exists())
}
