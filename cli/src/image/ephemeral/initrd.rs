//! The RAM system: busybox, modules, resize2fs and the agent.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::cpio::Archive;
use super::modules::Tree;
use crate::image::apt::Apt;
use crate::image::tool;

const INIT: &str = include_str!("init.sh");
const DHCP_SCRIPT: &str = include_str!("dhcp.sh");

/// Compression of the initrd: beyond this, building takes much longer for little.
const ZSTD_LEVEL: &str = "-15";

/// What resize2fs is linked against, and the loader that finds it.
const LIBRARIES: [&str; 8] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libpthread.so.0",
    "libext2fs.so.2",
    "libe2p.so.2",
    "libcom_err.so.2",
    "libblkid.so.1",
    "libuuid.so.1",
];

pub(super) fn packages(archive: &Apt) -> anyhow::Result<Vec<&'static str>> {
    Ok(vec![
        "busybox-static",
        "e2fsprogs",
        "libc6",
        archive.first_known(&["libext2fs2t64", "libext2fs2"])?,
        archive.first_known(&["libcom-err2t64", "libcom-err2"])?,
        archive.first_known(&["libblkid1"])?,
        archive.first_known(&["libuuid1"])?,
    ])
}

/// Writes the compressed initrd to `out`.
pub(super) fn build(
    tree: &Tree,
    userland: &Path,
    agent: &[u8],
    work: &Path,
    out: &Path,
) -> anyhow::Result<()> {
    let mut archive = Archive::default();
    for folder in ["proc", "sys", "dev/pts", "run", "tmp", "etc", "mnt", "root"] {
        archive.folder(folder);
    }
    // The kernel opens this before anything could be mounted.
    archive.character_device("dev/console", 0o600, (5, 1));
    archive.file("init", 0o755, INIT.into());
    archive.file("usr/share/udhcpc/default.script", 0o755, DHCP_SCRIPT.into());
    archive.file("bin/ironherd-agent", 0o755, agent.to_vec());
    let busybox = find(userland, &["bin/busybox", "usr/bin/busybox"])?;
    archive.file("bin/busybox", 0o755, busybox);
    archive.symlink("bin/sh", "busybox");
    archive.symlink("bin/modprobe", "busybox");
    archive.symlink("sbin/modprobe", "../bin/busybox");
    let resize = find(userland, &["sbin/resize2fs", "usr/sbin/resize2fs"])?;
    archive.file("sbin/resize2fs", 0o755, resize);
    for name in LIBRARIES {
        let places = ["lib", "usr/lib"].map(|it| format!("{it}/x86_64-linux-gnu/{name}"));
        let body = find(userland, &[&places[0], &places[1]])?;
        archive.file(&format!("lib/x86_64-linux-gnu/{name}"), 0o755, body);
    }
    archive.symlink("lib64", "lib/x86_64-linux-gnu");

    let stage = work.join("stage");
    tree.stage(&stage)?;
    let folder = format!("lib/modules/{}", tree.version());
    add_folder(&mut archive, &stage.join(&folder), &folder)?;

    let plain = work.join("initrd.cpio");
    fs::write(&plain, archive.to_bytes())?;
    let mut zstd = tool::command("zstd");
    tool::run(zstd.args(["-q", ZSTD_LEVEL, "-T0", "-f"]).arg(&plain).arg("-o").arg(out))?;
    fs::set_permissions(out, fs::Permissions::from_mode(0o644))?;
    Ok(())
}

fn find(userland: &Path, places: &[&str]) -> anyhow::Result<Vec<u8>> {
    let found = places.iter().find_map(|it| fs::read(userland.join(it)).ok());
    found.with_context(|| format!("the packages have no {}", places[0]))
}

fn add_folder(archive: &mut Archive, from: &Path, to: &str) -> anyhow::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let path = format!("{to}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            add_folder(archive, &entry.path(), &path)?;
        } else {
            archive.file(&path, 0o644, fs::read(entry.path())?);
        }
    }
    Ok(())
}
