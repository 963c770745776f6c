//! The kernel package, unpacked: its image, and the modules that servers need.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::image::tool;

/// Modules by name. Those built into a kernel, or not in it, are passed over.
const WANTED: &[&str] = &[
    // Virtual machines.
    "virtio_pci",
    "virtio_net",
    "virtio_blk",
    "virtio_scsi",
    "virtio_console",
    "virtio_rng",
    "virtio_mmio",
    "virtio_balloon",
    "vmxnet3",
    "vmw_pvscsi",
    "hv_netvsc",
    "hv_storvsc",
    "xen_netfront",
    "xen_blkfront",
    // Disks and their controllers.
    "nvme",
    "ahci",
    "ata_piix",
    "ata_generic",
    "sata_mv",
    "sata_nv",
    "sata_sil24",
    "sata_via",
    "megaraid_sas",
    "megaraid_mbox",
    "mpt3sas",
    "mptsas",
    "mptspi",
    "smartpqi",
    "hpsa",
    "aacraid",
    "arcmsr",
    "3w_9xxx",
    "3w_sas",
    "isci",
    "pm80xx",
    "mvsas",
    "mvumi",
    "lpfc",
    "qla2xxx",
    "bfa",
    "sd_mod",
    "sr_mod",
    "sg",
    "ses",
    "enclosure",
    "sdhci_pci",
    "sdhci_acpi",
    "mmc_block",
    // Network cards.
    "e1000",
    "e1000e",
    "igb",
    "igbvf",
    "igc",
    "ixgb",
    "ixgbe",
    "ixgbevf",
    "i40e",
    "iavf",
    "ice",
    "mlx4_core",
    "mlx4_en",
    "mlx5_core",
    "bnxt_en",
    "bnx2",
    "bnx2x",
    "tg3",
    "b44",
    "be2net",
    "cxgb4",
    "cxgb4vf",
    "enic",
    "qede",
    "qed",
    "netxen_nic",
    "qlcnic",
    "sfc",
    "sfc_falcon",
    "r8169",
    "8139too",
    "8139cp",
    "forcedeth",
    "sky2",
    "skge",
    "atlantic",
    "ena",
    "ionic",
    "nfp",
    "fm10k",
    "liquidio",
    "hinic",
    "alx",
    "atl1c",
    "atl1e",
    "via_velocity",
    "realtek",
    "broadcom",
    "af_packet",
    "bonding",
    "8021q",
    // USB: keyboards of remote consoles, virtual media, network cards in a dongle.
    "xhci_pci",
    "xhci_hcd",
    "ehci_pci",
    "ohci_pci",
    "uhci_hcd",
    "usb_storage",
    "uas",
    "usbhid",
    "hid_generic",
    "usbnet",
    "cdc_ether",
    "cdc_ncm",
    "rndis_host",
    "r8152",
    "ax88179_178a",
    "asix",
    // File systems and what they need at run time without saying so.
    "ext4",
    "vfat",
    "xfs",
    "nls_cp437",
    "nls_ascii",
    "nls_iso8859_1",
    "nls_utf8",
    "crc32c_generic",
    "crc32c_intel",
    "crc32_pclmul",
    "efivarfs",
    "squashfs",
    "overlay",
    "loop",
    "isofs",
    // Volumes that were there before.
    "dm_mod",
    "dm_crypt",
    "dm_mirror",
    "dm_snapshot",
    "dm_thin_pool",
    "raid0",
    "raid1",
    "raid10",
    "raid456",
    "md_mod",
    // Management controller, firmware tables, watchdog-free basics.
    "ipmi_si",
    "ipmi_devintf",
    "ipmi_ssif",
    "ipmi_msghandler",
    "dmi_sysfs",
    "qemu_fw_cfg",
    "button",
    "i2c_i801",
    "i2c_piix4",
    "acpi_ipmi",
];

/// An unpacked kernel package.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    version: String,
}

