//! The firmware's SMBIOS table: memory modules and the Redfish host interface.
//!
//! Source: DMTF DSP0134 (SMBIOS) §6.1, §7.18, §7.43 and DSP0270 (Redfish Host Interface) §6-8.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const MEMORY_DEVICE: u8 = 17;
const HOST_INTERFACE: u8 = 42;
const END_OF_TABLE: u8 = 127;
const NETWORK_HOST_INTERFACE: u8 = 0x40;
const REDFISH_OVER_IP: u8 = 0x04;

/// One structure: its type and its formatted area, header included, strings left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Structure<'a> {
    pub(crate) kind: u8,
    pub(crate) formatted: &'a [u8],
}

/// Walks the table. Firmware is not trusted: a structure that leads outside ends the walk.
pub(crate) fn structures(table: &[u8]) -> impl Iterator<Item = Structure<'_>> {
    let mut rest = table;
    std::iter::from_fn(move || {
        let (&kind, &length) = (rest.first()?, rest.get(1)?);
        let length = usize::from(length);
        if length < 4 || kind == END_OF_TABLE {
            return None;
        }
        let formatted = rest.get(..length)?;
        let strings = &rest[length..];
        // The strings end with two zero bytes, also when there are none.
        let end = strings.windows(2).position(|pair| pair == [0, 0])?;
        rest = &strings[end + 2..];
        Some(Structure { kind, formatted })
    })
}

/// Sum of all memory modules, in bytes; `None` if the firmware lists none.
pub(crate) fn memory_bytes(table: &[u8]) -> Option<u64> {
    let sizes = structures(table).filter(|it| it.kind == MEMORY_DEVICE).filter_map(module_bytes);
    Some(sizes.sum()).filter(|&sum: &u64| 0 < sum)
}

fn module_bytes(module: Structure<'_>) -> Option<u64> {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    let size = u16::from_le_bytes(module.formatted.get(12..14)?.try_into().ok()?);
    match size {
        0 | 0xFFFF => None, // Empty slot, or size unknown.
        0x7FFF => {
            let mib = u32::from_le_bytes(module.formatted.get(28..32)?.try_into().ok()?);
            Some(u64::from(mib & 0x7FFF_FFFF) * MIB)
        }
        kib if kib & 0x8000 != 0 => Some(u64::from(kib & 0x7FFF) * KIB),
        mib => Some(u64::from(mib) * MIB),
    }
}

/// Where the management controller's Redfish service answers, as the firmware tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RedfishService {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
}

/// The first Redfish-over-IP record with a usable service address.
pub(crate) fn redfish_service(table: &[u8]) -> Option<RedfishService> {
    structures(table)
        .filter(|it| it.kind == HOST_INTERFACE)
        .find_map(|it| host_interface(it.formatted))
}

fn host_interface(formatted: &[u8]) -> Option<RedfishService> {
    if *formatted.get(4)? != NETWORK_HOST_INTERFACE {
        return None;
    }
    let interface_bytes = usize::from(*formatted.get(5)?);
    let protocols = formatted.get(6 + interface_bytes..)?;
    let (&count, mut rest) = protocols.split_first()?;
    for _ in 0..count {
        let (&protocol, &length) = (rest.first()?, rest.get(1)?);
        let record = rest.get(2..2 + usize::from(length))?;
        if protocol == REDFISH_OVER_IP
            && let Some(service) = redfish_record(record)
        {
            return Some(service);
        }
        rest = &rest[2 + usize::from(length)..];
    }
    None
}

/// DSP0270 table 5: UUID 16, host assignment 1, host format 1, host address 16, host mask 16,
/// service discovery 1, service format 1, service address 16, service mask 16, port 2, …
fn redfish_record(record: &[u8]) -> Option<RedfishService> {
    let address: [u8; 16] = record.get(52..68)?.try_into().ok()?;
    let port = u16::from_le_bytes(record.get(84..86)?.try_into().ok()?);
    let address = match record[51] {
        1 => IpAddr::V4(Ipv4Addr::new(address[0], address[1], address[2], address[3])),
        2 => IpAddr::V6(Ipv6Addr::from(address)),
        _ => return None,
    };
    (!address.is_unspecified() && port != 0).then_some(RedfishService { address, port })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A type 42 structure as firmware (or QEMU's `-smbios file=`) would carry it.
    pub(crate) fn redfish_structure(address: [u8; 4], port: u16) -> Vec<u8> {
        let mut record = vec![0; 91];
        record[17] = 1;
        record[50] = 1;
        record[51] = 1;
        record[52..56].copy_from_slice(&address);
        record[84..86].copy_from_slice(&port.to_le_bytes());
        let interface = [4, 0, 0, 0, 0]; // A PCI/PCIe card, its ids left zero.
        let mut body = vec![NETWORK_HOST_INTERFACE, 5];
        body.extend(interface);
        body.extend([1, REDFISH_OVER_IP, 91]);
        body.extend(record);
        structure(HOST_INTERFACE, &body)
    }

    fn structure(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(4 + body.len()).unwrap();
        let mut bytes = vec![kind, length, 0x2A, 0];
        bytes.extend(body);
        bytes.extend([0, 0]);
        bytes
    }

    fn module(size: u16, extended_mib: u32) -> Vec<u8> {
        let mut body = vec![0; 28];
        body[8..10].copy_from_slice(&size.to_le_bytes());
        body[24..28].copy_from_slice(&extended_mib.to_le_bytes());
        structure(MEMORY_DEVICE, &body)
    }

    #[test]
    fn finds_the_redfish_service_behind_other_structures() {
        let mut table = structure(1, b"\x01\x02xx");
        table.splice(table.len() - 2.., *b"LabCo\0LabNode\0\0");
        table.extend(redfish_structure([10, 77, 0, 31], 8443));
        table.extend(structure(END_OF_TABLE, &[]));
        let want = RedfishService { address: IpAddr::V4(Ipv4Addr::new(10, 77, 0, 31)), port: 8443 };
        assert_eq!(redfish_service(&table), Some(want));
    }

    #[test]
    fn an_unset_address_is_no_service() {
        assert_eq!(redfish_service(&redfish_structure([0; 4], 443)), None);
        assert_eq!(redfish_service(&redfish_structure([10, 0, 0, 1], 0)), None);
    }

    #[test]
    fn a_cut_table_is_never_read_beyond_its_end() {
        let table = redfish_structure([10, 77, 0, 31], 443);
        for end in 0..table.len() {
            assert_eq!(redfish_service(&table[..end]), None, "cut at {end}");
        }
        let mut table = table;
        for at in 0..table.len() {
            let kept = table[at];
            table[at] = 0xFF;
            let _any_answer_will_do = redfish_service(&table);
            table[at] = kept;
        }
    }

    #[test]
    fn memory_is_the_sum_of_modules() {
        let mut table = module(1024, 0); // 1 GiB.
        table.extend(module(0, 0)); // An empty slot.
        table.extend(module(0x7FFF, 65_536)); // 64 GiB by the extended size.
        table.extend(module(0x8000 | 512, 0)); // 512 KiB.
        assert_eq!(memory_bytes(&table), Some((1 << 30) + (64 << 30) + (512 << 10)));
        assert_eq!(memory_bytes(&[]), None);
    }
}
