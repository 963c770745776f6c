//! The GUID partition table: fits a freshly written image to its disk.
//!
//! Source: UEFI specification 2.10 §5.3.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::console::say;

const SIGNATURE: &[u8; 8] = b"EFI PART";
const ENTRY_BYTES_MIN: usize = 128;
const ENTRIES_MAX: usize = 1024;
/// Partitions end on this border, in bytes.
const ALIGNMENT: u64 = 1 << 20;

const TYPE_ESP: [u8; 16] = guid(0xC12A_7328, 0xF81F, 0x11D2, 0xBA4B_00A0_C93E_C93B);
const TYPES_LINUX: [[u8; 16]; 3] = [
    guid(0x0FC6_3DAF, 0x8483, 0x4772, 0x8E79_3D69_D847_7DE4), // Linux file system
    guid(0x4F68_BCE3, 0xE8CD, 0x4DB1, 0x96E7_FBCA_F984_B709), // root, x86-64
    guid(0xB921_B045, 0x1DF0, 0x41C3, 0xAF44_4C6F_280D_3FAE), // root, arm64
];

/// The first three fields are little-endian on the disk, the last two are not.
const fn guid(a: u32, b: u16, c: u16, d: u64) -> [u8; 16] {
    let (a, b, c, d) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes(), d.to_be_bytes());
    [a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]]
}

/// One partition. Numbers count from 1, blocks are logical sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) number: u32,
    pub(crate) kind: [u8; 16],
    pub(crate) id: [u8; 16],
    pub(crate) first_block: u64,
    pub(crate) last_block: u64,
}

/// What the later steps need to know of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) partitions: Vec<Partition>,
    /// Number of the Linux partition that lies last on the disk.
    pub(crate) root: Option<u32>,
    pub(crate) esp: Option<Partition>,
}

/// Moves the backup table to the end of the disk and grows the last partition, if it is Linux's.
pub(crate) fn fit(node: &Path, disk_bytes: u64, sector_bytes: u32) -> Result<Layout, String> {
    let file = OpenOptions::new().read(true).write(true).open(node);
    let file = file.map_err(|error| format!("{}: {error}", node.display()))?;
    let mut table = Table::read(&file, u64::from(sector_bytes))?;
    table.fit(disk_bytes / u64::from(sector_bytes))?;
    table.write(&file).map_err(|error| format!("{}: {error}", node.display()))?;
    Ok(table.layout())
}

/// Partitions of a disk, or none where there is no readable table.
pub(crate) fn partitions(file: &File, sector_bytes: u32) -> Vec<Partition> {
    Table::read(file, u64::from(sector_bytes)).map(|it| it.partitions()).unwrap_or_default()
}

struct Table {
    sector_bytes: u64,
    header: Vec<u8>,
    entries: Vec<u8>,
    entry_bytes: usize,
}

impl Table {
    fn read(file: &File, sector_bytes: u64) -> Result<Self, String> {
        let size = usize::try_from(sector_bytes).map_err(|error| error.to_string())?;
        let mut header = vec![0; size];
        file.read_exact_at(&mut header, sector_bytes).map_err(|error| error.to_string())?;
        if &header[..8] != SIGNATURE {
            let mut elsewhere = [0; 8];
            let other = if sector_bytes == 512 { 4096 } else { 512 };
            let found = file.read_exact_at(&mut elsewhere, other).is_ok();
            if found && &elsewhere == SIGNATURE {
                return Err(format!(
                    "the image has sectors of {other} bytes, the disk of {sector_bytes}"
                ));
            }
            return Err("the image has no GUID partition table".to_owned());
        }
        let header_bytes = count(&header, 12);
        if !(92..=size).contains(&header_bytes)
            || header_crc(&header, header_bytes) != long(&header, 16)
        {
            return Err("the image's partition table header is damaged".to_owned());
        }
        let (entry_count, entry_bytes) = (count(&header, 80), count(&header, 84));
        if ENTRIES_MAX < entry_count || entry_bytes < ENTRY_BYTES_MIN || size < entry_bytes {
            return Err("the image's partition table has an odd size".to_owned());
        }
        let mut entries = vec![0; entry_count * entry_bytes];
        let entries_at = wide(&header, 72).saturating_mul(sector_bytes);
        file.read_exact_at(&mut entries, entries_at).map_err(|error| error.to_string())?;
        if crc32(&entries) != long(&header, 88) {
            return Err("the image's partition entries are damaged".to_owned());
        }
        header[header_bytes..].fill(0);
        Ok(Self { sector_bytes, header, entries, entry_bytes })
    }

    fn partitions(&self) -> Vec<Partition> {
        let entries = self.entries.chunks_exact(self.entry_bytes).zip(1..);
        let used = entries.filter(|(entry, _)| entry[..16] != [0; 16]);
        used.map(|(entry, number)| Partition {
            number,
            kind: sixteen(entry, 0),
            id: sixteen(entry, 16),
            first_block: wide(entry, 32),
            last_block: wide(entry, 40),
        })
        .collect()
    }

