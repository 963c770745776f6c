//! Runs commands, saying what runs.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};

/// Runs a command to its end, its output going to the terminal.
pub(crate) fn command(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start `{program}`"))?;
    if !status.success() {
        bail!("`{program}` ended with {status}");
    }
    Ok(())
}

pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    command(Command::new(cargo_path()).args(arguments))
}

/// The cargo that runs us, so that a toolchain override holds for what we start.
pub(crate) fn cargo_path() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Runs one named step and says how long it took.
pub(crate) fn step<T>(name: &str, run: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    eprintln!("\x1b[1m==> {name}\x1b[0m");
    let started = Instant::now();
    let done = run().with_context(|| format!("step `{name}` failed"))?;
    eprintln!("    {name}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(done)
}
