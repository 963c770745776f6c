//! Builds the two programs: `ironherd` and the static agent that rides in the RAM system.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

const TARGET: &str = "x86_64-unknown-linux-gnu";

pub(crate) struct Built {
    pub(crate) ironherd: PathBuf,
    pub(crate) agent: PathBuf,
}

/// The repository's top folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

pub(crate) fn build() -> anyhow::Result<Built> {
    run::step("build ironherd", || run::cargo(&["build", "--workspace"]))?;
    run::step("build the agent", agent)?;
    let target = target_dir();
    Ok(Built {
        ironherd: target.join("debug/ironherd"),
        agent: target.join(TARGET).join("agent/ironherd-agent"),
    })
}

/// Static, since the RAM system has no libraries; glibc suffices while names are not resolved.
fn agent() -> anyhow::Result<()> {
    let mut command = Command::new(run::cargo_path());
    command.args([
        "build",
        "--profile",
        "agent",
        "--package",
        "ironherd-agent",
        "--target",
        TARGET,
    ]);
    command.env("RUSTFLAGS", "-C target-feature=+crt-static");
    run::command(&mut command)
}
