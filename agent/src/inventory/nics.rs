//! Network cards: interfaces with hardware behind them.

use std::path::Path;

use super::{link_name, names, pci_address, read_number, read_text};
use crate::protocol::Nic;

pub(super) fn nics(root: &Path) -> Vec<Nic> {
    let folder = root.join("sys/class/net");
    names(&folder)
        .into_iter()
        .filter(|name| folder.join(name).join("device").exists())
        .filter_map(|name| nic(&folder.join(&name), name))
        .collect()
}

fn nic(path: &Path, name: String) -> Option<Nic> {
    Some(Nic {
        name,
        mac_address: read_text(&path.join("address"))?.to_ascii_lowercase(),
        driver: link_name(&path.join("device/driver")),
        link_up: read_number(&path.join("carrier")) == Some(1_u8),
        // -1 and 4294967295 both mean "unknown"; virtual cards say so.
        speed_mbps: read_number::<i64>(&path.join("speed"))
            .and_then(|it| u32::try_from(it).ok())
            .filter(|&it| 0 < it && it < u32::MAX),
        pci_address: pci_address(&path.join("device")),
    })
}
