//! From a folder to a partitioned disk: sfdisk, mtools and `mke2fs -d` work on plain files.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};

use super::bios;
use crate::image::tool;

const MIB: u64 = 1 << 20;
const BIOS_START: u64 = MIB;
const BIOS_BYTES: u64 = MIB;
const ESP_START: u64 = BIOS_START + BIOS_BYTES;
const ESP_BYTES: u64 = 64 * MIB;
const ROOT_START: u64 = ESP_START + ESP_BYTES;
/// Behind the last partition lies the backup of the partition table.
const TAIL_BYTES: u64 = MIB;

const TYPE_BIOS: &str = "21686148-6449-6E6F-744E-656564454649";
/// Only features that GRUB 2.06 reads, whatever this computer's mke2fs would choose.
const MKE2FS_CONFIG: &str = "[defaults]\n\
base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr\n\
default_mntopts = acl,user_xattr\nblocksize = 4096\ninode_size = 256\ninode_ratio = 16384\n\
[fs_types]\next4 = {\n\
features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize\n}\n";
/// Finds the root file system from wherever GRUB was started.
const ESP_GRUB_CONFIG: &str = "search --no-floppy --label rootfs --set=root\n\
set prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n";

pub(super) const RECIPE: &[&str] = &["disk 1", TYPE_BIOS, MKE2FS_CONFIG, ESP_GRUB_CONFIG];

/// Makes the disk image `raw` from the tree at `root`; gives back its size in bytes.
pub(super) fn build(root: &Path, work: &Path, raw: &Path) -> anyhow::Result<u64> {
    let root_bytes = root_bytes(root)?;
    let disk_bytes = ROOT_START + root_bytes + TAIL_BYTES;
    File::create(raw)?.set_len(disk_bytes)?;
    partition(raw)?;
    let esp = work.join("esp.fat");
    make_esp(root, work, &esp)?;
    copy_into(&esp, raw, ESP_START)?;
    make_root(root, work, raw, root_bytes)?;
    bios::install(root, work, raw, BIOS_START, BIOS_BYTES)?;
    Ok(disk_bytes)
}

/// Used space and a fifth more: the first boot needs some before the partition is grown.
fn root_bytes(root: &Path) -> anyhow::Result<u64> {
    let text = tool::run(tool::command("du").args(["-s", "-B1", "--apparent-size"]).arg(root))?;
    let used: u64 = text.split_whitespace().next().unwrap_or_default().parse()?;
    let inodes = tool::run(tool::command("du").args(["-s", "--inodes"]).arg(root))?;
    let inodes: u64 = inodes.split_whitespace().next().unwrap_or_default().parse()?;
    // Each file ends, on average, half a block before its last one does.
    let used = used + inodes * 2048;
    Ok((used + used / 5 + 160 * MIB).next_multiple_of(MIB))
}

fn partition(raw: &Path) -> anyhow::Result<()> {
    let sectors = |bytes: u64| bytes / 512;
    let script = format!(
        "label: gpt\n\
         start={}, size={}, type={TYPE_BIOS}, name=bios\n\
         start={}, size={}, type=uefi, name=esp\n\
         start={}, type=linux, name=root\n",
        sectors(BIOS_START),
        sectors(BIOS_BYTES),
        sectors(ESP_START),
        sectors(ESP_BYTES),
        sectors(ROOT_START),
    );
    let mut sfdisk = tool::command("sfdisk");
    let mut child = sfdisk.arg("-q").arg(raw).stdin(Stdio::piped()).spawn()?;
    child.stdin.take().context("sfdisk has no input")?.write_all(script.as_bytes())?;
    if !child.wait()?.success() {
        bail!("sfdisk could not partition the image");
    }
    Ok(())
}

/// Signed loaders, so that the image also starts under Secure Boot.
fn make_esp(root: &Path, work: &Path, esp: &Path) -> anyhow::Result<()> {
    File::create(esp)?.set_len(ESP_BYTES)?;
    tool::run(tool::command("mkfs.vfat").args(["-n", "ESP"]).arg(esp))?;
    let config = work.join("esp-grub.cfg");
    fs::write(&config, ESP_GRUB_CONFIG)?;
    let shim = root.join("usr/lib/shim/shimx64.efi.signed");
    let grub = root.join("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed");
    tool::run(tool::command("mmd").arg("-i").arg(esp).args([
        "::EFI",
        "::EFI/BOOT",
        "::EFI/debian",
    ]))?;
    for (from, to) in [
        (&shim, "::EFI/BOOT/BOOTX64.EFI"),
        (&grub, "::EFI/BOOT/grubx64.efi"),
        (&shim, "::EFI/debian/shimx64.efi"),
        (&grub, "::EFI/debian/grubx64.efi"),
        (&config, "::EFI/debian/grub.cfg"),
    ] {
        tool::run(tool::command("mcopy").arg("-i").arg(esp).arg(from).arg(to))?;
    }
    Ok(())
}

fn make_root(root: &Path, work: &Path, raw: &Path, bytes: u64) -> anyhow::Result<()> {
    let config = work.join("mke2fs.conf");
    fs::write(&config, MKE2FS_CONFIG)?;
    let ext4 = work.join("root.ext4");
    File::create(&ext4)?.set_len(bytes)?;
    let mut mke2fs = tool::command("mke2fs");
    mke2fs
        .env("MKE2FS_CONFIG", &config)
        .args(["-q", "-F", "-t", "ext4", "-L", "rootfs", "-m", "1"]);
    mke2fs.args(["-E", "root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1"]);
    tool::run(mke2fs.arg("-d").arg(root).arg(&ext4))?;
    copy_into(&ext4, raw, ROOT_START)
}

/// Copies a file into another at `offset`, leaving zeros as the holes they already are.
fn copy_into(from: &Path, to: &Path, offset: u64) -> anyhow::Result<()> {
    let mut source = File::open(from)?;
    let mut target = OpenOptions::new().write(true).open(to)?;
    let mut buffer = vec![0; 1 << 20];
    let mut at = offset;
    loop {
        let n = source.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        if buffer[..n].iter().any(|&it| it != 0) {
            target.seek(SeekFrom::Start(at))?;
            target.write_all(&buffer[..n])?;
        }
        at += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copying_places_data_and_keeps_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let mut bytes = vec![0; 3 << 20];
        bytes[(2 << 20) + 5] = 9;
        fs::write(&from, &bytes).unwrap();
        File::create(&to).unwrap().set_len(8 << 20).unwrap();
        copy_into(&from, &to, MIB).unwrap();
        let got = fs::read(&to).unwrap();
        assert_eq!(got.len(), 8 << 20);
        assert_eq!(got[(3 << 20) + 5], 9);
        assert_eq!(got.iter().filter(|&&it| it != 0).count(), 1);
    }
}
