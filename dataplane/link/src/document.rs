//! The GraphQL documents and their shapes, and how the shapes become a snapshot.

mod network;

use ironherd_snapshot as snapshot;
use ironherd_snapshot::{BootKey, Intent, Mac, Shared};
use serde::Deserialize;

use crate::LinkError;
use crate::delta::Delta;
use network::{
    RackClass, RackFabric, RackOption, RackReservations, RackSubnet, RackSubnet6, RackVlan,
};

/// Each document is one file, so that the region's tests can check it against the schema.
pub const RACK_REGISTER: &str = include_str!("documents/rack_register.graphql");
pub const RACK_SNAPSHOT: &str = include_str!("documents/rack_snapshot.graphql");
pub const RACK_DELTAS: &str = include_str!("documents/rack_deltas.graphql");
pub const RACK_REPORT: &str = include_str!("documents/rack_report.graphql");
pub const RACK_REQUESTS: &str = include_str!("documents/rack_requests.graphql");
pub const RACK_ANSWER: &str = include_str!("documents/rack_answer.graphql");

/// A field of the region's answer that does not read as what it is meant to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is `{text}`")]
pub struct DecodeError {
    pub field: &'static str,
    pub text: String,
}

/// Reads the data of an answer to [`RACK_SNAPSHOT`].
///
/// # Errors
/// [`LinkError::Answer`] if it has another shape, [`LinkError::Decode`] if a text in it is none of
/// its kind.
pub fn decode_snapshot(data: serde_json::Value) -> Result<snapshot::Snapshot, LinkError> {
    let data = serde_json::from_value::<SnapshotData>(data);
    Ok(data.map_err(|it| LinkError::Answer(it.to_string()))?.rack_snapshot.decode()?)
}

/// Reads the data of an item of [`RACK_DELTAS`].
///
/// # Errors
/// See [`decode_snapshot`].
pub fn decode_delta(data: serde_json::Value) -> Result<Delta, LinkError> {
    let data = serde_json::from_value::<DeltasData>(data);
    Ok(data.map_err(|it| LinkError::Answer(it.to_string()))?.rack_deltas.decode()?)
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
    #[serde(default)]
    pub(crate) resync: Option<bool>,
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
    #[serde(default)]
    fabrics: Vec<RackFabric>,
    #[serde(default)]
    vlans: Vec<RackVlan>,
    subnets: Vec<RackSubnet>,
    #[serde(default)]
    subnets6: Vec<RackSubnet6>,
    #[serde(default)]
    classes: Vec<RackClass>,
    machines: Vec<RackMachine>,
    files: Vec<RackFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RackDelta {
    generation: u64,
    settings: Option<RackSettings>,
    fabrics: Option<Vec<RackFabric>>,
    vlans: Option<Vec<RackVlan>>,
    #[serde(default)]
    subnets_changed: Vec<RackSubnet>,
    #[serde(default)]
    subnets_removed: Vec<String>,
    #[serde(default)]
    reservations: Vec<RackReservations>,
    subnets6: Option<Vec<RackSubnet6>>,
    classes: Option<Vec<RackClass>>,
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
    #[serde(default)]
    conflict_probes: bool,
    #[serde(default)]
    options: Vec<RackOption>,
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
struct RackMachine {
    id: String,
    hostname: String,
    mac_addresses: Vec<String>,
    uuid: Option<String>,
    intent: RackIntent,
    attempt: u64,
    boot_key: String,
    kernel_args: Option<String>,
    boot_file: Option<String>,
    #[serde(default)]
    options: Vec<RackOption>,
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
            fabrics: decode_all(self.fabrics, RackFabric::decode)?,
            vlans: decode_all(self.vlans, RackVlan::decode)?,
            subnets: decode_shared(self.subnets, RackSubnet::decode)?,
            subnets6: decode_shared(self.subnets6, RackSubnet6::decode)?,
            classes: decode_all(self.classes, RackClass::decode)?,
            machines: decode_shared(self.machines, RackMachine::decode)?,
            files: decode_all(self.files, RackFile::decode)?,
        })
    }
}

