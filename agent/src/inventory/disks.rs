//! Disks: real block devices, in a stable order, with the names that udev would give them.

use std::path::Path;

use super::{link_name, names, read_number, read_text};
use crate::protocol::Disk;

/// Block devices that are not disks of the machine.
const NOT_DISKS: [&str; 9] = ["loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd", "mtdblock"];

/// A disk and what choosing and wiping it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockDevice {
    pub(crate) disk: Disk,
    /// Not the machine's own: a stick, a USB disk, or a disk that other machines may reach too.
    /// Nothing is ever installed on or erased from these.
    pub(crate) external: bool,
    pub(crate) read_only: bool,
    pub(crate) sector_bytes: u32,
}

/// All disks below `root`, ordered by name with numbers compared as numbers.
pub(crate) fn block_devices(root: &Path) -> Vec<BlockDevice> {
    let folder = root.join("sys/block");
    let mut devices: Vec<BlockDevice> = names(&folder)
        .into_iter()
        .filter(|name| !NOT_DISKS.iter().any(|prefix| name.starts_with(prefix)))
        // The boot areas of eMMC chips are tiny disks of their own.
        .filter(|name| !(name.starts_with("mmcblk") && name.contains("boot")))
        // One path of several to an NVMe disk: it has no device node of its own.
        .filter(|name| read_number::<u8>(&folder.join(name).join("hidden")) != Some(1))
        .filter_map(|name| block_device(&folder, &name))
        .collect();
    devices.sort_by_key(|it| natural_key(&it.disk.name));
    devices
}

fn block_device(folder: &Path, name: &str) -> Option<BlockDevice> {
    const SECTOR_BYTES: u64 = 512; // The unit of `size`, whatever the disk's own sectors are.
    let path = folder.join(name);
    let size_bytes = read_number::<u64>(&path.join("size"))? * SECTOR_BYTES;
    if size_bytes == 0 {
        return None; // A card reader without a card.
    }
    let model = read_text(&path.join("device/model"));
    let serial = serial(&path);
    let transport = transport(&path, name);
    let shared = matches!(transport.as_deref(), Some("usb" | "fc" | "iscsi"));
    let disk = Disk {
        name: name.to_owned(),
        path: stable_path(name, transport.as_deref(), model.as_deref(), serial.as_deref(), &path),
        model,
        serial,
        size_bytes,
        rotational: read_number(&path.join("queue/rotational")) == Some(1_u8),
        transport,
    };
    Some(BlockDevice {
        disk,
        external: shared || read_number(&path.join("removable")) == Some(1_u8),
        read_only: read_number(&path.join("ro")) == Some(1_u8),
        sector_bytes: read_number(&path.join("queue/logical_block_size")).unwrap_or(512),
    })
}

fn serial(path: &Path) -> Option<String> {
    read_text(&path.join("serial")) // virtio
        .or_else(|| read_text(&path.join("device/serial"))) // NVMe, MMC
        .or_else(|| {
            // SCSI: vital product data page 0x80, after a header of four bytes.
            let page = std::fs::read(path.join("device/vpd_pg80")).ok()?;
            let text = String::from_utf8_lossy(page.get(4..)?).trim().to_owned();
            (!text.is_empty()).then_some(text)
        })
}

fn transport(path: &Path, name: &str) -> Option<String> {
    let real = path.canonicalize().ok()?.to_string_lossy().into_owned();
    let vendor = read_text(&path.join("device/vendor"));
    let kind = if name.starts_with("nvme") {
        "nvme"
    } else if name.starts_with("mmcblk") {
        "mmc"
    } else if real.contains("/usb") {
        "usb"
    } else if real.contains("/rport-") {
        "fc"
    } else if real.contains("/session") {
        "iscsi"
    } else if real.contains("/virtio") {
        "virtio"
    } else if real.contains("/ata") || vendor.as_deref() == Some("ATA") {
        "sata"
    } else if real.contains("/end_device-") {
        "sas"
    } else if link_name(&path.join("device/subsystem")).as_deref() == Some("scsi") {
        "scsi"
    } else {
        return None;
    };
    Some(kind.to_owned())
}

/// The name udev would put under /dev/disk/by-id; there is no udev in the RAM system.
fn stable_path(
    name: &str,
    transport: Option<&str>,
    model: Option<&str>,
    serial: Option<&str>,
    path: &Path,
) -> String {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join("_");
    let id = match (transport, model, serial) {
        (Some("virtio"), None, Some(serial)) => Some(format!("virtio-{}", plain(serial))),
        (Some("nvme"), Some(model), Some(serial)) => {
            Some(format!("nvme-{}_{}", plain(model), plain(serial)))
        }
        (Some("sata"), Some(model), Some(serial)) => {
            Some(format!("ata-{}_{}", plain(model), plain(serial)))
        }
        _ => read_text(&path.join("device/wwid"))
            .and_then(|wwid| wwid.strip_prefix("naa.").map(|it| format!("wwn-0x{it}"))),
    };
    id.map_or_else(|| format!("/dev/{name}"), |id| format!("/dev/disk/by-id/{id}"))
}

/// Sort key under which `sda` < `sdb` < `sdaa` and `nvme2n1` < `nvme10n1`.
pub(crate) fn natural_key(name: &str) -> (String, u64, String) {
    for prefix in ["sd", "vd", "xvd", "hd"] {
        let letters = name.strip_prefix(prefix).unwrap_or_default();
        if (1..=6).contains(&letters.len()) && letters.bytes().all(|it| it.is_ascii_lowercase()) {
            // The kernel counts a…z, aa…zz: digits from 1 to 26.
            let index = letters.bytes().fold(0, |sum, it| sum * 26 + u64::from(it - b'a') + 1);
            return (prefix.to_owned(), index, String::new());
        }
    }
    let start = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (stem, rest) = name.split_at(start);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, tail) = rest.split_at(end);
    (stem.to_owned(), digits.parse().unwrap_or(0), tail.to_owned())
}
