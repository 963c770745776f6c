//! The firmware's boot entry for the installed system, through efivarfs.
//!
//! Source: UEFI specification 2.10 §3.1.3 (load options), §10.3 (device paths).

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::IFlags;

use super::gpt::Partition;
use crate::console::say;

pub(super) const VARIABLES: &str = "/sys/firmware/efi/efivars";

const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Non-volatile, visible to boot services and at run time.
const ATTRIBUTES: [u8; 4] = [7, 0, 0, 0];
const ACTIVE: [u8; 4] = [1, 0, 0, 0];
const DESCRIPTION: &str = "Ironherd disk";

/// Loaders that know where their configuration is, then the removable-media name.
const LOADERS: [&str; 10] = [
    "EFI/debian/shimx64.efi",
    "EFI/debian/grubx64.efi",
    "EFI/ubuntu/shimx64.efi",
    "EFI/ubuntu/grubx64.efi",
    "EFI/rocky/shimx64.efi",
    "EFI/almalinux/shimx64.efi",
    "EFI/fedora/shimx64.efi",
    "EFI/systemd/systemd-bootx64.efi",
    "EFI/BOOT/BOOTX64.EFI",
    "EFI/BOOT/BOOTAA64.EFI",
];

/// The best loader on a mounted EFI system partition, as a path with slashes.
pub(super) fn loader(esp: &Path) -> Option<String> {
    LOADERS.iter().find(|it| esp.join(it).is_file()).map(|it| (*it).to_owned())
}

/// Adds (or replaces) our entry. A boot order that starts with the network keeps doing so, since
/// the machine is driven through it; our entry then comes right behind the network entries.
pub(super) fn set_boot_entry(folder: &Path, esp: &Partition, loader: &str) -> Result<(), String> {
    let option = load_option(esp, loader);
    let order = boot_order(&read(folder, "BootOrder").unwrap_or_default());
    let entries: Vec<(u16, Vec<u8>)> = entry_numbers(folder)
        .into_iter()
        .filter_map(|it| Some((it, read(folder, &entry_name(it))?)))
        .collect();
    let ours = entries.iter().find(|(_, bytes)| description(bytes) == DESCRIPTION);
    let number = match ours {
        Some((number, _)) => *number,
        None => (0..=u16::MAX)
            .find(|it| entries.iter().all(|(taken, _)| taken != it))
            .ok_or("the firmware has no free boot entry")?,
    };
    if ours.is_none_or(|(_, bytes)| *bytes != option) {
        write(folder, &entry_name(number), &option)?;
    }
    let is_network =
        |number: u16| entries.iter().any(|(it, bytes)| *it == number && boots_from_network(bytes));
    let wanted = insert(&order, number, is_network);
    if wanted != order {
        let bytes: Vec<u8> = wanted.iter().flat_map(|it| it.to_le_bytes()).collect();
        write(folder, "BootOrder", &bytes)?;
    }
    say(&format!("{} boots {loader}", entry_name(number)));
    Ok(())
}

fn insert(order: &[u16], number: u16, is_network: impl Fn(u16) -> bool) -> Vec<u16> {
    let mut order: Vec<u16> = order.iter().copied().filter(|&it| it != number).collect();
    let at = order.iter().take_while(|&&it| is_network(it)).count();
    order.insert(at, number);
    order
}

fn entry_name(number: u16) -> String {
    format!("Boot{number:04X}")
}

fn entry_numbers(folder: &Path) -> Vec<u16> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.map(|it| it.file_name().to_string_lossy().into_owned());
    let number = |name: String| {
        let digits = name.strip_suffix(GLOBAL)?.strip_suffix('-')?.strip_prefix("Boot")?;
        (digits.len() == 4).then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    };
    let mut numbers: Vec<u16> = names.filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn boot_order(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|it| u16::from_le_bytes([it[0], it[1]])).collect()
}

/// A variable's value without the attributes that efivarfs puts in front.
fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    fs::read(folder.join(format!("{name}-{GLOBAL}"))).ok()?.get(4..).map(<[u8]>::to_vec)
}

/// The kernel guards variables against `rm -r`; and one variable must be written in one call.
fn write(folder: &Path, name: &str, value: &[u8]) -> Result<(), String> {
    let path = folder.join(format!("{name}-{GLOBAL}"));
    match File::open(&path) {
        Ok(file) => unlock(&file),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(format!("{name}: {error}")),
    }
    let bytes = [&ATTRIBUTES[..], value].concat();
    fs::write(&path, bytes).map_err(|error| format!("{name}: {error}"))
}

fn unlock(file: &File) {
    if let Ok(flags) = rustix::fs::ioctl_getflags(file) {
        // If this fails the write does too, and says why.
        let _ = rustix::fs::ioctl_setflags(file, flags - IFlags::IMMUTABLE);
    }
}

