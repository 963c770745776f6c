//! The lab's network: a namespace, a bridge, a tap for each machine, an address for each BMC.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use ironherd_bmc_sim::{MachineConfig, namespace};

use super::spec::LabSpec;

pub(super) fn create(spec: &LabSpec, machines: &[MachineConfig]) -> anyhow::Result<()> {
    let name = spec.namespace();
    ip(&["netns", "add", &name])?;
    // A tap has no carrier while its machine is off. The pair keeps the bridge up all the same,
    // so that its link-local address is there and servers can bind before any machine runs. No
    // frame may pass through it: the far end would answer ARP for the bridge, and hear every
    // broadcast a second time.
    let mut links = format!(
        "link set lo up\n\
         link add br0 address {mac} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n\
         link add carrier0 type veth peer name carrier1\n\
         link set carrier0 addrgenmode none master br0\n\
         link set carrier0 type bridge_slave flood off mcast_flood off bcast_flood off\n\
         link set carrier0 up\n\
         link set carrier1 addrgenmode none arp off up\n\
         addr add {address}/{prefix} dev br0\n",
        mac = spec.bridge_mac(),
        address = spec.network.bridge(),
        prefix = spec.network.prefix_len,
    );
    for machine in machines {
        let (tap, bmc) = (&machine.tap, machine.bmc.address);
        links.push_str(&format!(
            "tuntap add dev {tap} mode tap\n\
             link set {tap} addrgenmode none master br0 up\n\
             addr add {bmc}/32 dev br0\n",
        ));
    }
    batch(&name, &links)?;
    namespace::enter(&name, enable_ipv6).context("cannot enter the lab's namespace")?;
    batch(&name, "link set br0 up\n")
}

/// Deletes the namespace and all that is in it, if there is one.
pub(super) fn delete(name: &str) -> anyhow::Result<()> {
    if namespace::path(name).exists() {
        ip(&["netns", "del", name])?;
    }
    Ok(())
}

/// Lets the bridge have its link-local address at once. Where the kernel has no IPv6 the lab
/// works without: only iPXE is slower, as nobody answers its router solicitations.
fn enable_ipv6() {
    let settings = Path::new("/proc/sys/net/ipv6/conf/br0");
    let _ = fs::write(settings.join("disable_ipv6"), "0");
    let _ = fs::write(settings.join("accept_dad"), "0"); // Nobody else can have it here.
    let _ = fs::write(settings.join("accept_ra"), "0"); // The lab's router is the bridge itself.
}

fn batch(name: &str, lines: &str) -> anyhow::Result<()> {
    let mut child = Command::new("ip")
        .args(["-n", name, "-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run ip")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(lines.as_bytes())?;
    }
    finish(&child.wait_with_output()?, "ip -batch")
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("cannot run ip")?;
    finish(&output, &format!("ip {}", arguments.join(" ")))
}

fn finish(output: &std::process::Output, what: &str) -> anyhow::Result<()> {
    if !output.status.success() {
        bail!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
