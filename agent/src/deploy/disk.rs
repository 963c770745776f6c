//! Which disk gets the system, and how its parts are named and wiped.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::inventory::{BlockDevice, natural_key};

/// Chooses the disk to install on.
///
/// The rule: of the disks that are neither external nor write-protected and hold the image, the
/// first by name (`nvme0n1` before `sda` before `vda`, numbers as numbers). USB disks and MMC
/// chips come last, because servers carry them for other ends.
pub(super) fn choose(
    disks: &[BlockDevice],
    image_bytes: Option<u64>,
) -> Result<BlockDevice, String> {
    let rank = |it: &BlockDevice| match it.disk.transport.as_deref() {
        Some("usb") => 2,
        Some("mmc") => 1,
        _ => 0,
    };
    let needed = image_bytes.unwrap_or(0);
    let fits = |it: &&BlockDevice| !it.external && !it.read_only && needed <= it.disk.size_bytes;
    let best = disks.iter().filter(fits).min_by_key(|it| (rank(it), natural_key(&it.disk.name)));
    best.cloned().ok_or_else(|| {
        let seen = disks.iter().map(|it| format!("{} {} bytes", it.disk.name, it.disk.size_bytes));
        let seen: Vec<String> = seen.collect();
        let seen = if seen.is_empty() { "none".to_owned() } else { seen.join(", ") };
        format!("no disk can hold the image of {needed} bytes; disks found: {seen}")
    })
}

/// `sda` 1 is `sda1`, `nvme0n1` 1 is `nvme0n1p1`.
pub(crate) fn partition_name(disk: &str, number: u32) -> String {
    let separator = if disk.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
    format!("{disk}{separator}{number}")
}

/// Overwrites a range with zeros.
pub(crate) fn wipe_range(file: &File, start: u64, length: u64) -> std::io::Result<()> {
    const CHUNK: usize = 1 << 20;
    let zeros = vec![0; CHUNK];
    let mut at = start;
    let end = start + length;
    while at < end {
        let n = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
        file.write_all_at(&zeros[..n], at)?;
        at += n as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Disk;

    fn disk(name: &str, gib: u64, transport: &str) -> BlockDevice {
        BlockDevice {
            disk: Disk {
                name: name.to_owned(),
                size_bytes: gib << 30,
                transport: Some(transport.to_owned()),
                ..Disk::default()
            },
            external: false,
            read_only: false,
            sector_bytes: 512,
        }
    }

    #[test]
    fn the_first_fitting_disk_by_name_wins() {
        let rows = [
            ([("sdb", 100, "sata"), ("sda", 100, "sata")], Some("sda")),
            ([("sda", 1, "sata"), ("sdb", 100, "sata")], Some("sdb")),
            ([("sda", 100, "usb"), ("sdb", 100, "sata")], Some("sdb")),
            ([("nvme10n1", 100, "nvme"), ("nvme9n1", 100, "nvme")], Some("nvme9n1")),
            ([("mmcblk0", 100, "mmc"), ("sda", 100, "usb")], Some("mmcblk0")),
            ([("sda", 1, "sata"), ("sdb", 2, "sata")], None),
        ];
        for (disks, want) in rows {
            let disks: Vec<_> = disks.iter().map(|it| disk(it.0, it.1, it.2)).collect();
            let got = choose(&disks, Some(4 << 30)).map(|it| it.disk.name);
            assert_eq!(got.as_deref().ok(), want, "{disks:?}");
        }
    }

    #[test]
    fn removable_and_protected_disks_are_refused_by_name() {
        let mut stick = disk("sda", 100, "sata");
        stick.external = true;
        let mut locked = disk("sdb", 100, "sata");
        locked.read_only = true;
        let error = choose(&[stick, locked], None).unwrap_err();
        assert!(error.contains("sda") && error.contains("sdb"), "{error}");
    }

    #[test]
    fn partition_names() {
        for (disk, want) in [("sda", "sda2"), ("nvme0n1", "nvme0n1p2"), ("mmcblk0", "mmcblk0p2")] {
            assert_eq!(partition_name(disk, 2), want);
        }
    }
}