fn load_option(esp: &Partition, loader: &str) -> Vec<u8> {
    let path = device_path(esp, loader);
    let path_bytes = u16::try_from(path.len()).unwrap_or(u16::MAX);
    let mut option = ACTIVE.to_vec();
    option.extend(path_bytes.to_le_bytes());
    option.extend(utf16(DESCRIPTION));
    option.extend(path);
    option
}

/// `HD(n,GPT,id,start,size)/File(\EFI\…)`, the short form that firmware completes by itself.
fn device_path(esp: &Partition, loader: &str) -> Vec<u8> {
    const MEDIA: u8 = 4;
    let mut path = vec![MEDIA, 1, 42, 0];
    path.extend(esp.number.to_le_bytes());
    path.extend(esp.first_block.to_le_bytes());
    path.extend((esp.last_block - esp.first_block + 1).to_le_bytes());
    path.extend(esp.id);
    path.extend([2, 2]); // A GUID table, and the id is a GUID.
    let file = utf16(&format!("\\{}", loader.replace('/', "\\")));
    path.extend([MEDIA, 4]);
    path.extend(u16::try_from(4 + file.len()).unwrap_or(u16::MAX).to_le_bytes());
    path.extend(file);
    path.extend([0x7F, 0xFF, 4, 0]);
    path
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn description_end(option: &[u8]) -> Option<usize> {
    let text = option.get(6..)?;
    let end = text.chunks_exact(2).position(|it| it == [0, 0])?;
    Some(6 + 2 * end)
}

fn description(option: &[u8]) -> String {
    let end = description_end(option).unwrap_or(6);
    let text = option.get(6..end).unwrap_or_default();
    let units: Vec<u16> =
        text.chunks_exact(2).map(|it| u16::from_le_bytes([it[0], it[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// True if the device path goes through a network card (messaging type, MAC address node).
fn boots_from_network(option: &[u8]) -> bool {
    const MESSAGING: u8 = 3;
    const MAC_ADDRESS: u8 = 11;
    let start = description_end(option).map_or(option.len(), |it| it + 2);
    let mut rest = option.get(start..).unwrap_or_default();
    while let [kind, subkind, low, high, ..] = *rest {
        let length = usize::from(u16::from_le_bytes([low, high]));
        if (kind, subkind) == (MESSAGING, MAC_ADDRESS) {
            return true;
        }
        if kind == 0x7F || length < 4 {
            return false;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESP: Partition = Partition {
        number: 2,
        kind: [0; 16],
        id: [7; 16],
        first_block: 4096,
        last_block: 4096 + 131_071,
    };

    fn put(folder: &Path, name: &str, value: &[u8]) {
        let bytes = [&ATTRIBUTES[..], value].concat();
        fs::write(folder.join(format!("{name}-{GLOBAL}")), bytes).unwrap();
    }

    fn option(text: &str, node: [u8; 2]) -> Vec<u8> {
        let mut option = vec![1, 0, 0, 0, 8, 0];
        option.extend(utf16(text));
        option.extend([node[0], node[1], 4, 0, 0x7F, 0xFF, 4, 0]);
        option
    }

    #[test]
    fn the_network_stays_first_if_it_was() {
        let rows: [(&[u16], &[u16]); 4] = [
            (&[1, 2, 3], &[1, 2, 0, 3]), // 1 and 2 are network cards.
            (&[3, 1], &[0, 3, 1]),
            (&[], &[0]),
            (&[1, 0], &[1, 0]),
        ];
        for (order, want) in rows {
            assert_eq!(insert(order, 0, |it| it == 1 || it == 2), want, "{order:?}");
        }
    }

    #[test]
    fn an_entry_is_added_once() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        put(folder, "Boot0000", &option("UiApp", [4, 7]));
        put(folder, "Boot0001", &option("UEFI PXEv4", [3, 11]));
        put(folder, "BootOrder", &[1, 0, 0, 0]);
        for _ in 0..2 {
            set_boot_entry(folder, &ESP, "EFI/debian/grubx64.efi").unwrap();
            assert_eq!(boot_order(&read(folder, "BootOrder").unwrap()), [1, 2, 0]);
            assert_eq!(entry_numbers(folder), [0, 1, 2]);
        }
        let entry = read(folder, "Boot0002").unwrap();
        assert_eq!(description(&entry), DESCRIPTION);
        assert!(!boots_from_network(&entry));
        let file = utf16("\\EFI\\debian\\grubx64.efi");
        assert!(entry.windows(file.len()).any(|it| it == file));
    }

    #[test]
    fn cut_options_are_harmless() {
        let whole = option("UEFI PXEv4", [3, 11]);
        for end in 0..whole.len() {
            let _any_answer_will_do = boots_from_network(&whole[..end]);
            let _any_answer_will_do = description(&whole[..end]);
        }
        assert!(boots_from_network(&whole));
    }
}
