//! The boot image and the disk image that demo and tests deploy: built once, kept in a cache.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::client::Client;
use crate::machine;

/// What the region calls the disk image.
const DISK_NAME: &str = "debian-12";

/// Where built images stay from one run to the next.
pub(crate) fn cache_dir() -> PathBuf {
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/var/cache"), PathBuf::from);
    let base = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    base.join("ironherd")
}

#[derive(Clone, Debug)]
pub(crate) struct Artefacts {
    pub(crate) ephemeral: PathBuf,
    pub(crate) disk: PathBuf,
}

impl Artefacts {
    /// Builds what is missing or out of date. The builders themselves know when nothing is to do.
    pub(crate) async fn ensure(agent: &Path) -> anyhow::Result<Self> {
        if !agent.exists() {
            bail!("there is no agent at {}; `cargo xtask build` makes it", agent.display());
        }
        let ephemeral = cache_dir().join("ephemeral");
        let disk = cache_dir().join("debian.zst");
        let build = |words: &[&str], out: &Path| {
            let mut command = own_command(words);
            command.arg("--out").arg(out).arg("--cache-dir").arg(cache_dir());
            command
        };
        let mut boot_image = build(&["image", "build-ephemeral"], &ephemeral);
        run(boot_image.arg("--agent").arg(agent)).await.context("cannot build the boot image")?;
        let mut disk_image = build(&["image", "build-debian"], &disk);
        run(&mut disk_image).await.context("cannot build the Debian image")?;
        Ok(Self { ephemeral, disk })
    }

    /// Brings both to the region; answers the disk image's id.
    pub(crate) async fn upload(&self, client: &Client, token: &Path) -> anyhow::Result<String> {
        let upload = |path: &Path| {
            let mut command = own_command(&["image", "upload"]);
            command.arg(path).env("IRONHERD_URL", &client.url).env("IRONHERD_TOKEN_FILE", token);
            command
        };
        run(&mut upload(&self.ephemeral)).await.context("cannot upload the boot image")?;
        let mut disk = upload(&self.disk);
        run(disk.args(["--name", DISK_NAME])).await.context("cannot upload the Debian image")?;
        machine::image_id(client, DISK_NAME).await
    }
}

/// This program again: the demo does what a user would type.
fn own_command(words: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("ironherd"));
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().await.context("cannot start this program again")?;
    if !status.success() {
        bail!("it ended with {status}");
    }
    Ok(())
}
