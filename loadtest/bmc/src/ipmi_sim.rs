//! Configuration and command line of OpenIPMI's `ipmi_sim` for one machine.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::MachineConfig;

const LAN_CONF: &str = "ipmi-lan.conf";
const EMULATION: &str = "ipmi.emu";
const STATE: &str = "ipmi-state";

/// Writes the simulator's files into the machine's folder and answers the command that runs it.
///
/// `program` is the `ironherd` binary, which the simulator runs for every button and every
/// question about its address.
///
/// # Errors
/// What the file system says; `InvalidInput` for paths that the simulator's quoting cannot hold.
pub fn prepare(machine_dir: &Path, config: &MachineConfig, program: &Path) -> io::Result<Command> {
    let lan_conf = machine_dir.join(LAN_CONF);
    let emulation = machine_dir.join(EMULATION);
    let state = machine_dir.join(STATE);
    fs::create_dir_all(&state)?;
    let _ = fs::remove_file(&lan_conf); // The mode below counts only for a file that is made.
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&lan_conf)?
        .write_all(lan_conf_text(machine_dir, config, program)?.as_bytes())?;
    fs::write(&emulation, EMULATION_TEXT)?;
    let mut command = Command::new("ipmi_sim");
    command.arg("-n"); // No console: stdin is not a person.
    for (flag, path) in [("-c", &lan_conf), ("-f", &emulation), ("-s", &state)] {
        command.arg(flag).arg(path);
    }
    Ok(command)
}

/// One BMC without sensors. Bytes of a table here must be written with 0x, or they are decimal.
const EMULATION_TEXT: &str = "\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
";

fn lan_conf_text(dir: &Path, config: &MachineConfig, program: &Path) -> io::Result<String> {
    let bmc = &config.bmc;
    let helper = |name: &str| -> io::Result<String> {
        Ok(format!("{} lab {name} --machine-dir {}", shell_word(program)?, shell_word(dir)?))
    };
    let guid = config.uuid.replace('-', "");
    let auths = "none md2 md5 straight";
    // A user needs every authentication type that its privilege level is allowed, or the
    // simulator refuses RMCP+ sessions too. User 1 is the anonymous one and stays off.
    Ok(format!(
        "name \"{name}\"\n\
         startlan 1\n\
         \x20 addr {address} {port}\n\
         \x20 priv_limit admin\n\
         \x20 allowed_auths_callback {auths}\n\
         \x20 allowed_auths_user {auths}\n\
         \x20 allowed_auths_operator {auths}\n\
         \x20 allowed_auths_admin {auths}\n\
         \x20 guid {guid}\n\
         \x20 lan_config_program \"{lan_config}\"\n\
         endlan\n\
         chassis_control \"{chassis_control} 0x20\"\n\
         serial 15 127.0.0.1 {in_band_port} codec VM\n\
         user 1 false \"\" \"\" user 10 {auths}\n\
         user 2 true \"{username}\" \"{password}\" admin 10 {auths}\n",
        name = config.name,
        address = bmc.address,
        port = bmc.port,
        in_band_port = bmc.in_band_port,
        username = bmc.username,
        password = bmc.password.0,
        lan_config = helper("lan-config")?,
        chassis_control = helper("chassis-control")?,
    ))
}

/// Quotes a path for the shell that runs the helper, inside the simulator's own double quotes.
fn shell_word(path: &Path) -> io::Result<String> {
    let text =
        path.to_str().filter(|it| !it.contains(['"', '\'', '\\', '\n'])).ok_or_else(|| {
            let path: PathBuf = path.to_owned();
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("ipmi_sim cannot be told the path {}", path.display()),
            )
        })?;
    Ok(format!("'{text}'"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::machine::tests::sample;

    #[test]
    fn the_password_is_in_a_private_file_and_not_in_the_arguments() {
        let dir = tempfile::tempdir().expect("folder");
        let command =
            prepare(dir.path(), &sample(), Path::new("/opt/iron herd")).expect("prepared");
        let line = format!("{command:?}");
        assert!(!line.contains("hunter2"), "{line}");

        let path = dir.path().join(LAN_CONF);
        let text = fs::read_to_string(&path).expect("written");
        assert!(text.contains("user 2 true \"admin\" \"hunter2\" admin"), "{text}");
        assert!(text.contains("chassis_control \"'/opt/iron herd' lab chassis-control"), "{text}");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_path_that_cannot_be_quoted_is_refused() {
        assert!(shell_word(Path::new("/it's")).is_err());
    }
}
