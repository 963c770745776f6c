//! How the client of a reservation is told.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::bytes;
use crate::refusal::Unknown;
use crate::{Mac, Refusal};

/// Option 61 and sub-options of option 82 are at most this long.
const BYTES_MAX: usize = 255;
/// A DUID is at most this long (RFC 8415 §11.1).
const DUID_BYTES_MAX: usize = 130;

/// The client of a DHCPv4 reservation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReservationKey {
    Mac(Mac),
    /// Option 61, its type byte included.
    ClientId(Vec<u8>),
    /// SMBIOS UUID (option 97).
    Uuid(Uuid),
    /// Sub-options 1 and 2 of option 82; an empty remote id fits any.
    RelayPort {
        circuit_id: Vec<u8>,
        remote_id: Vec<u8>,
    },
}

/// The client of a DHCPv6 reservation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReservationKey6 {
    Mac(Mac),
    Duid(Vec<u8>),
}

/// A [`ReservationKey`] as it is written down: exactly one of the four.
#[derive(Clone, Debug, Default)]
pub struct KeyWords {
    pub mac_address: Option<String>,
    pub client_id: Option<String>,
    pub uuid: Option<String>,
    pub circuit_id: Option<String>,
    /// Beside `circuit_id` alone.
    pub remote_id: Option<String>,
}

/// A [`ReservationKey6`] as it is written down: exactly one of the two.
#[derive(Clone, Debug, Default)]
pub struct KeyWords6 {
    pub mac_address: Option<String>,
    pub duid: Option<String>,
}

impl KeyWords {
    /// # Errors
    /// `CLIENT_INVALID` unless exactly one is given and it can be read; `MAC_INVALID`.
    pub fn read(&self, field: &[&str]) -> Result<ReservationKey, Refusal> {
        let Self { mac_address, client_id, uuid, circuit_id, remote_id } = self;
        match (mac_address, client_id, uuid, circuit_id) {
            (Some(text), None, None, None) if remote_id.is_none() => {
                read_mac(text, field).map(ReservationKey::Mac)
            }
            (None, Some(text), None, None) if remote_id.is_none() => {
                let id = read_bytes(text, &below(field, "clientId"), 2, BYTES_MAX)?;
                Ok(ReservationKey::ClientId(id))
            }
            (None, None, Some(text), None) if remote_id.is_none() => {
                let read = Uuid::try_parse(text).ok().filter(|it| !it.is_nil() && !it.is_max());
                read.map(ReservationKey::Uuid).ok_or_else(|| {
                    let shown: String = text.chars().take(64).collect();
                    let why = format!("`{shown}` is no UUID of one machine.");
                    Refusal::new("CLIENT_INVALID", &below(field, "uuid"), why)
                })
            }
            (None, None, None, Some(text)) => {
                let circuit_id = read_bytes(text, &below(field, "circuitId"), 1, BYTES_MAX)?;
                let field = below(field, "remoteId");
                let remote = remote_id.as_deref().filter(|it| !it.is_empty());
                let remote = remote.map(|it| read_bytes(it, &field, 1, BYTES_MAX)).transpose()?;
                let remote_id = remote.unwrap_or_default();
                Ok(ReservationKey::RelayPort { circuit_id, remote_id })
            }
            _ => {
                let why = "Say who the client is by exactly one of macAddress, clientId, uuid, or \
                           circuitId (with a remoteId, if you like).";
                Err(Refusal::new("CLIENT_INVALID", field, why))
            }
        }
    }
}

impl KeyWords6 {
    /// # Errors
    /// `CLIENT_INVALID` unless exactly one is given and it can be read; `MAC_INVALID`.
    pub fn read(&self, field: &[&str]) -> Result<ReservationKey6, Refusal> {
        match (&self.mac_address, &self.duid) {
            (Some(text), None) => read_mac(text, field).map(ReservationKey6::Mac),
            (None, Some(text)) => {
                let duid = read_bytes(text, &below(field, "duid"), 3, DUID_BYTES_MAX)?;
                Ok(ReservationKey6::Duid(duid))
            }
            _ => {
                let why = "Say who the client is by exactly one of macAddress and duid.";
                Err(Refusal::new("CLIENT_INVALID", field, why))
            }
        }
    }
}

fn below<'a>(field: &[&'a str], name: &'a str) -> Vec<&'a str> {
    [field, &[name]].concat()
}

fn read_mac(text: &str, field: &[&str]) -> Result<Mac, Refusal> {
    let mac = text.parse::<Mac>();
    mac.map_err(|it| Refusal::new("MAC_INVALID", &below(field, "macAddress"), it.to_string()))
}

fn read_bytes(text: &str, field: &[&str], min: usize, max: usize) -> Result<Vec<u8>, Refusal> {
    let read = bytes::read(text.trim());
    if (min..=max).contains(&read.len()) {
        return Ok(read);
    }
    let why = format!(
        "It has {} bytes; write {min} to {max}, as hexadecimal pairs like 01:52:54:00 or as text.",
        read.len()
    );
    Err(Refusal::new("CLIENT_INVALID", field, why))
}

impl ReservationKey {
    #[must_use]
    pub const fn mac(&self) -> Option<Mac> {
        match self {
            Self::Mac(mac) => Some(*mac),
            _ => None,
        }
    }

