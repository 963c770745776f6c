//! GRUB for BIOS, put into place by hand: `grub-install` would want a loop device.
//!
//! Source: GRUB 2.06, include/grub/i386/pc/boot.h and util/setup.c.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::image::tool;

const SECTOR: usize = 512;
/// In boot.img: where the sector number of core.img stands.
const KERNEL_SECTOR: usize = 0x5C;
/// In boot.img: a jump over the check of the drive number, switched off for hard disks.
const DRIVE_CHECK: usize = 0x66;
/// The end of boot.img's code; a partition table follows.
const BOOT_CODE_END: usize = 440;
/// In core.img's first sector: the first entry of the block list, counted from the sector's end.
const BLOCK_LIST: usize = SECTOR - 12;

const MODULES: &str = "biosdisk part_gpt ext2 search search_label normal linux configfile serial \
                       terminal echo test minicmd";
/// Built into core.img, which therefore needs not know the disk's number.
const CONFIG: &str =
    "search.fs_label rootfs root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n";

pub(super) const RECIPE: &[&str] = &["bios 1", MODULES, CONFIG];

/// Makes the image start under BIOS. `start` and `bytes` are the BIOS boot partition's.
pub(super) fn install(
    root: &Path,
    work: &Path,
    raw: &Path,
    start: u64,
    bytes: u64,
) -> anyhow::Result<()> {
    let modules = root.join("usr/lib/grub/i386-pc");
    let config = work.join("bios-grub.cfg");
    fs::write(&config, CONFIG)?;
    let core = work.join("core.img");
    let mut grub = tool::command("grub-mkimage");
    grub.args(["-O", "i386-pc", "-p", "/boot/grub"]).arg("-d").arg(&modules);
    grub.arg("-c").arg(&config).arg("-o").arg(&core).args(MODULES.split_whitespace());
    tool::run(&mut grub)?;

    let mut core = fs::read(&core)?;
    if bytes < core.len() as u64 {
        bail!("core.img has {} bytes, too many for its partition", core.len());
    }
    let mut boot = fs::read(modules.join("boot.img")).context("grub-pc-bin has no boot.img")?;
    let sector = start / SECTOR as u64;
    patch_boot(&mut boot, sector)?;
    patch_core(&mut core, sector + 1)?;
    let disk = OpenOptions::new().read(true).write(true).open(raw)?;
    disk.write_all_at(&boot[..BOOT_CODE_END], 0)?;
    disk.write_all_at(&core, start)?;
    Ok(())
}

fn patch_boot(boot: &mut [u8], core_sector: u64) -> anyhow::Result<()> {
    if boot.len() != SECTOR {
        bail!("boot.img is not one sector");
    }
    boot[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&core_sector.to_le_bytes());
    boot[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&[0x90, 0x90]);
    Ok(())
}

/// The rest of core.img lies in one piece behind its first sector, whose list says so.
fn patch_core(core: &mut [u8], second_sector: u64) -> anyhow::Result<()> {
    let sectors = core.len().div_ceil(SECTOR);
    let Some(list) = core.get_mut(BLOCK_LIST..SECTOR) else { bail!("core.img is too short") };
    let listed = u16::from_le_bytes([list[8], list[9]]);
    if usize::from(listed) != sectors - 1 {
        bail!("core.img lists {listed} sectors but has {}", sectors - 1);
    }
    list[..8].copy_from_slice(&second_sector.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_sector_points_at_core() {
        let mut boot = vec![0xEB; SECTOR];
        patch_boot(&mut boot, 2048).unwrap();
        assert_eq!(boot[KERNEL_SECTOR..KERNEL_SECTOR + 8], 2048_u64.to_le_bytes());
        assert_eq!(boot[DRIVE_CHECK..DRIVE_CHECK + 2], [0x90, 0x90]);
        assert!(patch_boot(&mut [0; 100], 2048).is_err());
    }

    #[test]
    fn core_lists_its_own_rest() {
        let mut core = vec![0; 3 * SECTOR + 7];
        assert!(patch_core(&mut core, 2049).is_err(), "its list is wrong");
        core[BLOCK_LIST + 8] = 3;
        patch_core(&mut core, 2049).unwrap();
        assert_eq!(core[BLOCK_LIST..BLOCK_LIST + 8], 2049_u64.to_le_bytes());
        assert!(patch_core(&mut [0; 9], 1).is_err());
    }
}
