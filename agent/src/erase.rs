//! The quick erase: what makes a disk's content findable goes, and the disk may drop the rest.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::deploy::{partitions, wipe_range};
use crate::inventory::{self, BlockDevice};
use crate::progress::{Progress, TaskError};
use crate::system::busybox;

const END_BYTES: u64 = 16 << 20;
/// File systems, RAID and LVM keep their signatures within this far of a partition's ends.
const PARTITION_BYTES: u64 = 1 << 20;

/// Erases every disk of the machine itself. The text lists what was done to each.
///
/// Finding none is a failure: only machines with data on their disks are sent here.
pub(crate) fn erase(progress: &Progress) -> Result<String, TaskError> {
    progress.step("Erasing the disks");
    let disks = inventory::block_devices(Path::new("/"));
    let disks: Vec<BlockDevice> = disks.into_iter().filter(|it| !it.external).collect();
    if disks.is_empty() {
        let reason = "no disk was found, so nothing was erased; look at the storage controller, or \
                      release with erase NONE";
        return Err(TaskError::failed("Erasing the disks", reason.to_owned()));
    }
    let mut done = Vec::new();
    for (device, index) in disks.iter().zip(0..) {
        progress.check()?;
        let node = PathBuf::from(format!("/dev/{}", device.disk.name));
        let report = erase_disk(&node, device)
            .map_err(|reason| TaskError::failed("Erasing the disks", reason))?;
        progress.message(&report);
        progress.bytes(index + 1, disks.len() as u64);
        done.push(report);
    }
    Ok(done.join("; "))
}

fn erase_disk(node: &Path, device: &BlockDevice) -> Result<String, String> {
    let name = &device.disk.name;
    if device.read_only {
        return Err(format!("{name} is write-protected"));
    }
    let file = OpenOptions::new().read(true).write(true).open(node);
    let file = file.map_err(|error| format!("{name}: {error}"))?;
    let ranges = ranges(&file, device);
    // Discarding first: a disk may give back old bytes for discarded blocks, zeros stay zeros.
    let discarded = busybox(&["blkdiscard", &node.to_string_lossy()]).is_ok();
    for &(start, length) in &ranges {
        wipe_range(&file, start, length).map_err(|error| format!("{name}: {error}"))?;
    }
    file.sync_all().map_err(|error| format!("{name}: {error}"))?;
    drop(file);
    verify(node, &ranges).map_err(|reason| format!("{name}: {reason}"))?;
    let discard = if discarded { "discarded" } else { "discard not supported" };
    Ok(format!("{name} ({}): wiped and verified, {discard}", device.disk.path))
}

/// Both ends of the disk and of each partition, cut to the disk.
fn ranges(file: &File, device: &BlockDevice) -> Vec<(u64, u64)> {
    let size = device.disk.size_bytes;
    let end = END_BYTES.min(size);
    let mut ranges = vec![(0, end), (size - end, end)];
    let sector = u64::from(device.sector_bytes);
    for partition in partitions(file, device.sector_bytes) {
        let first = partition.first_block.saturating_mul(sector);
        let last = partition.last_block.saturating_add(1).saturating_mul(sector).min(size);
        let length = PARTITION_BYTES.min(last.saturating_sub(first));
        if 0 < length {
            ranges.push((first, length));
            ranges.push((last - length, length));
        }
    }
    ranges
}

/// Reads the wiped ranges back from the disk itself, not from memory.
fn verify(node: &Path, ranges: &[(u64, u64)]) -> Result<(), String> {
    const CHUNK: usize = 1 << 20;
    const ALIGNMENT: usize = 4096;
    let flags = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(node)
        .or_else(|_| File::open(node))
        .map_err(|error| error.to_string())?;
    let mut memory = vec![0; CHUNK + ALIGNMENT];
    let start = memory.as_ptr().align_offset(ALIGNMENT);
    let buffer = &mut memory[start..start + CHUNK];
    for &(first, length) in ranges {
        let mut at = first;
        while at < first + length {
            let n = usize::try_from(first + length - at).unwrap_or(CHUNK).min(CHUNK);
            file.read_exact_at(&mut buffer[..n], at).map_err(|error| error.to_string())?;
            if let Some(offset) = buffer[..n].iter().position(|&it| it != 0) {
                return Err(format!("byte {} is not zero after the wipe", at + offset as u64));
            }
            at += n as u64;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Disk;

    const SIZE: u64 = 48 << 20;

    fn disk() -> (tempfile::NamedTempFile, BlockDevice) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![0xAA; usize::try_from(SIZE).unwrap()]).unwrap();
        let disk = Disk { name: "sda".to_owned(), size_bytes: SIZE, ..Disk::default() };
        let device = BlockDevice { disk, external: false, read_only: false, sector_bytes: 512 };
        (file, device)
    }

    #[test]
    fn both_ends_are_wiped_and_verified() {
        let (file, device) = disk();
        let report = erase_disk(file.path(), &device).unwrap();
        assert!(report.contains("wiped and verified"), "{report}");
        let bytes = std::fs::read(file.path()).unwrap();
        let end = usize::try_from(END_BYTES).unwrap();
        assert!(bytes[..end].iter().all(|&it| it == 0));
        assert!(bytes[bytes.len() - end..].iter().all(|&it| it == 0));
    }

    #[test]
    fn bytes_left_behind_are_found() {
        let (file, device) = disk();
        erase_disk(file.path(), &device).unwrap();
        file.as_file().write_all_at(&[1], SIZE - 1).unwrap();
        let error = verify(file.path(), &[(SIZE - END_BYTES, END_BYTES)]).unwrap_err();
        assert!(error.contains(&format!("byte {}", SIZE - 1)), "{error}");
    }

    #[test]
    fn a_protected_disk_fails_by_name() {
        let (file, mut device) = disk();
        device.read_only = true;
        let error = erase_disk(file.path(), &device).unwrap_err();
        assert!(error.contains("sda is write-protected"), "{error}");
    }
}
