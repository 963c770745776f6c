//! The installed system's files: packages by mmdebstrap, then the tuning for a fast first boot.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::{DebianArgs, Kernel};
use crate::image::apt::{self, Source};
use crate::image::steps::Steps;
use crate::image::tool;

const PACKAGES: &str = "systemd-sysv,systemd-resolved,systemd-timesyncd,udev,dbus,netbase,iproute2,\
iputils-ping,openssh-server,cloud-init,cloud-guest-utils,sudo,kmod,initramfs-tools,fdisk,e2fsprogs,\
dosfstools,ca-certificates,less,vim-tiny,zstd,grub-cloud-amd64,grub-efi-amd64-signed,shim-signed";

/// What the package manager leaves out of the image.
const LEFT_OUT: [&str; 4] = [
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
];

/// Files that are there before the packages, so that their scripts act on them.
const BEFORE: &[(&str, &str)] = &[
    ("etc/initramfs-tools/conf.d/ironherd", "RESUME=none\nCOMPRESS=zstd\n"),
    ("etc/default/grub.d/90-ironherd.cfg", include_str!("grub-default.cfg")),
];

/// The same for the cloud kernel: it only ever meets these disks, and an initial RAM disk of a
/// third of the size starts seconds earlier.
const BEFORE_CLOUD: &[(&str, &str)] = &[
    ("etc/initramfs-tools/conf.d/ironherd-cloud", "MODULES=list\n"),
    ("etc/initramfs-tools/modules", include_str!("cloud-modules")),
];

/// Files that come after the packages.
const AFTER: &[(&str, &str)] = &[
    ("etc/fstab", include_str!("fstab")),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"),
    ("etc/hostname", "localhost\n"),
    ("etc/machine-id", ""), // Made at the first boot.
    ("etc/cloud/cloud.cfg.d/90-ironherd.cfg", include_str!("cloud.cfg")),
    ("etc/systemd/system/apt-daily.timer.d/ironherd.conf", TIMER),
    ("etc/systemd/system/apt-daily-upgrade.timer.d/ironherd.conf", TIMER),
    ("etc/systemd/system/systemd-networkd-wait-online.service.d/ironherd.conf", WAIT_ONLINE),
];

/// A timer that missed its time while the image lay around must not fire at the first boot.
const TIMER: &str = "[Timer]\nPersistent=false\n";
/// One working card is enough: servers have ports without a cable.
const WAIT_ONLINE: &str = "[Service]\nExecStart=\n\
ExecStart=/lib/systemd/systemd-networkd-wait-online --any --timeout=60\n";

const GRUB_MENU: &str = include_str!("grub.cfg");

const SERVICES_ON: [&str; 2] = ["systemd-networkd.service", "systemd-resolved.service"];
/// Work at boot that a fresh single-root system has no use for.
const SERVICES_OFF: [&str; 3] =
    ["e2scrub_all.timer", "e2scrub_reap.service", "systemd-pstore.service"];

/// Everything that decides what the tree looks like.
pub(super) const RECIPE: &[&str] = &[
    "tree 2",
    PACKAGES,
    LEFT_OUT[0],
    BEFORE[0].1,
    BEFORE[1].1,
    BEFORE_CLOUD[1].1,
    GRUB_MENU,
    AFTER[0].1,
    AFTER[1].1,
    AFTER[4].1,
    TIMER,
    WAIT_ONLINE,
];

/// Builds the tree below `work` and gives back its root.
pub(super) fn build(args: &DebianArgs, work: &Path, steps: &mut Steps) -> anyhow::Result<PathBuf> {
    if !Path::new(apt::KEYRING).exists() {
        bail!(
            "packages are missing; install them with\n  \
             apt-get install --no-install-recommends debian-archive-keyring"
        );
    }
    let before = work.join("before");
    write_files(&before, BEFORE)?;
    if args.kernel == Kernel::Cloud {
        write_files(&before, BEFORE_CLOUD)?;
    }
    let root = work.join("root");
    steps.begin(format!("Installing Debian {} (takes minutes)", args.release));
    bootstrap(args, &before, &root)?;
    steps.begin("Settings");
    write_files(&root, AFTER)?;
    chroot(&root, &["systemctl", "enable", "--quiet"], &SERVICES_ON)?;
    chroot(&root, &["systemctl", "disable", "--quiet"], &SERVICES_OFF)?;
    write_sources(args, &root)?;
    clean(&root)?;
    write_grub_menu(&root)?;
    Ok(root)
}