impl Tree {
    /// Finds the kernel's version and makes the dependency list, which packages do not carry.
    pub(super) fn open(root: &Path) -> anyhow::Result<Self> {
        if !root.join("lib").exists() && root.join("usr/lib").exists() {
            std::os::unix::fs::symlink("usr/lib", root.join("lib"))?;
        }
        let folder = root.join("lib/modules");
        let mut versions =
            fs::read_dir(&folder).with_context(|| format!("no modules in {}", folder.display()))?;
        let version = versions.next().context("the kernel package has no modules")??.file_name();
        let version = version.to_string_lossy().into_owned();
        let root = root.to_owned();
        let tree = Self { root, version };
        tree.unpack_modules()?;
        tool::run(tool::command("depmod").arg("-b").arg(&tree.root).arg(&tree.version))?;
        Ok(tree)
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn vmlinuz(&self) -> anyhow::Result<PathBuf> {
        let path = self.root.join(format!("boot/vmlinuz-{}", self.version));
        if !path.is_file() {
            bail!("the kernel package has no boot/vmlinuz-{}", self.version);
        }
        Ok(path)
    }

    fn folder(&self) -> PathBuf {
        self.root.join("lib/modules").join(&self.version)
    }

    /// Newer releases compress each module; the initrd is compressed as a whole, which is smaller.
    fn unpack_modules(&self) -> anyhow::Result<()> {
        let mut folders = vec![self.folder()];
        let mut packed = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name().to_string_lossy().ends_with(".ko.xz") {
                    packed.push(entry.path());
                }
            }
        }
        if packed.is_empty() {
            return Ok(());
        }
        tool::require(&[("xz", "xz-utils")])?;
        for batch in packed.chunks(500) {
            tool::run(tool::command("xz").arg("-d").args(batch))?;
        }
        Ok(())
    }

    /// Paths, relative to the module folder, of all wanted modules and what they depend on.
    pub(super) fn wanted(&self) -> anyhow::Result<BTreeSet<String>> {
        let text = fs::read_to_string(self.folder().join("modules.dep"))?;
        Ok(with_dependencies(&text, WANTED))
    }

    /// Copies modules into `stage` and makes the alias tables for exactly them.
    pub(super) fn stage(&self, stage: &Path) -> anyhow::Result<()> {
        let target = stage.join("lib/modules").join(&self.version);
        let lists = ["modules.builtin", "modules.builtin.modinfo", "modules.order"];
        let lists = lists.iter().map(|it| (*it).to_owned());
        let lists = lists.filter(|it| self.folder().join(it).exists());
        for path in self.wanted()?.into_iter().chain(lists) {
            let to = target.join(&path);
            fs::create_dir_all(to.parent().unwrap_or(&target))?;
            fs::copy(self.folder().join(&path), &to)
                .with_context(|| format!("cannot copy the module {path}"))?;
        }
        tool::run(tool::command("depmod").arg("-b").arg(stage).arg(&self.version))?;
        Ok(())
    }
}

/// `modules.dep` lists, for every module, all modules that it needs, also indirectly.
fn with_dependencies(modules_dep: &str, wanted: &[&str]) -> BTreeSet<String> {
    let mut lines = BTreeMap::new();
    for line in modules_dep.lines() {
        if let Some((path, needs)) = line.split_once(':') {
            lines.insert(module_name(path), (path, needs));
        }
    }
    let found = wanted.iter().filter_map(|it| lines.get(*it));
    found
        .flat_map(|(path, needs)| std::iter::once(*path).chain(needs.split_whitespace()))
        .map(str::to_owned)
        .collect()
}

/// `kernel/drivers/net/e1000/e1000-x.ko` is `e1000_x`.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_along() {
        let text = "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko\n\
                    kernel/fs/jbd2/jbd2.ko:\nkernel/lib/crc16.ko:\n\
                    kernel/drivers/nvme/nvme-core.ko:\nkernel/sound/snd.ko:\n";
        let got = with_dependencies(text, &["ext4", "nvme_core", "absent"]);
        let want = [
            "kernel/drivers/nvme/nvme-core.ko",
            "kernel/fs/ext4/ext4.ko",
            "kernel/fs/jbd2/jbd2.ko",
            "kernel/lib/crc16.ko",
        ];
        assert_eq!(got.iter().map(String::as_str).collect::<Vec<_>>(), want);
    }
}
