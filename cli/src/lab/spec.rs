//! What a lab shall be: machines, addresses, sizes.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use ironherd_bmc_sim::{BmcConfig, BmcKind, DiskBus, Firmware, MachineConfig, Secret};
use sha2::{Digest as _, Sha256};

/// Machines beyond this would not find a BMC address in the upper part of a /24.
const MACHINES_MAX: usize = 50;
const BMC_HOST_FIRST: u32 = 201;
const IN_BAND_PORT_FIRST: u16 = 9000;
const IPMI_PORT: u16 = 623;
const HTTP_PORT: u16 = 80;

/// One machine: `FIRMWARE:BMC[:DISK]`, e.g. `uefi:redfish` or `bios:ipmi:nvme`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MachineKind {
    pub(crate) firmware: Firmware,
    pub(crate) bmc: BmcKind,
    pub(crate) disk: DiskBus,
}

impl FromStr for MachineKind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut words = text.split(':');
        let firmware = words.next().unwrap_or_default().parse()?;
        let bmc = words.next().map_or(Ok(BmcKind::Ipmi), str::parse)?;
        let disk = words.next().map_or(Ok(DiskBus::Virtio), str::parse)?;
        ensure!(words.next().is_none(), "{text:?} has more than FIRMWARE:BMC:DISK");
        Ok(Self { firmware, bmc, disk })
    }
}

impl fmt::Display for MachineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.firmware.as_str(), self.bmc.as_str(), self.disk.as_str())
    }
}

/// The lab's IPv4 network, at most a /24: the bridge has host 1, BMCs start at host 201.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    base: u32,
    pub(crate) prefix_len: u8,
}

impl FromStr for Network {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (address, prefix_len) = text.split_once('/').context("write it as 10.77.0.0/24")?;
        let address: Ipv4Addr = address.parse().context("not an IPv4 address")?;
        let prefix_len: u8 = prefix_len.parse().context("not a prefix length")?;
        ensure!((8..=24).contains(&prefix_len), "the prefix must be between /8 and /24");
        Ok(Self { base: u32::from(address) & (u32::MAX << (32 - prefix_len)), prefix_len })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix_len)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self { base: u32::from_be_bytes([10, 77, 0, 0]), prefix_len: 24 }
    }
}

impl Network {
    /// The host with this number in the network.
    pub(crate) fn host(self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.base + number)
    }

    /// Address of the bridge: where the lab's rack listens.
    pub(crate) fn bridge(self) -> Ipv4Addr {
        self.host(1)
    }
}

/// Everything [`Lab::up`](super::Lab::up) wants to know.
#[derive(Clone, Debug)]
pub(crate) struct LabSpec {
    pub(crate) name: String,
    /// The lab's own folder is `base/name`.
    pub(crate) base: PathBuf,
    pub(crate) machines: Vec<MachineKind>,
    pub(crate) network: Network,
    pub(crate) disk_bytes: u64,
    pub(crate) memory_mib: u32,
    /// The `ironherd` program: BMC simulators run it.
    pub(crate) program: PathBuf,
}

impl LabSpec {
    /// A lab with the usual network and sizes, whose simulators run this very program.
    pub(crate) fn new(name: &str, base: PathBuf, machines: Vec<MachineKind>) -> Self {
        Self {
            name: name.to_owned(),
            base,
            machines,
            network: Network::default(),
            disk_bytes: 8 << 30,
            memory_mib: 1024,
            program: std::env::current_exe().unwrap_or_else(|_| "ironherd".into()),
        }
    }

    pub(crate) fn namespace(&self) -> String {
        namespace_of(&self.name)
    }

    /// Everything about each machine; passwords are fresh, all else follows from the names.
    pub(super) fn machine_configs(&self) -> anyhow::Result<Vec<MachineConfig>> {
        check_name(&self.name)?;
        ensure!(!self.machines.is_empty(), "a lab needs a machine");
        ensure!(self.machines.len() <= MACHINES_MAX, "a lab has at most {MACHINES_MAX} machines");
        let password = random_password()?;
        self.machines
            .iter()
            .zip(1_u8..)
            .map(|(kind, index)| Ok(self.machine_config(*kind, index, &password)))
            .collect()
    }