fn bootstrap(args: &DebianArgs, before: &Path, root: &Path) -> anyhow::Result<()> {
    let source = Source { mirror: &args.mirror, release: &args.release, architecture: "amd64" };
    let mut mmdebstrap = tool::command("mmdebstrap");
    mmdebstrap.args(["--quiet", "--mode=root", "--variant=minbase", "--architectures=amd64"]);
    mmdebstrap.arg(format!("--keyring={}", apt::KEYRING));
    mmdebstrap.arg("--aptopt=Acquire::Languages \"none\"");
    // The image is thrown away if anything fails, so nothing needs to be safe on the disk yet.
    mmdebstrap.arg("--dpkgopt=force-unsafe-io");
    // Settings that were there first stay.
    mmdebstrap.arg("--dpkgopt=force-confold");
    mmdebstrap.args(LEFT_OUT.map(|it| format!("--dpkgopt={it}")));
    let quoted = before.display().to_string().replace('\'', "'\\''");
    mmdebstrap.arg(format!("--setup-hook=cp -a '{quoted}/.' \"$1\""));
    mmdebstrap.arg(format!("--include={PACKAGES},{}", args.kernel.package()));
    mmdebstrap.arg(&args.release).arg(root).args(source.lines());
    tool::run(&mut mmdebstrap).context("installing the packages")?;
    Ok(())
}

fn write_files(root: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn chroot(root: &Path, program: &[&str], arguments: &[&str]) -> anyhow::Result<()> {
    let mut chroot = tool::command("chroot");
    tool::run(chroot.arg(root).args(program).args(arguments))?;
    Ok(())
}

fn write_sources(args: &DebianArgs, root: &Path) -> anyhow::Result<()> {
    let source = Source { mirror: &args.mirror, release: &args.release, architecture: "amd64" };
    let lines = source.lines().into_iter().map(|it| it + "\n");
    fs::write(root.join("etc/apt/sources.list"), lines.collect::<String>())?;
    Ok(())
}

/// Removes what must be made anew on each machine, and what this computer lent.
fn clean(root: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(root.join("etc/ssh"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
            fs::remove_file(entry.path())?;
        }
    }
    for folder in ["var/cache/apt", "var/lib/apt/lists", "var/log", "tmp", "run"] {
        for entry in fs::read_dir(root.join(folder)).into_iter().flatten() {
            let entry = entry?;
            let kept = folder == "var/log" && entry.file_type()?.is_dir();
            if entry.file_type()?.is_dir() && !kept {
                fs::remove_dir_all(entry.path())?;
            } else if !kept {
                fs::remove_file(entry.path())?;
            }
        }
    }
    let resolver = root.join("etc/resolv.conf");
    let _ = fs::remove_file(&resolver);
    std::os::unix::fs::symlink("../run/systemd/resolve/stub-resolv.conf", &resolver)?;
    Ok(())
}

/// The first menu, since making it the usual way would look at this computer's disks. The next
/// kernel update replaces it.
fn write_grub_menu(root: &Path) -> anyhow::Result<()> {
    let mut versions = fs::read_dir(root.join("lib/modules"))?;
    let version = versions.next().context("the image has no kernel")??.file_name();
    let version = version.to_string_lossy();
    let text = GRUB_MENU.replace("@VERSION@", &version);
    fs::create_dir_all(root.join("boot/grub"))?;
    fs::write(root.join("boot/grub/grub.cfg"), text)?;
    Ok(())
}
