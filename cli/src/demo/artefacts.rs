//! The boot image and the disk image that demo and tests deploy: built once, kept in a cache.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::client::Client;
use crate::machine;

/// What the region calls the disk image.
const DISK_NAME: &str = "debian-12";

/// Where built images stay from one run to the next.
pub(crate) fn cache_dir() -> PathBuf {
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/var/cache"), PathBuf::from);
    let base =
        std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
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
        ensure_ephemeral(agent, &ephemeral).await.context("cannot build the boot image")?;
        let mut build = own_command(&["image", "build-debian", "--out"]);
        build.arg(&disk).arg("--cache-dir").arg(cache_dir());
        run(&mut build).await.context("cannot build the Debian image")?;
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

/// What the boot image is made from, besides the agent: a change here makes a cached one stale.
const EPHEMERAL_RECIPE: &[&str] = &[
    include_str!("../image/apt.rs"),
    include_str!("../image/ephemeral.rs"),
    include_str!("../image/ephemeral/boot_files.rs"),
    include_str!("../image/ephemeral/cpio.rs"),
    include_str!("../image/ephemeral/dhcp.sh"),
    include_str!("../image/ephemeral/init.sh"),
    include_str!("../image/ephemeral/initrd.rs"),
    include_str!("../image/ephemeral/local.cfg"),
    include_str!("../image/ephemeral/modules.rs"),
];

async fn ensure_ephemeral(agent: &Path, out: &Path) -> anyhow::Result<()> {
    let mut digest = Sha256::new();
    digest.update(std::fs::read(agent)?);
    for part in EPHEMERAL_RECIPE {
        digest.update(part);
    }
    let recipe = hex::encode(digest.finalize());
    let stamp = out.join("recipe");
    if std::fs::read_to_string(&stamp).is_ok_and(|it| it == recipe) {
        return Ok(());
    }
    let mut build = own_command(&["image", "build-ephemeral", "--out"]);
    run(build.arg(out).arg("--agent").arg(agent)).await?;
    // Written last: an interrupted build leaves no stamp.
    Ok(std::fs::write(stamp, recipe)?)
}

/// This very program, also when its file has been replaced since it was started.
pub(crate) const OWN_PROGRAM: &str = "/proc/self/exe";

/// This program again: the demo does what a user would type.
fn own_command(words: &[&str]) -> Command {
    let mut command = Command::new(OWN_PROGRAM);
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
