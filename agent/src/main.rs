//! The program that runs inside the RAM system machines boot into.
//!
//! Without arguments it is the agent: it reports to the gateway named on the kernel command line
//! and does what the region asks. `phone-home` runs once in the installed system; `inventory`
//! prints what the agent would report.

mod console;
mod cmdline;
mod protocol;
mod gateway;
mod progress;
mod system;
mod network;
mod smbios;
mod inventory;
mod bmc;
mod deploy;
mod erase;
mod run;
mod phone_home;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        None | Some("run") => run::run(),
        Some("phone-home") => phone_home::phone_home(Path::new(phone_home::FILE)),
        Some("inventory") => print_inventory(),
        Some("--version") => {
            println!("ironherd-agent {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some(other) => {
            eprintln!(
                "ironherd-agent: unknown command {other:?}; one of: run, phone-home, inventory"
            );
            ExitCode::from(2)
        }
    }
}

fn print_inventory() -> ExitCode {
    match serde_json::to_string_pretty(&inventory::hardware(Path::new("/"))) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ironherd-agent: {error}");
            ExitCode::FAILURE
        }
    }
}