    fn layout(&self) -> Layout {
        let partitions = self.partitions();
        let linux = partitions.iter().filter(|it| TYPES_LINUX.contains(&it.kind));
        Layout {
            root: linux.max_by_key(|it| it.first_block).map(|it| it.number),
            esp: partitions.iter().find(|it| it.kind == TYPE_ESP).copied(),
            partitions,
        }
    }

    /// Makes header and entries right for a disk of `blocks` sectors. Changes memory only.
    fn fit(&mut self, blocks: u64) -> Result<(), String> {
        let last = blocks.saturating_sub(1);
        let last_usable = last.saturating_sub(self.entry_blocks() + 1);
        let partitions = self.partitions();
        let end = partitions.iter().max_by_key(|it| it.last_block);
        if end.is_some_and(|it| last_usable < it.last_block) {
            return Err("a partition of the image lies beyond the end of the disk".to_owned());
        }
        self.header[32..40].copy_from_slice(&last.to_le_bytes());
        self.header[48..56].copy_from_slice(&last_usable.to_le_bytes());
        match end {
            Some(end) if TYPES_LINUX.contains(&end.kind) => {
                let step = (ALIGNMENT / self.sector_bytes).max(1);
                let grown = ((last_usable + 1) / step * step).saturating_sub(1);
                let at = (end.number as usize - 1) * self.entry_bytes + 40;
                let grown = grown.max(end.last_block);
                self.entries[at..at + 8].copy_from_slice(&grown.to_le_bytes());
            }
            _ => say("the last partition is not Linux's, so none was grown"),
        }
        Ok(())
    }

    fn entry_blocks(&self) -> u64 {
        (self.entries.len() as u64).div_ceil(self.sector_bytes)
    }

    /// Writes the backup first: a cut in between leaves one whole table on the disk.
    fn write(&self, file: &File) -> std::io::Result<()> {
        let last = wide(&self.header, 32);
        let backup_entries = last - self.entry_blocks();
        let backup = self.sealed_header(last, 1, backup_entries);
        file.write_all_at(&self.entries, backup_entries * self.sector_bytes)?;
        file.write_all_at(&backup, last * self.sector_bytes)?;
        file.sync_all()?;
        let entries_at = wide(&self.header, 72);
        let primary = self.sealed_header(1, last, entries_at);
        file.write_all_at(&self.entries, entries_at * self.sector_bytes)?;
        file.write_all_at(&primary, self.sector_bytes)?;
        write_protective_mbr(file, last)?;
        file.sync_all()
    }

    fn sealed_header(&self, here: u64, other: u64, entries_at: u64) -> Vec<u8> {
        let mut header = self.header.clone();
        header[24..32].copy_from_slice(&here.to_le_bytes());
        header[32..40].copy_from_slice(&other.to_le_bytes());
        header[72..80].copy_from_slice(&entries_at.to_le_bytes());
        header[88..92].copy_from_slice(&crc32(&self.entries).to_le_bytes());
        let crc = header_crc(&header, count(&header, 12));
        header[16..20].copy_from_slice(&crc.to_le_bytes());
        header
    }
}

/// The size field of the protective entry covers the whole disk, as far as 32 bits reach. The boot
/// code before it stays.
fn write_protective_mbr(file: &File, last_block: u64) -> std::io::Result<()> {
    const PROTECTIVE: u8 = 0xEE;
    let mut mbr = [0; 512];
    file.read_exact_at(&mut mbr, 0)?;
    let entry = (0..4).map(|it| 446 + 16 * it).find(|&at| mbr[at + 4] == PROTECTIVE);
    let Some(at) = entry else { return Ok(()) };
    let blocks = u32::try_from(last_block).unwrap_or(u32::MAX);
    mbr[at + 12..at + 16].copy_from_slice(&blocks.to_le_bytes());
    file.write_all_at(&mbr, 0)
}

fn header_crc(header: &[u8], header_bytes: usize) -> u32 {
    let mut bytes = header[..header_bytes].to_vec();
    bytes[16..20].fill(0);
    crc32(&bytes)
}

/// CRC-32 as in zlib. Tables of a few kilobytes once per deployment need no fast one.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn count(bytes: &[u8], at: usize) -> usize {
    usize::try_from(long(bytes, at)).unwrap_or(usize::MAX)
}

fn wide(bytes: &[u8], at: usize) -> u64 {
    u64::from(long(bytes, at)) | u64::from(long(bytes, at + 4)) << 32
}

fn sixteen(bytes: &[u8], at: usize) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&bytes[at..at + 16]);
    out
}

#[cfg(test)]
mod tests;