    fn machine_config(&self, kind: MachineKind, index: u8, password: &str) -> MachineConfig {
        let identity = MachineConfig::identity(&self.name, index);
        MachineConfig {
            name: format!("node{index}"),
            lab: self.name.clone(),
            namespace: self.namespace(),
            uuid: identity.uuid,
            serial: identity.serial,
            mac: identity.mac,
            tap: format!("tap{index}"),
            firmware: kind.firmware,
            memory_mib: self.memory_mib,
            disk_bytes: self.disk_bytes,
            disk_bus: kind.disk,
            bmc: BmcConfig {
                kind: kind.bmc,
                address: self.network.host(BMC_HOST_FIRST - 1 + u32::from(index)),
                prefix_len: self.network.prefix_len,
                gateway: self.network.bridge(),
                port: match kind.bmc {
                    BmcKind::Ipmi => IPMI_PORT,
                    BmcKind::Redfish => HTTP_PORT,
                },
                mac: self.local_mac(index),
                username: "admin".to_owned(),
                password: Secret(password.to_owned()),
                in_band_port: IN_BAND_PORT_FIRST + u16::from(index),
            },
        }
    }

    /// Fixed, so that the bridge's link-local address does not change with its ports.
    pub(super) fn bridge_mac(&self) -> String {
        self.local_mac(0)
    }

    /// Locally administered, and outside of what machines have: 0 is the bridge, the others are
    /// what BMCs say of themselves.
    fn local_mac(&self, index: u8) -> String {
        let hash = Sha256::digest(format!("ironherd lab {} bridge", self.name));
        format!("52:54:01:{:02x}:{:02x}:{index:02x}", hash[0], hash[1])
    }
}

pub(super) fn namespace_of(lab: &str) -> String {
    format!("ironherd-{lab}")
}

/// A lab's name is part of a path, of a namespace's name and of a configuration file.
pub(super) fn check_name(name: &str) -> anyhow::Result<()> {
    let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    if name.is_empty() || 40 < name.len() || !name.chars().all(plain) || name.starts_with('-') {
        bail!("a lab's name is 1 to 40 of a-z, 0-9 and -, not {name:?}");
    }
    Ok(())
}

/// Sixteen characters: IPMI 1.5 users can have no more.
fn random_password() -> anyhow::Result<String> {
    use std::io::Read as _;
    let mut bytes = [0_u8; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex::encode(bytes))
}

/// Reads a size such as `8G`, `512M` or a plain number of bytes.
pub(super) fn parse_size(text: &str) -> anyhow::Result<u64> {
    let units = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
    let (number, shift) = units
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(*unit)?, *shift)))
        .unwrap_or((text, 0));
    let number: u64 = number.parse().with_context(|| format!("{text:?} is not a size like 8G"))?;
    number.checked_mul(1 << shift).context("that is too large")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_as_they_are_shown() {
        let rows = [
            ("uefi:redfish", Some("uefi:redfish:virtio")),
            ("bios", Some("bios:ipmi:virtio")),
            ("uefi-http:ipmi:nvme", Some("uefi-http:ipmi:nvme")),
            ("efi:ipmi", None),
            ("uefi:drac", None),
            ("uefi:ipmi:nvme:more", None),
        ];
        for (text, want) in rows {
            let kind = text.parse::<MachineKind>().ok().map(|it| it.to_string());
            assert_eq!(kind.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn addresses_follow_from_the_network() {
        let network: Network = "192.168.9.77/24".parse().expect("a network");
        assert_eq!(network.to_string(), "192.168.9.0/24");
        let mut spec = LabSpec::new("t", "/x".into(), vec!["bios:ipmi".parse().expect("kind"); 2]);
        spec.network = network;
        let configs = spec.machine_configs().expect("configs");
        assert_eq!(configs[1].bmc.address, Ipv4Addr::new(192, 168, 9, 202));
        assert_eq!(configs[1].bmc.gateway, Ipv4Addr::new(192, 168, 9, 1));
        assert_ne!(configs[0].mac, configs[1].mac);
        assert!("10.0.0.0/25".parse::<Network>().is_err());
    }

    #[test]
    fn sizes_and_names() {
        assert_eq!(parse_size("8G").ok(), Some(8 << 30));
        assert_eq!(parse_size("512").ok(), Some(512));
        assert!(parse_size("8GiB").is_err() && parse_size("99999999999T").is_err());
        assert!(check_name("demo-2").is_ok());
        for name in ["", "../x", "A", "-a", "a b"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
