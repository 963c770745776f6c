//! The program that OpenIPMI's `ipmi_sim` runs as its `chassis_control`.
//!
//! `<mc> get power|boot …` prints `name:value` lines, `<mc> set name value …` nothing. A helper
//! that fails makes the IPMI command fail.

use crate::{BootEnabled, BootOverride, BootTarget, Machine, MachineError, PowerState};

/// Why the simulator's request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ChassisError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error("not a request of ipmi_sim: {0:?}")]
    Request(Vec<String>),
}

/// Carries out one call; `arguments` as the simulator gave them. Answers what to print.
///
/// # Errors
/// [`ChassisError::Request`] for words we do not know, or what the machine answered.
pub fn run(machine: &Machine, arguments: &[String]) -> Result<String, ChassisError> {
    let unknown = || ChassisError::Request(arguments.to_vec());
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [_mc, "get", names @ ..] => {
            let mut answer = String::new();
            for name in names {
                let value = get(machine, name)?.ok_or_else(unknown)?;
                answer.push_str(&format!("{name}:{value}\n"));
            }
            Ok(answer)
        }
        [_mc, "set", pairs @ ..] if pairs.len().is_multiple_of(2) => {
            for pair in pairs.chunks_exact(2) {
                if !set(machine, pair[0], pair[1])? {
                    return Err(unknown());
                }
            }
            Ok(String::new())
        }
        _ => Err(unknown()),
    }
}

fn get(machine: &Machine, name: &str) -> Result<Option<&'static str>, MachineError> {
    Ok(match name {
        "power" => Some(match machine.power() {
            PowerState::On => "1",
            PowerState::Off => "0",
        }),
        "boot" => {
            let set = machine.boot_override()?;
            Some(match (set.enabled, set.target) {
                (BootEnabled::Disabled, _) | (_, BootTarget::None) => "none",
                (_, BootTarget::Pxe | BootTarget::UefiHttp) => "pxe",
                (_, BootTarget::Hdd) => "default", // IPMI: "boot from the default hard drive".
            })
        }
        _ => None,
    })
}

/// Answers whether the words were known.
fn set(machine: &Machine, name: &str, value: &str) -> Result<bool, MachineError> {
    match (name, value) {
        ("power", "1") => machine.power_on()?,
        ("power", "0") => machine.power_off()?,
        // The simulator says 1 for a pulse. A machine that is off has nothing to reset, and the
        // IPMI command succeeds all the same.
        ("reset", _) => ignore_off(machine.reset())?,
        ("shutdown", _) => ignore_off(machine.shutdown())?,
        ("identify", _) => {} // There is no lamp.
        ("boot", _) => {
            // IPMI boot flags hold for the next boot; the simulator drops the persistent bit.
            let target = match value {
                "none" => BootTarget::None,
                "pxe" => BootTarget::Pxe,
                "default" => BootTarget::Hdd,
                _ => return Ok(false),
            };
            let enabled = match target {
                BootTarget::None => BootEnabled::Disabled,
                _ => BootEnabled::Once,
            };
            machine.set_boot_override(&BootOverride::new(enabled, target))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn ignore_off(result: Result<(), MachineError>) -> Result<(), MachineError> {
    match result {
        Err(MachineError::Off) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::sample;

    #[test]
    fn words_of_the_simulator_become_buttons() {
        let dir = tempfile::tempdir().expect("folder");
        let machine = Machine::create(dir.path(), sample()).expect("made");
        let rows = [
            ("0x20 get power", Some("power:0\n")),
            ("0x20 get power boot", Some("power:0\nboot:none\n")),
            ("0x20 set boot pxe", Some("")),
            ("0x20 get boot", Some("boot:pxe\n")),
            ("0x20 set boot default", Some("")),
            ("0x20 get boot", Some("boot:default\n")),
            ("0x20 set boot none", Some("")),
            ("0x20 get boot", Some("boot:none\n")),
            ("0x20 set power 0", Some("")),
            ("0x20 set reset 1", Some("")),
            ("0x20 set shutdown 1", Some("")),
            ("0x20 set boot floppy", None),
            ("0x20 set boot", None),
            ("0x20 get temperature", None),
            ("", None),
        ];
        for (line, want) in rows {
            check_answer(&machine, line, want);
        }
    }

    #[track_caller]
    fn check_answer(machine: &Machine, line: &str, want: Option<&str>) {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        assert_eq!(run(machine, &arguments).ok().as_deref(), want, "{line}");
    }
}