    /// For people: whose reservation it is.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Mac(mac) => mac.to_string(),
            Self::ClientId(id) => format!("the client id {}", bytes::show(id)),
            Self::Uuid(uuid) => format!("the UUID {uuid}"),
            Self::RelayPort { circuit_id, remote_id } if remote_id.is_empty() => {
                format!("the relay port {}", bytes::show(circuit_id))
            }
            Self::RelayPort { circuit_id, remote_id } => {
                let (circuit, remote) = (bytes::show(circuit_id), bytes::show(remote_id));
                format!("the relay port {circuit} of {remote}")
            }
        }
    }
}

impl ReservationKey6 {
    /// For people: whose reservation it is.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Mac(mac) => mac.to_string(),
            Self::Duid(duid) => format!("the DUID {}", bytes::show(duid)),
        }
    }
}

/// The form that the database uses.
impl fmt::Display for ReservationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => write!(f, "mac:{mac}"),
            Self::ClientId(id) => write!(f, "client-id:{}", Hex(id)),
            Self::Uuid(uuid) => write!(f, "uuid:{uuid}"),
            Self::RelayPort { circuit_id, remote_id } => {
                write!(f, "relay-port:{}/{}", Hex(circuit_id), Hex(remote_id))
            }
        }
    }
}

impl FromStr for ReservationKey {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let read = || match text.split_once(':')? {
            ("mac", rest) => rest.parse().ok().map(Self::Mac),
            ("client-id", rest) => unhex(rest).map(Self::ClientId),
            ("uuid", rest) => Uuid::try_parse(rest).ok().map(Self::Uuid),
            ("relay-port", rest) => {
                let (circuit, remote) = rest.split_once('/')?;
                let (circuit_id, remote_id) = (unhex(circuit)?, unhex(remote)?);
                Some(Self::RelayPort { circuit_id, remote_id })
            }
            _ => None,
        };
        read().ok_or_else(|| Unknown::new("client of a reservation", text))
    }
}

impl fmt::Display for ReservationKey6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => write!(f, "mac:{mac}"),
            Self::Duid(duid) => write!(f, "duid:{}", Hex(duid)),
        }
    }
}

impl FromStr for ReservationKey6 {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let read = || match text.split_once(':')? {
            ("mac", rest) => rest.parse().ok().map(Self::Mac),
            ("duid", rest) => unhex(rest).map(Self::Duid),
            _ => None,
        };
        read().ok_or_else(|| Unknown::new("client of a reservation", text))
    }
}

pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(all: [Option<&str>; 5]) -> KeyWords {
        let [mac_address, client_id, uuid, circuit_id, remote_id] =
            all.map(|it| it.map(str::to_owned));
        KeyWords { mac_address, client_id, uuid, circuit_id, remote_id }
    }

    #[test]
    fn a_client_is_told_in_exactly_one_way() {
        const UUID: &str = "0198c2a8-7b1e-7c55-9c1d-3a6f1f0e2b4d";
        // MAC, client id, UUID, circuit, remote; then the stored form or the refusal.
        let rows = [
            ([Some("52:54:00:00:00:01"), None, None, None, None], "mac:52:54:00:00:00:01"),
            ([None, Some("01:02:03"), None, None, None], "client-id:010203"),
            ([None, Some("host"), None, None, None], "client-id:686f7374"),
            ([None, None, Some(UUID), None, None], "uuid:0198c2a8-7b1e-7c55-9c1d-3a6f1f0e2b4d"),
            ([None, None, None, Some("0x0004"), None], "relay-port:0004/"),
            ([None, None, None, Some("ge1"), Some("0xff")], "relay-port:676531/ff"),
            ([None, None, None, None, None], "CLIENT_INVALID"),
            ([None, None, None, None, Some("0xff")], "CLIENT_INVALID"),
            ([Some("52:54:00:00:00:01"), None, Some(UUID), None, None], "CLIENT_INVALID"),
            ([Some("52:54:00:00:00:01"), None, None, None, Some("x")], "CLIENT_INVALID"),
            ([None, None, Some("12"), None, None], "CLIENT_INVALID"),
            (
                [None, None, Some("ffffffff-ffff-ffff-ffff-ffffffffffff"), None, None],
                "CLIENT_INVALID",
            ),
            ([None, Some("x"), None, None, None], "CLIENT_INVALID"),
            ([Some("52:54"), None, None, None, None], "MAC_INVALID"),
        ];
        for (texts, want) in rows {
            let got = words(texts).read(&["input"]);
            let shown = match &got {
                Ok(key) => key.to_string(),
                Err(refusal) => refusal.code.to_owned(),
            };
            assert_eq!(shown, want, "{texts:?}");
            if let Ok(key) = got {
                assert_eq!(key.to_string().parse::<ReservationKey>(), Ok(key));
            }
        }
    }

    #[test]
    fn an_ipv6_client_is_told_by_card_or_duid() {
        let rows = [
            (Some("52:54:00:00:00:01"), None, "mac:52:54:00:00:00:01"),
            (None, Some("00:03:00:01:52:54"), "duid:000300015254"),
            (None, None, "CLIENT_INVALID"),
            (Some("52:54:00:00:00:01"), Some("00:03:00:01"), "CLIENT_INVALID"),
            (None, Some("00:03"), "CLIENT_INVALID"),
            (Some("x"), None, "MAC_INVALID"),
        ];
        for (mac, duid, want) in rows {
            let words =
                KeyWords6 { mac_address: mac.map(str::to_owned), duid: duid.map(str::to_owned) };
            match words.read(&["input"]) {
                Ok(key) => {
                    assert_eq!(key.to_string(), want);
                    assert_eq!(want.parse::<ReservationKey6>(), Ok(key));
                }
                Err(refusal) => assert_eq!(refusal.code, want),
            }
        }
    }
}
