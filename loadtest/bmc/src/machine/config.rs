//! What a lab machine is made of, as written to `machine.json`.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// One lab machine. Holds the BMC's password, so its file is readable by the owner alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MachineConfig {
    pub name: String,
    /// Name of the lab: the value of [`LAB_MARKER`](crate::LAB_MARKER) on its processes.
    pub lab: String,
    /// Network namespace the machine's processes live in.
    pub namespace: String,
    /// SMBIOS system UUID, in its text form.
    pub uuid: String,
    pub serial: String,
    /// MAC address of the boot card.
    pub mac: String,
    pub tap: String,
    pub firmware: Firmware,
    pub memory_mib: u32,
    pub disk_bytes: u64,
    pub disk_bus: DiskBus,
    pub bmc: BmcConfig,
}

/// The machine's BMC, as it is seen from the network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BmcConfig {
    pub kind: BmcKind,
    pub address: Ipv4Addr,
    pub prefix_len: u8,
    pub gateway: Ipv4Addr,
    pub port: u16,
    pub mac: String,
    pub username: String,
    pub password: Secret,
    /// TCP port on the namespace's loopback where the IPMI simulator awaits the in-band side.
    pub in_band_port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// SeaBIOS, with QEMU's own iPXE ROM on the card.
    Bios,
    /// OVMF, booting by its own PXE stack.
    Uefi,
    /// OVMF with PXE switched off: UEFI HTTP boot is all it tries.
    UefiHttp,
    /// AAVMF on an arm64 machine, booting by its own PXE stack.
    Arm64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BmcKind {
    Ipmi,
    Redfish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskBus {
    Virtio,
    Nvme,
}

/// A password that does not show in debug output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl MachineConfig {
    /// Identity of the `index`-th machine of a lab: the same names give the same machine again.
    #[must_use]
    pub fn identity(lab: &str, index: u8) -> Identity {
        let hash = Sha256::digest(format!("ironherd lab {lab} machine {index}"));
        let mut uuid = [0_u8; 16];
        uuid.copy_from_slice(&hash[..16]);
        uuid[6] = (uuid[6] & 0x0f) | 0x80; // Version 8: made by a rule of our own (RFC 9562 §5.8).
        uuid[8] = (uuid[8] & 0x3f) | 0x80;
        let hex = hex::encode(uuid);
        let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        // 52:54:00 is what QEMU's machines carry; the last byte keeps one lab free of clashes.
        let mac = format!("52:54:00:{:02x}:{:02x}:{index:02x}", hash[16], hash[17]);
        let serial = format!("IH{}{index:03}", hex::encode_upper(&hash[18..21]));
        Identity { uuid, serial, mac }
    }

    /// The machine's architecture, as GraphQL names it.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        match self.firmware {
            Firmware::Arm64 => "arm64",
            Firmware::Bios | Firmware::Uefi | Firmware::UefiHttp => "amd64",
        }
    }
}

/// What tells one machine from another on the wire and in its tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uuid: String,
    pub serial: String,
    pub mac: String,
}

impl Firmware {
    pub const ALL: [Self; 4] = [Self::Bios, Self::Uefi, Self::UefiHttp, Self::Arm64];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
            Self::UefiHttp => "uefi-http",
            Self::Arm64 => "arm64",
        }
    }
}

impl BmcKind {
    pub const ALL: [Self; 2] = [Self::Ipmi, Self::Redfish];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Redfish => "redfish",
        }
    }
}

impl DiskBus {
    pub const ALL: [Self; 2] = [Self::Virtio, Self::Nvme];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Nvme => "nvme",
        }
    }
}

/// A word that names none of the things it may name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is none of {choices}")]
pub struct UnknownWord {
    word: String,
    choices: String,
}

fn choose<T: Copy>(all: &[T], name: fn(T) -> &'static str, word: &str) -> Result<T, UnknownWord> {
    all.iter().copied().find(|it| name(*it) == word).ok_or_else(|| UnknownWord {
        word: word.to_owned(),
        choices: all.iter().map(|it| name(*it)).collect::<Vec<_>>().join(", "),
    })
}

impl FromStr for Firmware {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        choose(&Self::ALL, Self::as_str, word)
    }
}

impl FromStr for BmcKind {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        choose(&Self::ALL, Self::as_str, word)
    }
}

impl FromStr for DiskBus {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        choose(&Self::ALL, Self::as_str, word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_stable_and_distinct() {
        let first = MachineConfig::identity("demo", 1);
        assert_eq!(first, MachineConfig::identity("demo", 1));
        assert_ne!(first, MachineConfig::identity("demo", 2));
        assert_ne!(first.mac, MachineConfig::identity("other", 1).mac);
        assert_eq!(first.uuid.len(), 36);
        assert!(first.mac.starts_with("52:54:00:") && first.mac.ends_with(":01"));
    }

    #[test]
    fn words_name_things() {
        for firmware in Firmware::ALL {
            assert_eq!(firmware.as_str().parse(), Ok(firmware));
        }
        let error = "efi".parse::<Firmware>().expect_err("not a word of ours");
        assert_eq!(error.to_string(), "\"efi\" is none of bios, uefi, uefi-http, arm64");
    }

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "Secret");
    }
}
