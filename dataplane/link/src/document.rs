//! The GraphQL documents and their shapes, and how the shapes become a snapshot.

use std::net::Ipv4Addr;

use ironherd_snapshot as snapshot;
use ironherd_snapshot::{BootKey, Intent, Mac};
use serde::Deserialize;

use crate::delta::Delta;

/// Each document is one file, so that the region's tests can check it against the schema.
pub const RACK_REGISTER: &str = include_str!("documents/rack_register.graphql");
pub const RACK_SNAPSHOT: &str = include_str!("documents/rack_snapshot.graphql");
pub const RACK_DELTAS: &str = include_str!("documents/rack_deltas.graphql");
pub const RACK_REPORT: &str = include_str!("documents/rack_report.graphql");

/// A field of the region's answer that does not read as what it is meant to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is `{text}`")]
pub struct DecodeError {
    pub field: &'static str,
    pub text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisterData {
    pub(crate) rack_register: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportData {
    pub(crate) rack_report: ReportPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payload {
    pub(crate) user_errors: Vec<UserError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportPayload {
    pub(crate) user_errors: Vec<UserError>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct UserError {
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SnapshotData {
    pub(crate) rack_snapshot: RackSnapshot,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeltasData {
    pub(crate) rack_deltas: RackDelta,
}

#[derive(Deserialize)]
pub(crate) struct RackSnapshot {
    generation: u64,
    settings: RackSettings,
    subnets: Vec<RackSubnet>,
    machines: Vec<RackMachine>,
    files: Vec<RackFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RackDelta {
    generation: u64,
    settings: Option<RackSettings>,
    subnets: Option<Vec<RackSubnet>>,
    machines_changed: Vec<RackMachine>,
    machines_removed: Vec<String>,
    files: Option<Vec<RackFile>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackSettings {
    enlist: bool,
    enlist_key: String,
    ephemeral: Option<RackEphemeral>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackEphemeral {
    kernel: String,
    initrd: String,
    kernel_args: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackSubnet {
    id: String,
    cidr: String,
    gateway: Option<String>,
    #[serde(default)]
    dns_servers: Vec<String>,
    #[serde(default)]
    ntp_servers: Vec<String>,
    domain: Option<String>,
    mtu: Option<u16>,
    lease_seconds: u32,
    ranges: Vec<RackRange>,
    reservations: Vec<RackReservation>,
}

#[derive(Deserialize)]
struct RackRange {
    first: String,
    last: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackReservation {
    mac_address: String,
    address: String,
    hostname: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackMachine {
    id: String,
    hostname: String,
    mac_addresses: Vec<String>,
    uuid: Option<String>,
    intent: RackIntent,
    attempt: u64,
    boot_key: String,
    kernel_args: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RackIntent {
    Local,
    Enlist,
    Commission,
    Test,
    Deploy,
    Rescue,
    Erase,
    Ephemeral,
    PowerOff,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackFile {
    name: String,
    sha256: String,
    size_bytes: u64,
}

impl RackSnapshot {
    pub(crate) fn decode(self) -> Result<snapshot::Snapshot, DecodeError> {
        Ok(snapshot::Snapshot {
            generation: self.generation,
            settings: self.settings.decode()?,
            subnets: decode_all(self.subnets, RackSubnet::decode)?,
            machines: decode_all(self.machines, RackMachine::decode)?,
            files: decode_all(self.files, RackFile::decode)?,
            ..snapshot::Snapshot::default()
        })
    }
}

impl RackDelta {
    pub(crate) fn decode(self) -> Result<Delta, DecodeError> {
        Ok(Delta {
            generation: self.generation,
            settings: self.settings.map(RackSettings::decode).transpose()?,
            subnets: self.subnets.map(|it| decode_all(it, RackSubnet::decode)).transpose()?,
            machines_changed: decode_all(self.machines_changed, RackMachine::decode)?,
            machines_removed: self.machines_removed,
            files: self.files.map(|it| decode_all(it, RackFile::decode)).transpose()?,
        })
    }
}

impl RackSettings {
    fn decode(self) -> Result<snapshot::Settings, DecodeError> {
        Ok(snapshot::Settings {
            enlist: self.enlist,
            enlist_key: key("settings.enlistKey", &self.enlist_key)?,
            ephemeral: self.ephemeral.map(|it| snapshot::Ephemeral {
                kernel: it.kernel,
                initrd: it.initrd,
                kernel_args: it.kernel_args.unwrap_or_default(),
            }),
            ..snapshot::Settings::default()
        })
    }
}

impl RackSubnet {
    fn decode(self) -> Result<snapshot::Subnet, DecodeError> {
        Ok(snapshot::Subnet {
            id: self.id,
            cidr: parse("subnet.cidr", &self.cidr)?,
            gateway: self.gateway.map(|it| parse("subnet.gateway", &it)).transpose()?,
            dns_servers: addresses("subnet.dnsServers", &self.dns_servers)?,
            ntp_servers: addresses("subnet.ntpServers", &self.ntp_servers)?,
            domain: self.domain,
            mtu: self.mtu,
            lease_seconds: self.lease_seconds,
            ranges: decode_all(self.ranges, |it| {
                let first = parse("range.first", &it.first)?;
                Ok(snapshot::Range::new(first, parse("range.last", &it.last)?))
            })?,
            reservations: decode_all(self.reservations, |it| {
                let mac = parse("reservation.macAddress", &it.mac_address)?;
                let address = parse("reservation.address", &it.address)?;
                Ok(snapshot::Reservation::of_card(mac, address, it.hostname))
            })?,
            ..snapshot::Subnet::default()
        })
    }
}

impl RackMachine {
    fn decode(self) -> Result<snapshot::Machine, DecodeError> {
        Ok(snapshot::Machine {
            id: self.id,
            hostname: self.hostname,
            macs: decode_all(self.mac_addresses, |it| parse::<Mac>("machine.macAddresses", &it))?,
            uuid: self.uuid.map(|it| uuid(&it)).transpose()?,
            intent: self.intent.into(),
            attempt: self.attempt,
            boot_key: key("machine.bootKey", &self.boot_key)?,
            kernel_args: self.kernel_args.unwrap_or_default(),
            ..snapshot::Machine::default()
        })
    }
}

impl RackFile {
    /// A digest becomes a file name here, so it must be nothing but one.
    fn decode(self) -> Result<snapshot::BootFile, DecodeError> {
        let lower_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if self.sha256.len() != 64 || !self.sha256.bytes().all(lower_hex) {
            return Err(DecodeError { field: "file.sha256", text: clip(&self.sha256) });
        }
        Ok(snapshot::BootFile { name: self.name, sha256: self.sha256, size_bytes: self.size_bytes })
    }
}

impl From<RackIntent> for Intent {
    fn from(intent: RackIntent) -> Self {
        match intent {
            RackIntent::Local => Self::Local,
            RackIntent::Enlist => Self::Enlist,
            RackIntent::Commission => Self::Commission,
            RackIntent::Test => Self::Test,
            RackIntent::Deploy => Self::Deploy,
            RackIntent::Rescue => Self::Rescue,
            RackIntent::Erase => Self::Erase,
            RackIntent::Ephemeral => Self::Ephemeral,
            RackIntent::PowerOff => Self::PowerOff,
        }
    }
}

fn decode_all<A, B>(
    list: Vec<A>,
    decode: impl FnMut(A) -> Result<B, DecodeError>,
) -> Result<Vec<B>, DecodeError> {
    list.into_iter().map(decode).collect()
}

fn parse<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, DecodeError> {
    text.parse().map_err(|_| DecodeError { field, text: clip(text) })
}

fn addresses(field: &'static str, texts: &[String]) -> Result<Vec<Ipv4Addr>, DecodeError> {
    texts.iter().map(|it| parse(field, it)).collect()
}

/// A refused key is a secret all the same: it is never shown.
fn key(field: &'static str, text: &str) -> Result<BootKey, DecodeError> {
    let mut bytes = [0; 32];
    let hidden = || DecodeError { field, text: format!("({} characters)", text.len()) };
    hex::decode_to_slice(text, &mut bytes).map_err(|_| hidden())?;
    Ok(BootKey(bytes))
}

fn uuid(text: &str) -> Result<[u8; 16], DecodeError> {
    let refused = || DecodeError { field: "machine.uuid", text: clip(text) };
    let digits: String = text.chars().filter(|it| *it != '-').collect();
    let mut bytes = [0; 16];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| refused())?;
    Ok(bytes)
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}
