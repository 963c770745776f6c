//! What the machine is made of, read from `/sys` and `/proc`.
//!
//! Every function takes the root of the file tree, so that tests read a fixture.

mod cpu;
mod disks;
mod nics;
mod pci;

use std::path::{Path, PathBuf};

use crate::protocol::{Firmware, FirmwareKind, Hardware, System};
use crate::smbios;

pub(crate) use disks::{BlockDevice, block_devices, natural_key};

/// Takes stock of the machine whose file tree starts at `root`.
pub(crate) fn hardware(root: &Path) -> Hardware {
    let cpu = cpu::cpu(root);
    Hardware {
        cpu_model: cpu.model,
        cpu_sockets: cpu.sockets,
        cpu_cores: cpu.cores,
        cpu_threads: cpu.threads,
        memory_bytes: memory_bytes(root),
        system: system(root),
        firmware: firmware(root),
        disks: block_devices(root).into_iter().map(|it| it.disk).collect(),
        nics: nics::nics(root),
        pci: pci::pci(root),
    }
}

pub(crate) fn firmware_kind(root: &Path) -> FirmwareKind {
    if root.join("sys/firmware/efi").is_dir() { FirmwareKind::Uefi } else { FirmwareKind::Bios }
}

/// The raw SMBIOS table; empty where the firmware has none.
pub(crate) fn smbios_table(root: &Path) -> Vec<u8> {
    std::fs::read(root.join("sys/firmware/dmi/tables/DMI")).unwrap_or_default()
}

fn memory_bytes(root: &Path) -> u64 {
    // What is plugged in, not what the kernel left over; virtual machines may not tell.
    smbios::memory_bytes(&smbios_table(root)).unwrap_or_else(|| {
        let text = std::fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
        mem_total_bytes(&text)
    })
}

fn mem_total_bytes(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|it| it.split_whitespace().next()).and_then(|it| it.parse().ok());
    kib.unwrap_or(0_u64) * 1024
}

fn system(root: &Path) -> System {
    let dmi = root.join("sys/class/dmi/id");
    let tree = root.join("sys/firmware/devicetree/base"); // Boards without DMI (arm64).
    System {
        vendor: read_text(&dmi.join("sys_vendor")),
        product: read_text(&dmi.join("product_name")).or_else(|| read_text(&tree.join("model"))),
        serial: read_text(&dmi.join("product_serial"))
            .or_else(|| read_text(&tree.join("serial-number"))),
        uuid: read_text(&dmi.join("product_uuid")).map(|it| it.to_ascii_lowercase()),
    }
}

fn firmware(root: &Path) -> Firmware {
    let dmi = root.join("sys/class/dmi/id");
    Firmware {
        kind: firmware_kind(root),
        vendor: read_text(&dmi.join("bios_vendor")),
        version: read_text(&dmi.join("bios_version")),
        date: read_text(&dmi.join("bios_date")),
    }
}

/// A file's text without padding; `None` if unreadable or blank.
fn read_text(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

fn read_number<T: std::str::FromStr>(path: &Path) -> Option<T> {
    read_text(path)?.parse().ok()
}

/// The last part of a symbolic link's target, e.g. a driver's name.
fn link_name(path: &Path) -> Option<String> {
    let target = std::fs::read_link(path).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}

/// Names in a folder, sorted; an absent folder is an empty one.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The PCI function that a device hangs off: the innermost path component like `0000:00:03.0`.
fn pci_address(device: &Path) -> Option<String> {
    let real: PathBuf = device.canonicalize().ok()?;
    let parts: Vec<_> = real.components().map(|it| it.as_os_str().to_string_lossy()).collect();
    parts.iter().rev().find(|it| is_pci_address(it)).map(|it| it.to_string())
}

fn is_pci_address(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() == 12
        && (bytes[4], bytes[7], bytes[10]) == (b':', b':', b'.')
        && bytes.iter().filter(|it| it.is_ascii_hexdigit()).count() == 9
}

#[cfg(test)]
mod tests;
