use std::collections::HashMap;

use ironherd_domain::{self as domain, IpFamily, ScopeId};
use ironherd_snapshot as snapshot;
use ironherd_snapshot::{
    ClassMatch, ClientClass, DhcpMode, DhcpOption, Fabric, Mac, MatchOperator, PrefixPool, Range,
    Range6, RelayPort, Reservation, Reservation6, ReservationKey, ReservationKey6,
    RouterAdvertisement, ScopeOptions, Shared, Subnet, Subnet6, Vlan,
};
use ironherd_store as store;
use ironherd_store::{Tx, client_class, dhcp_option, fabric, vlan};

use crate::client_class::CLASSES_MAX;
use crate::work::Inner;

const FABRICS_MAX: u32 = 10_000;
const VLANS_MAX: u32 = 100_000;

/// The options of scopes, of those that have any.
pub(super) struct Scopes(HashMap<String, ScopeOptions>);

/// What the networks of a snapshot hang together by.
pub(super) struct Networks {
    pub(super) fabrics: Vec<Fabric>,
    pub(super) vlans: Vec<Vlan>,
    pub(super) classes: Vec<ClientClass>,
}

impl Scopes {
    pub(super) async fn all(tx: &mut Tx) -> Inner<Self> {
        Ok(Self::from_stored(dhcp_option::all(tx).await?))
    }

    pub(super) async fn of_these(tx: &mut Tx, scopes: &[ScopeId]) -> Inner<Self> {
        let scopes: Vec<String> = scopes.iter().map(|it| it.to_text()).collect();
        Ok(Self::from_stored(dhcp_option::of(tx, &scopes).await?))
    }

    fn from_stored(all: HashMap<String, Vec<store::DhcpOption>>) -> Self {
        Self(all.into_iter().map(|(scope, list)| (scope, scope_options(list))).collect())
    }

    pub(super) fn of(&self, on: ScopeId) -> ScopeOptions {
        if self.0.is_empty() {
            return ScopeOptions::NONE; // Most regions have no options, but many reservations.
        }
        self.0.get(&on.to_text()).cloned().unwrap_or_default()
    }
}

pub(super) async fn networks(tx: &mut Tx) -> Inner<Networks> {
    let fabrics = fabric::page(tx, None, FABRICS_MAX).await?;
    let vlans = vlan::page(tx, None, VLANS_MAX).await?;
    let classes = client_class::all(tx, CLASSES_MAX).await?;
    let on_fabrics = fabrics.iter().map(|it| ScopeId::Fabric(it.id));
    let on_vlans = vlans.iter().map(|it| ScopeId::Vlan(it.id));
    let on_classes = classes.iter().map(|it| ScopeId::Class(it.id));
    let scopes: Vec<ScopeId> = on_fabrics.chain(on_vlans).chain(on_classes).collect();
    let scopes = Scopes::of_these(tx, &scopes).await?;
    Ok(Networks {
        fabrics: fabrics.into_iter().map(|it| fabric_of(it, &scopes)).collect(),
        vlans: vlans.into_iter().map(|it| vlan_of(it, &scopes)).collect(),
        classes: classes.into_iter().map(|it| class_of(it, &scopes)).collect(),
    })
}

pub(super) fn subnet_of(it: store::Subnet, scopes: &Scopes) -> Subnet {
    let range = |it: store::Range| Range {
        first: it.first,
        last: it.last,
        class: it.class_id.map(domain::ClassId::to_text),
        options: scopes.of(ScopeId::Range(it.id)),
    };
    let reservations = it.reservations.into_iter();
    let mut reservations: Vec<Shared<Reservation>> =
        reservations.map(|it| reservation_of(it, scopes).into()).collect();
    reservations.sort_unstable_by_key(|it| it.address);
    Subnet {
        id: it.id.to_text(),
        vlan: it.vlan_id.to_text(),
        cidr: it.cidr,
        gateway: it.gateway,
        dns_servers: it.dns_servers,
        ntp_servers: it.ntp_servers,
        domain: it.domain,
        mtu: it.mtu,
        lease_seconds: it.lease_seconds,
        ranges: it.ranges.into_iter().map(range).collect(),
        reservations,
        options: scopes.of(ScopeId::Subnet(it.id)),
    }
}

pub(super) fn reservation_of(it: store::Reservation, scopes: &Scopes) -> Reservation {
    Reservation {
        options: scopes.of(ScopeId::Reservation(it.id)),
        key: key_of(it.key),
        address: it.address,
        hostname: it.hostname,
    }
}

