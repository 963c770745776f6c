//! One `ipmi_sim` (OpenIPMI's BMC) on a free loopback port, with a chassis script that records.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub(crate) const USERNAME: &str = "admin";
pub(crate) const PASSWORD: &str = "correct-horse";

pub(crate) struct Simulator {
    child: Child,
    folder: tempfile::TempDir,
    address: String,
}

/// Starts a simulator, or says loudly why not. `IRONHERD_TESTS_REQUIRE_ALL=1` makes that fatal.
pub(crate) fn start() -> Option<Simulator> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&search).any(|it| it.join("ipmi_sim").is_file()) {
        return Some(Simulator::start());
    }
    let required = std::env::var("IRONHERD_TESTS_REQUIRE_ALL").is_ok_and(|it| it == "1");
    assert!(!required, "ipmi_sim is not installed (package openipmi)");
    eprintln!("SKIPPED: ipmi_sim is not installed (package openipmi)");
    None
}

impl Simulator {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = folder.path();
        fs::write(path.join("power"), "0").unwrap();
        fs::write(path.join("calls"), "").unwrap();
        write_script(path);
        fs::write(path.join("lan.conf"), lan_conf(path, port)).unwrap();
        fs::write(path.join("node.emu"), NODE).unwrap();
        let child = Command::new("ipmi_sim")
            .args(["-n", "-c"])
            .arg(path.join("lan.conf"))
            .arg("-f")
            .arg(path.join("node.emu"))
            .arg("-s")
            .arg(path.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, folder, address: format!("127.0.0.1:{port}") }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Everything that was set, one `what value` a line. Reads are left out.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("calls")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may be gone already.
        let _ = self.child.wait();
    }
}

fn write_script(path: &Path) {
    let script = path.join("chassis.sh");
    let text = CHASSIS.replace("FOLDER", path.to_str().unwrap());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
}

fn lan_conf(path: &Path, port: u16) -> String {
    let folder = path.to_str().unwrap();
    format!(
        r#"name "node"
startlan 1
  addr 127.0.0.1 {port}
  priv_limit admin
  allowed_auths_callback none md2 md5 straight
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid a123456789abcdefa123456789abcdef
endlan
chassis_control "{folder}/chassis.sh 0x20"
user 1 true "" "" user 10 none md2 md5 straight
user 2 true "{USERNAME}" "{PASSWORD}" admin 10 none md2 md5 straight
"#
    )
}

/// Arguments: the BMC, `get` and names, or `set` and pairs of name and value.
const CHASSIS: &str = r#"#!/bin/sh
shift
op=$1
shift
while [ $# -gt 0 ]; do
  case $op.$1 in
    get.power) echo "power:$(cat FOLDER/power)" ;;
    get.boot) echo "boot:none" ;;
    get.*) echo "$1:0" ;;
    set.power) echo "$1 $2" >> FOLDER/calls; echo "$2" > FOLDER/power; shift ;;
    set.shutdown) echo "$1 $2" >> FOLDER/calls; echo 0 > FOLDER/power; shift ;;
    set.*) echo "$1 $2" >> FOLDER/calls; shift ;;
  esac
  shift
done
"#;

/// The least of a management controller. Every byte must be written 0x...
const NODE: &str = "mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
";
