//! Networks, their scopes and their clients.

use ironherd_snapshot as snapshot;
use ironherd_snapshot::{
    ClassField, DhcpMode, MatchOperator, RelayPort, ReservationKey, ReservationKey6, ScopeOptions,
};
use serde::Deserialize;

use super::{DecodeError, bytes, decode_all, decode_shared, parse, parse_all, parse_maybe, uuid};
use crate::delta::{ReservationsChange, SubnetChange};

#[derive(Deserialize)]
pub(super) struct RackFabric {
    id: String,
    name: String,
    options: Vec<RackOption>,
}

#[derive(Deserialize)]
pub(super) struct RackVlan {
    id: String,
    fabric: String,
    name: String,
    vid: u16,
    mode: RackMode,
    options: Vec<RackOption>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RackMode {
    Full,
    Proxy,
    Auto,
    Off,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RackSubnet {
    id: String,
    #[serde(default)]
    vlan: String,
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
    /// Absent in a delta: as before.
    reservations: Option<Vec<RackReservation>>,
    #[serde(default)]
    options: Vec<RackOption>,
}

#[derive(Deserialize)]
struct RackRange {
    first: String,
    last: String,
    class: Option<String>,
    #[serde(default)]
    options: Vec<RackOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RackReservations {
    subnet: String,
    changed: Vec<RackReservation>,
    removed: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackReservation {
    mac_address: Option<String>,
    client_id: Option<String>,
    uuid: Option<String>,
    relay_port: Option<RackRelayPort>,
    address: String,
    hostname: Option<String>,
    #[serde(default)]
    options: Vec<RackOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackRelayPort {
    circuit_id: String,
    remote_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RackSubnet6 {
    id: String,
    vlan: String,
    cidr: String,
    dns_servers: Vec<String>,
    domain_search: Vec<String>,
    preferred_seconds: u32,
    valid_seconds: u32,
    ranges: Vec<RackRange6>,
    prefix_pools: Vec<RackPrefixPool>,
    reservations: Vec<RackReservation6>,
    options: Vec<RackOption>,
    router_advertisement: RackRouterAdvertisement,
}

#[derive(Deserialize)]
struct RackRange6 {
    first: String,
    last: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackPrefixPool {
    prefix: String,
    delegated_length: u8,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackReservation6 {
    mac_address: Option<String>,
    duid: Option<String>,
    address: Option<String>,
    prefix: Option<String>,
    hostname: Option<String>,
    options: Vec<RackOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RackRouterAdvertisement {
    enabled: bool,
    router_lifetime_seconds: u16,
    autonomous: bool,
}

#[derive(Deserialize)]
pub(super) struct RackOption {
    family: RackFamily,
    code: u16,
    data: String,
    force: bool,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
enum RackFamily {
    V4,
    V6,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RackClass {
    id: String,
    name: String,
    matches: Vec<RackClassMatch>,
    options: Vec<RackOption>,
    boot_file: Option<String>,
}

#[derive(Deserialize)]
struct RackClassMatch {
    field: RackClassField,
    code: Option<u16>,
    sub: Option<u16>,
    operator: RackOperator,
    value: String,
    negate: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RackClassField {
    Mac,
    RelayAddress,
    Option,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RackOperator {
    Present,
    Equals,
    StartsWith,
    Contains,
}

pub(super) fn options(list: Vec<RackOption>) -> Result<ScopeOptions, DecodeError> {
    let mut options = ScopeOptions::NONE;
    for it in list {
        let data = bytes("option.data", &it.data)?;
        let option = snapshot::DhcpOption { code: it.code, data, force: it.force };
        match it.family {
            RackFamily::V4 => options.v4.push(option),
            RackFamily::V6 => options.v6.push(option),
        }
    }
    Ok(options)
}

impl RackFabric {
    pub(super) fn decode(self) -> Result<snapshot::Fabric, DecodeError> {
        let options = options(self.options)?;
        Ok(snapshot::Fabric { id: self.id, name: self.name, options })
    }
}

impl RackVlan {
    pub(super) fn decode(self) -> Result<snapshot::Vlan, DecodeError> {
        Ok(snapshot::Vlan {
            id: self.id,
            fabric: self.fabric,
            name: self.name,
            vid: self.vid,
            mode: match self.mode {
                RackMode::Full => DhcpMode::Full,
                RackMode::Proxy => DhcpMode::Proxy,
                RackMode::Auto => DhcpMode::Auto,
                RackMode::Off => DhcpMode::Off,
            },
            options: options(self.options)?,
        })
    }
}

impl RackSubnet {
    pub(super) fn decode(self) -> Result<snapshot::Subnet, DecodeError> {
        let reservations = self.reservations.unwrap_or_default();
        Ok(snapshot::Subnet {
            id: self.id,
            vlan: self.vlan,
            cidr: parse("subnet.cidr", &self.cidr)?,
            gateway: parse_maybe("subnet.gateway", self.gateway.as_ref())?,
            dns_servers: parse_all("subnet.dnsServers", &self.dns_servers)?,
            ntp_servers: parse_all("subnet.ntpServers", &self.ntp_servers)?,
            domain: self.domain,
            mtu: self.mtu,
            lease_seconds: self.lease_seconds,
            ranges: decode_all(self.ranges, RackRange::decode)?,
            reservations: decode_shared(reservations, RackReservation::decode)?,
            options: options(self.options)?,
        })
    }

    pub(super) fn decode_change(self) -> Result<SubnetChange, DecodeError> {
        let keeps_reservations = self.reservations.is_none();
        Ok(SubnetChange { subnet: self.decode()?, keeps_reservations })
    }
}

impl RackReservations {
    pub(super) fn decode(self) -> Result<ReservationsChange, DecodeError> {
        Ok(ReservationsChange {
            subnet: self.subnet,
            changed: decode_all(self.changed, RackReservation::decode)?,
            removed: parse_all("reservations.removed", &self.removed)?,
        })
    }
}

impl RackRange {
    fn decode(self) -> Result<snapshot::Range, DecodeError> {
        Ok(snapshot::Range {
            first: parse("range.first", &self.first)?,
            last: parse("range.last", &self.last)?,
            class: self.class,
            options: options(self.options)?,
        })
    }
}

impl RackReservation {
    fn decode(self) -> Result<snapshot::Reservation, DecodeError> {
        Ok(snapshot::Reservation {
            key: self.key()?,
            address: parse("reservation.address", &self.address)?,
            hostname: self.hostname,
            options: options(self.options)?,
        })
    }

    fn key(&self) -> Result<ReservationKey, DecodeError> {
        if let Some(mac) = &self.mac_address {
            return Ok(ReservationKey::Mac(parse("reservation.macAddress", mac)?));
        }
        if let Some(id) = &self.client_id {
            return Ok(ReservationKey::ClientId(bytes("reservation.clientId", id)?));
        }
        if let Some(text) = &self.uuid {
            return Ok(ReservationKey::Uuid(uuid("reservation.uuid", text)?));
        }
        let Some(port) = &self.relay_port else {
            return Err(DecodeError { field: "reservation", text: self.address.clone() });
        };
        Ok(ReservationKey::RelayPort(RelayPort {
            circuit_id: bytes("reservation.relayPort.circuitId", &port.circuit_id)?,
            remote_id: bytes("reservation.relayPort.remoteId", &port.remote_id)?,
        }))
    }
}

impl RackSubnet6 {
    pub(super) fn decode(self) -> Result<snapshot::Subnet6, DecodeError> {
        Ok(snapshot::Subnet6 {
            id: self.id,
            vlan: self.vlan,
            cidr: parse("subnet6.cidr", &self.cidr)?,
            dns_servers: parse_all("subnet6.dnsServers", &self.dns_servers)?,
            domain_search: self.domain_search,
            preferred_seconds: self.preferred_seconds,
            valid_seconds: self.valid_seconds,
            ranges: decode_all(self.ranges, |it| {
                let first = parse("range6.first", &it.first)?;
                Ok(snapshot::Range6 { first, last: parse("range6.last", &it.last)? })
            })?,
            prefix_pools: decode_all(self.prefix_pools, |it| {
                let prefix = parse("prefixPool.prefix", &it.prefix)?;
                Ok(snapshot::PrefixPool { prefix, delegated_len: it.delegated_length })
            })?,
            reservations: decode_all(self.reservations, RackReservation6::decode)?,
            options: options(self.options)?,
            router_advertisement: snapshot::RouterAdvertisement {
                enabled: self.router_advertisement.enabled,
                router_lifetime_seconds: self.router_advertisement.router_lifetime_seconds,
                autonomous: self.router_advertisement.autonomous,
            },
        })
    }
}

impl RackReservation6 {
    fn decode(self) -> Result<snapshot::Reservation6, DecodeError> {
        let key = match (&self.mac_address, &self.duid) {
            (Some(mac), _) => ReservationKey6::Mac(parse("reservation6.macAddress", mac)?),
            (None, Some(duid)) => ReservationKey6::Duid(bytes("reservation6.duid", duid)?),
            (None, None) => {
                let text = self.address.or(self.prefix).unwrap_or_default();
                return Err(DecodeError { field: "reservation6", text });
            }
        };
        Ok(snapshot::Reservation6 {
            key,
            address: parse_maybe("reservation6.address", self.address.as_ref())?,
            prefix: parse_maybe("reservation6.prefix", self.prefix.as_ref())?,
            hostname: self.hostname,
            options: options(self.options)?,
        })
    }
}

impl RackClass {
    pub(super) fn decode(self) -> Result<snapshot::ClientClass, DecodeError> {
        Ok(snapshot::ClientClass {
            id: self.id,
            name: self.name,
            matches: decode_all(self.matches, RackClassMatch::decode)?,
            options: options(self.options)?,
            boot_file: self.boot_file,
        })
    }
}

impl RackClassMatch {
    fn decode(self) -> Result<snapshot::ClassMatch, DecodeError> {
        let field = match (self.field, self.code) {
            (RackClassField::Mac, _) => ClassField::Mac,
            (RackClassField::RelayAddress, _) => ClassField::RelayAddress,
            (RackClassField::Option, Some(code)) => ClassField::Option { code, sub: self.sub },
            (RackClassField::Option, None) => {
                return Err(DecodeError { field: "class.match.code", text: "null".to_owned() });
            }
        };
        Ok(snapshot::ClassMatch {
            field,
            operator: match self.operator {
                RackOperator::Present => MatchOperator::Present,
                RackOperator::Equals => MatchOperator::Equals,
                RackOperator::StartsWith => MatchOperator::StartsWith,
                RackOperator::Contains => MatchOperator::Contains,
            },
            value: bytes("class.match.value", &self.value)?,
            negate: self.negate,
        })
    }
}