fn scope_options(list: Vec<store::DhcpOption>) -> ScopeOptions {
    let mut options = ScopeOptions::NONE;
    for it in list {
        let option = DhcpOption { code: it.code, data: it.data, force: it.force };
        match it.family {
            IpFamily::V4 => options.v4.push(option),
            IpFamily::V6 => options.v6.push(option),
        }
    }
    options
}

fn fabric_of(it: store::Fabric, scopes: &Scopes) -> Fabric {
    let options = scopes.of(ScopeId::Fabric(it.id));
    Fabric { id: it.id.to_text(), name: it.name, options }
}

fn vlan_of(it: store::Vlan, scopes: &Scopes) -> Vlan {
    Vlan {
        id: it.id.to_text(),
        fabric: it.fabric_id.to_text(),
        name: it.name,
        vid: it.vid,
        mode: match it.mode {
            domain::DhcpMode::Full => DhcpMode::Full,
            domain::DhcpMode::Proxy => DhcpMode::Proxy,
            domain::DhcpMode::Auto => DhcpMode::Auto,
            domain::DhcpMode::Off => DhcpMode::Off,
        },
        options: scopes.of(ScopeId::Vlan(it.id)),
    }
}

fn key_of(key: domain::ReservationKey) -> ReservationKey {
    match key {
        domain::ReservationKey::Mac(mac) => ReservationKey::Mac(Mac(mac.0)),
        domain::ReservationKey::ClientId(id) => ReservationKey::ClientId(id),
        domain::ReservationKey::Uuid(uuid) => ReservationKey::Uuid(uuid.into_bytes()),
        domain::ReservationKey::RelayPort { circuit_id, remote_id } => {
            ReservationKey::RelayPort(RelayPort { circuit_id, remote_id })
        }
    }
}

pub(super) fn subnet6_of(it: store::Subnet6, scopes: &Scopes) -> Subnet6 {
    let reservation = |it: store::Reservation6| Reservation6 {
        options: scopes.of(ScopeId::Reservation6(it.id)),
        key: match it.key {
            domain::ReservationKey6::Mac(mac) => ReservationKey6::Mac(Mac(mac.0)),
            domain::ReservationKey6::Duid(duid) => ReservationKey6::Duid(duid),
        },
        address: it.address,
        prefix: it.prefix,
        hostname: it.hostname,
    };
    let ranges = it.ranges.iter().map(|it| Range6 { first: it.first, last: it.last });
    let pool = |it: &domain::ipam::PrefixPool| PrefixPool {
        prefix: it.prefix,
        delegated_len: it.delegated_len,
    };
    Subnet6 {
        id: it.id.to_text(),
        vlan: it.vlan_id.to_text(),
        cidr: it.cidr,
        dns_servers: it.dns_servers,
        domain_search: it.domain_search,
        preferred_seconds: it.preferred_seconds,
        valid_seconds: it.valid_seconds,
        ranges: ranges.collect(),
        prefix_pools: it.prefix_pools.iter().map(pool).collect(),
        reservations: it.reservations.into_iter().map(reservation).collect(),
        options: scopes.of(ScopeId::Subnet6(it.id)),
        router_advertisement: RouterAdvertisement {
            enabled: it.advertise,
            router_lifetime_seconds: it.advertise_lifetime_seconds,
            autonomous: it.advertise_autonomous,
        },
    }
}

fn class_of(it: store::ClientClass, scopes: &Scopes) -> ClientClass {
    ClientClass {
        id: it.id.to_text(),
        name: it.name,
        matches: it.conditions.into_iter().map(match_of).collect(),
        options: scopes.of(ScopeId::Class(it.id)),
        boot_file: it.boot_file,
    }
}

fn match_of(it: domain::ClassCondition) -> ClassMatch {
    ClassMatch {
        field: match it.field {
            domain::ClassField::Mac => snapshot::ClassField::Mac,
            domain::ClassField::RelayAddress => snapshot::ClassField::RelayAddress,
            domain::ClassField::Option { code, sub } => snapshot::ClassField::Option { code, sub },
        },
        operator: match it.operator {
            domain::MatchOperator::Present => MatchOperator::Present,
            domain::MatchOperator::Equals => MatchOperator::Equals,
            domain::MatchOperator::StartsWith => MatchOperator::StartsWith,
            domain::MatchOperator::Contains => MatchOperator::Contains,
        },
        value: it.value,
        negate: it.negate,
    }
}