impl RackDelta {
    pub(crate) fn decode(self) -> Result<Delta, DecodeError> {
        Ok(Delta {
            generation: self.generation,
            settings: self.settings.map(RackSettings::decode).transpose()?,
            fabrics: maybe_all(self.fabrics, RackFabric::decode)?,
            vlans: maybe_all(self.vlans, RackVlan::decode)?,
            subnets_changed: decode_all(self.subnets_changed, RackSubnet::decode_change)?,
            subnets_removed: self.subnets_removed,
            reservations: decode_all(self.reservations, RackReservations::decode)?,
            subnets6: maybe_all(self.subnets6, RackSubnet6::decode)?,
            classes: maybe_all(self.classes, RackClass::decode)?,
            machines_changed: decode_all(self.machines_changed, RackMachine::decode)?,
            machines_removed: self.machines_removed,
            files: maybe_all(self.files, RackFile::decode)?,
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
            options: network::options(self.options)?,
            conflict_probes: self.conflict_probes,
        })
    }
}

impl RackMachine {
    fn decode(self) -> Result<snapshot::Machine, DecodeError> {
        Ok(snapshot::Machine {
            id: self.id,
            hostname: self.hostname,
            macs: decode_all(self.mac_addresses, |it| parse::<Mac>("machine.macAddresses", &it))?,
            uuid: self.uuid.map(|it| uuid("machine.uuid", &it)).transpose()?,
            intent: self.intent.into(),
            attempt: self.attempt,
            boot_key: key("machine.bootKey", &self.boot_key)?,
            kernel_args: self.kernel_args.unwrap_or_default(),
            boot_file: self.boot_file,
            options: network::options(self.options)?,
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

fn decode_shared<A, B>(
    list: Vec<A>,
    mut decode: impl FnMut(A) -> Result<B, DecodeError>,
) -> Result<Vec<Shared<B>>, DecodeError> {
    list.into_iter().map(|it| decode(it).map(Shared::from)).collect()
}

fn maybe_all<A, B>(
    list: Option<Vec<A>>,
    decode: impl FnMut(A) -> Result<B, DecodeError>,
) -> Result<Option<Vec<B>>, DecodeError> {
    list.map(|list| decode_all(list, decode)).transpose()
}

fn parse<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, DecodeError> {
    text.parse().map_err(|_| DecodeError { field, text: clip(text) })
}

fn parse_maybe<T: std::str::FromStr>(
    field: &'static str,
    text: Option<&String>,
) -> Result<Option<T>, DecodeError> {
    text.map(|text| parse(field, text)).transpose()
}

fn parse_all<T: std::str::FromStr>(
    field: &'static str,
    texts: &[String],
) -> Result<Vec<T>, DecodeError> {
    texts.iter().map(|it| parse(field, it)).collect()
}

fn bytes(field: &'static str, text: &str) -> Result<Vec<u8>, DecodeError> {
    hex::decode(text).map_err(|_| DecodeError { field, text: clip(text) })
}

/// A refused key is a secret all the same: it is never shown.
fn key(field: &'static str, text: &str) -> Result<BootKey, DecodeError> {
    let mut bytes = [0; 32];
    let hidden = || DecodeError { field, text: format!("({} characters)", text.len()) };
    hex::decode_to_slice(text, &mut bytes).map_err(|_| hidden())?;
    Ok(BootKey(bytes))
}

fn uuid(field: &'static str, text: &str) -> Result<[u8; 16], DecodeError> {
    let refused = || DecodeError { field, text: clip(text) };
    let digits: String = text.chars().filter(|it| *it != '-').collect();
    let mut bytes = [0; 16];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| refused())?;
    Ok(bytes)
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}
