//! PCI functions.

use std::path::Path;

use super::{link_name, names, read_text};
use crate::protocol::PciDevice;

pub(super) fn pci(root: &Path) -> Vec<PciDevice> {
    let folder = root.join("sys/bus/pci/devices");
    names(&folder).into_iter().filter_map(|name| pci_device(&folder.join(&name), name)).collect()
}

fn pci_device(path: &Path, address: String) -> Option<PciDevice> {
    let hex = |file: &str| {
        let text = read_text(&path.join(file))?;
        Some(text.trim_start_matches("0x").to_owned())
    };
    Some(PciDevice {
        address,
        vendor_id: hex("vendor")?,
        device_id: hex("device")?,
        class: hex("class")?,
        driver: link_name(&path.join("driver")),
    })
}
