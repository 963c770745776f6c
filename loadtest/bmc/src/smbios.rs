//! The firmware table by which a machine's own system finds its Redfish service.

use std::net::Ipv4Addr;

use crate::machine::config::MachineConfig;

const TYPE_HOST_INTERFACE: u8 = 42;
/// Ours to choose; QEMU numbers its own structures well below.
const HANDLE: u16 = 0x2a00;
const INTERFACE_NETWORK: u8 = 0x40;
const DEVICE_PCI_V2: u8 = 0x05;
const PROTOCOL_REDFISH_OVER_IP: u8 = 0x04;
const ASSIGNMENT_STATIC: u8 = 0x01;
const ASSIGNMENT_DHCP: u8 = 0x02;
const FORMAT_IPV4: u8 = 0x01;

/// Builds the whole structure, ready for `-smbios file=`: a Management Controller Host Interface
/// with one Redfish-over-IP record that names the BMC's address and port.
///
/// # Source
/// DSP0134 §7.43 for the frame; DSP0270 §8.3 for the device descriptor (PCI, version 2) and
/// §8.4 for the protocol record. Numbers are little-endian, IPv4 addresses take the first four
/// bytes of their 16-byte fields, UUIDs mix as everywhere in SMBIOS.
#[must_use]
pub fn host_interface(config: &MachineConfig) -> Vec<u8> {
    let device = device_descriptor(&config.mac);
    let record = protocol_record(config);
    let mut table = vec![TYPE_HOST_INTERFACE, 0];
    table.extend(HANDLE.to_le_bytes());
    table.push(INTERFACE_NETWORK);
    table.push(length(&device));
    table.extend(&device);
    table.push(1); // One protocol record follows.
    table.push(PROTOCOL_REDFISH_OVER_IP);
    table.push(length(&record));
    table.extend(&record);
    table[1] = length(&table);
    table.extend([0, 0]); // No strings.
    table
}

/// The card over which the host reaches the service: the boot card, as its BMC is on the same
/// network in the lab.
fn device_descriptor(mac: &str) -> Vec<u8> {
    const DESCRIPTOR_LEN: u8 = 20;
    let mut device = vec![DEVICE_PCI_V2, DESCRIPTOR_LEN];
    for id in [0x1af4_u16, 0x1000, 0x1af4, 0x0001] {
        device.extend(id.to_le_bytes()); // Vendor, device and subsystem of a virtio card.
    }
    device.extend(mac_bytes(mac));
    device.extend(0_u16.to_le_bytes()); // PCI segment.
    device.extend([0, 0]); // Bus, device and function: assigned by QEMU, not known here.
    debug_assert_eq!(device.len(), usize::from(DESCRIPTOR_LEN));
    device
}

fn protocol_record(config: &MachineConfig) -> Vec<u8> {
    let hostname = config.bmc.address.to_string();
    let mask = u32::MAX.checked_shl(32 - u32::from(config.bmc.prefix_len.min(32))).unwrap_or(0);
    let mask = Ipv4Addr::from(mask);
    let mut record = Vec::with_capacity(91 + hostname.len());
    record.extend(uuid_bytes(&config.uuid));
    record.extend([ASSIGNMENT_DHCP, FORMAT_IPV4]);
    record.extend([0; 16]); // The host's own address: not known before it has one.
    record.extend(address_bytes(mask));
    record.extend([ASSIGNMENT_STATIC, FORMAT_IPV4]);
    record.extend(address_bytes(config.bmc.address));
    record.extend(address_bytes(mask));
    record.extend(config.bmc.port.to_le_bytes());
    record.extend(0_u32.to_le_bytes()); // No VLAN.
    record.push(length(hostname.as_bytes()));
    record.extend(hostname.as_bytes());
    record
}

fn address_bytes(address: Ipv4Addr) -> [u8; 16] {
    let mut field = [0; 16];
    field[..4].copy_from_slice(&address.octets());
    field
}

fn mac_bytes(mac: &str) -> [u8; 6] {
    let mut bytes = [0; 6];
    for (byte, text) in bytes.iter_mut().zip(mac.split(':')) {
        *byte = u8::from_str_radix(text, 16).unwrap_or(0);
    }
    bytes
}

/// The first three fields of a UUID are numbers to SMBIOS, so their bytes stand reversed.
fn uuid_bytes(uuid: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    let text: String = uuid.chars().filter(|it| *it != '-').collect();
    if hex::decode_to_slice(&text, &mut bytes).is_err() {
        return [0; 16];
    }
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

/// Everything measured here is far shorter than 255 bytes.
fn length(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::sample;

    #[test]
    fn layout_follows_the_specification() {
        let table = host_interface(&sample());
        // The formatted part, then the two zeros of an empty string set.
        assert_eq!(table[0], 42);
        assert_eq!(usize::from(table[1]), table.len() - 2);
        assert_eq!(&table[table.len() - 2..], &[0, 0]);
        assert_eq!(table[4], 0x40, "network host interface");
        assert_eq!(table[5], 20, "interface specific data");
        assert_eq!(&table[6..8], &[0x05, 20], "PCI/PCIe version 2 and its own length");
        assert_eq!(&table[16..22], &[0x52, 0x54, 0, 0, 0, 1], "MAC address");
        assert_eq!(table[26], 1, "one protocol record");
        assert_eq!(table[27], 0x04, "Redfish over IP");

        let record = &table[29..table.len() - 2];
        assert_eq!(usize::from(table[28]), record.len());
        assert_eq!(&record[..8], &[0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x86]);
        assert_eq!(&record[8..16], &[0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]);
        assert_eq!(&record[16..18], &[2, 1], "host: DHCP, IPv4");
        assert_eq!(&record[34..38], &[255, 255, 255, 0], "host mask");
        assert_eq!(&record[50..52], &[1, 1], "service: static, IPv4");
        assert_eq!(&record[52..56], &[10, 77, 0, 201], "service address");
        assert_eq!(&record[56..68], &[0; 12]);
        assert_eq!(&record[68..72], &[255, 255, 255, 0], "service mask");
        assert_eq!(&record[84..86], &8000_u16.to_le_bytes(), "service port");
        assert_eq!(&record[86..90], &[0; 4], "no VLAN");
        assert_eq!(usize::from(record[90]), "10.77.0.201".len());
        assert_eq!(&record[91..], b"10.77.0.201");
    }
}
