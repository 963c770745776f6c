//! What each machine of a lab is and does.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use comfy_table::{Attribute, Cell, Color, Table, presets};
use ironherd_bmc_sim::{BmcKind, Machine, PowerState};
use serde::Serialize;

use crate::output::Output;

/// As much of the console log as certainly holds a line of text.
const TAIL_BYTES: u64 = 8 * 1024;
const LINE_SHOWN_MAX: usize = 60;

/// One machine, as `lab status --output json` shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LabMachine {
    pub(crate) name: String,
    pub(crate) firmware: String,
    pub(crate) architecture: String,
    /// `ipmi` or `redfish`.
    pub(crate) bmc: String,
    pub(crate) bmc_address: String,
    pub(crate) bmc_username: String,
    /// `on` or `off`, from the machine's process itself.
    pub(crate) power: String,
    pub(crate) mac: String,
    pub(crate) uuid: String,
    pub(crate) serial: String,
    pub(crate) console: String,
    pub(crate) directory: String,
}

pub(super) fn look(machine: &Machine) -> LabMachine {
    let config = machine.config();
    let (address, port) = (config.bmc.address, config.bmc.port);
    LabMachine {
        name: config.name.clone(),
        firmware: config.firmware.as_str().to_owned(),
        architecture: config.architecture().to_owned(),
        bmc: config.bmc.kind.as_str().to_owned(),
        bmc_address: match config.bmc.kind {
            BmcKind::Ipmi => format!("{address}:{port}"),
            BmcKind::Redfish if port == 80 => format!("http://{address}"),
            BmcKind::Redfish => format!("http://{address}:{port}"),
        },
        bmc_username: config.bmc.username.clone(),
        power: match machine.power() {
            PowerState::On => "on".to_owned(),
            PowerState::Off => "off".to_owned(),
        },
        mac: config.mac.clone(),
        uuid: config.uuid.clone(),
        serial: config.serial.clone(),
        console: last_line(&machine.serial_log()),
        directory: machine.dir().display().to_string(),
    }
}

pub(super) fn print(output: Output, lab: &str, netns: &str, machines: &[LabMachine]) {
    // A reader that has seen enough may close the pipe: that is no failure of ours.
    let mut stdout = std::io::stdout().lock();
    if output == Output::Json {
        let answer = serde_json::json!({ "name": lab, "netns": netns, "machines": machines });
        let _ = writeln!(stdout, "{answer:#}");
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let heads = ["MACHINE", "FIRMWARE", "BMC", "POWER", "BMC ADDRESS", "MAC", "CONSOLE"];
    table.set_header(heads.map(|head| Cell::new(head).add_attribute(Attribute::Bold)));
    for machine in machines {
        let colour = if machine.power == "on" { Color::Green } else { Color::DarkGrey };
        let console: String = machine.console.chars().take(LINE_SHOWN_MAX).collect();
        table.add_row([
            Cell::new(&machine.name).add_attribute(Attribute::Bold),
            Cell::new(&machine.firmware),
            Cell::new(&machine.bmc),
            Cell::new(&machine.power).fg(colour),
            Cell::new(&machine.bmc_address),
            Cell::new(&machine.mac),
            Cell::new(console).fg(Color::DarkGrey),
        ]);
    }
    let _ = writeln!(stdout, "{table}\nlab {lab}, namespace {netns}");
}

/// The last line with any text in it. Empty while the machine was never on.
fn last_line(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(end.saturating_sub(TAIL_BYTES)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        Ok(tail)
    };
    let tail = read().unwrap_or_default();
    let text = plain_text(&String::from_utf8_lossy(&tail));
    text.lines().rev().map(str::trim).find(|it| !it.is_empty()).unwrap_or_default().to_owned()
}

/// Drops terminal control sequences, and breaks the line where the cursor was moved.
fn plain_text(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\x1b' if rest.peek() == Some(&'[') => {
                rest.next();
                // Parameters, then one letter that says what to do (ECMA-48 §5.4).
                let end = rest.by_ref().find(|it| ('@'..='~').contains(it));
                if matches!(end, Some('H' | 'J' | 'f')) {
                    text.push('\n');
                }
            }
            '\x1b' => {
                rest.next();
            }
            '\r' => text.push('\n'),
            it if it.is_control() && it != '\n' && it != '\t' => {}
            it => text.push(it),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_readable() {
        let rows = [
            ("SeaBIOS\r\niPXE 1.21\r\n\r\n", "iPXE 1.21"),
            ("\x1b[2J\x1b[01;01H>>Start PXE over IPv4.\x1b[0m", ">>Start PXE over IPv4."),
            ("one\x1b[10;3Htwo\r", "two"),
            ("", ""),
            ("\x1b[2J\r\n", ""),
        ];
        let dir = std::env::temp_dir().join(format!("ironherd-status-{}", std::process::id()));
        for (log, want) in rows {
            std::fs::write(&dir, log).expect("written");
            assert_eq!(last_line(&dir), want, "{log:?}");
        }
        std::fs::remove_file(&dir).expect("removed");
    }
}
