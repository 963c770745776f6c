//! What firmware loads before the kernel: iPXE for BIOS and UEFI, and GRUB for the local disk.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::image::apt::{Apt, Source};
use crate::image::tool;

/// Packages with the files; unpacked beside the initrd's programs.
pub(super) const PACKAGES: &[&str] = &["ipxe", "grub-efi-amd64-bin"];

pub(super) const NAMES: [&str; 3] = ["undionly.kpxe", "snponly.efi", LOCAL];
pub(super) const ARM64_NAME: &str = "grub-arm64.efi";

const LOCAL: &str = "local-x64.efi";
const LOCAL_CONFIG: &str = include_str!("local.cfg");
const LOCAL_MODULES: &str = "part_gpt part_msdos fat search search_fs_file chain serial terminal \
                             echo sleep normal configfile test minicmd halt";

pub(super) fn build(userland: &Path, work: &Path, out: &Path) -> anyhow::Result<()> {
    for name in ["undionly.kpxe", "snponly.efi"] {
        fs::copy(userland.join("usr/lib/ipxe").join(name), out.join(name))
            .with_context(|| format!("the package ipxe has no {name}"))?;
    }
    let config = work.join("local.cfg");
    fs::write(&config, LOCAL_CONFIG)?;
    let mut grub = tool::command("grub-mkstandalone");
    grub.args(["-O", "x86_64-efi", "--locales=", "--fonts=", "--themes=", "--compress=xz"]);
    grub.arg("-d").arg(userland.join("usr/lib/grub/x86_64-efi"));
    grub.arg(format!("--modules={LOCAL_MODULES}"));
    grub.arg(format!("--install-modules={LOCAL_MODULES}"));
    grub.arg("-o").arg(out.join(LOCAL));
    grub.arg(format!("boot/grub/grub.cfg={}", config.display()));
    tool::run(&mut grub)?;
    Ok(())
}

/// The network GRUB of Debian's arm64 package.
pub(super) fn build_arm64(source: &Source<'_>, work: &Path, out: &Path) -> anyhow::Result<()> {
    let source = Source { architecture: "arm64", ..source.clone() };
    let archive = Apt::open(&work.join("apt-arm64"), &source)?;
    let tree = work.join("arm64");
    archive.unpack(&["grub-efi-arm64-bin"], &tree)?;
    let grub = tree.join("usr/lib/grub/arm64-efi/monolithic/grubnetaa64.efi");
    fs::copy(grub, out.join(ARM64_NAME)).context("grub-efi-arm64-bin has no grubnetaa64.efi")?;
    Ok(())
}
