//! Measures: criterion for one question, side by side for a whole server.

use std::ffi::OsStr;
use std::process::Command;

use crate::{build, packages, run};

/// One criterion bench by its name.
pub(crate) fn criterion(name: &str, rest: &[String]) -> anyhow::Result<()> {
    let mut command = Command::new(run::cargo_path());
    command.args(["bench", "--package", "ironherd-benches", "--bench", name, "--"]).args(rest);
    run::command(&mut command)
}

/// Our DHCP server beside Kea, ISC dhcpd and dnsmasq, in namespaces. Rows and samples are kept in
/// `target/bench/dhcp.json`.
pub(crate) fn dhcp(quick: bool, output: &str, rest: &[String]) -> anyhow::Result<()> {
    run::step("packages of the peers", packages::ensure_peers)?;
    run::step("build", || run::cargo(&["build", "--release", "--package", "ironherd-peers"]))?;
    peers("dhcp", &[], quick, output, rest)
}

/// Our TFTP server beside dnsmasq, tftpd-hpa and atftpd, in namespaces. Rows and samples are kept
/// in `target/bench/tftp.json`.
pub(crate) fn tftp(quick: bool, output: &str, rest: &[String]) -> anyhow::Result<()> {
    run::step("packages of the peers", packages::ensure_peers)?;
    let tftpd_hpa = packages::unpack_tftpd_hpa(&build::target_dir().join("bench/tftpd-hpa"))?;
    run::step("build", || run::cargo(&["build", "--release", "--package", "ironherd-peers"]))?;
    peers("tftp", &[OsStr::new("--tftpd-hpa"), tftpd_hpa.as_os_str()], quick, output, rest)
}

/// Our HTTP server beside nginx, in namespaces. Rows and samples are kept in
/// `target/bench/http.json`.
pub(crate) fn http(quick: bool, output: &str, rest: &[String]) -> anyhow::Result<()> {
    run::step("packages of the peers", packages::ensure_peers)?;
    run::step("build", || run::cargo(&["build", "--release", "--package", "ironherd-peers"]))?;
    peers("http", &[], quick, output, rest)
}

/// How soon a change in the region is in force in the rack. Rows and samples are kept in
/// `target/bench/live.json`.
pub(crate) fn live(quick: bool, output: &str, rest: &[String]) -> anyhow::Result<()> {
    let packages = ["--package", "ironherd", "--package", "ironherd-peers"];
    run::step("build", || run::cargo(&[&["build", "--release"][..], &packages].concat()))?;
    let ironherd = build::target_dir().join("release/ironherd");
    peers("live", &[OsStr::new("--ironherd"), ironherd.as_os_str()], quick, output, rest)
}

fn peers(
    bench: &str,
    own: &[&OsStr],
    quick: bool,
    output: &str,
    rest: &[String],
) -> anyhow::Result<()> {
    let target = build::target_dir();
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder)?;
    let mut command = Command::new(target.join("release/ironherd-peers"));
    command.args([bench, "--output", output]).args(own);
    command.arg("--work").arg(folder.join(bench));
    command.arg("--save").arg(folder.join(format!("{bench}.json")));
    if quick {
        command.arg("--quick");
    }
    run::step("bench", || run::command(command.args(rest)))
}
