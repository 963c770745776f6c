use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use async_graphql::ID;
use ironherd_snapshot as snapshot;
use ironherd_snapshot::{ClassField, ReservationKey, ReservationKey6};

use super::{all, all_shared, differing, hex};
use crate::dhcp::IpFamily;
use crate::rack::network::{
    RackClass, RackClassField, RackClassMatch, RackFabric, RackOption, RackPrefixPool, RackRange,
    RackRange6, RackRelayPort, RackReservation, RackReservation6, RackReservations,
    RackRouterAdvertisement, RackSubnet, RackSubnet6, RackVlan,
};

/// Both families in one list: most scopes have no option at all.
pub(super) fn options(it: &snapshot::ScopeOptions) -> Vec<RackOption> {
    let list = |family, options: &[snapshot::DhcpOption]| -> Vec<_> {
        let option = |it: &snapshot::DhcpOption| RackOption {
            family,
            code: it.code.into(),
            data: hex(&it.data),
            force: it.force,
        };
        options.iter().map(option).collect()
    };
    [list(IpFamily::V4, &it.v4), list(IpFamily::V6, &it.v6)].concat()
}

impl From<&snapshot::Fabric> for RackFabric {
    fn from(it: &snapshot::Fabric) -> Self {
        Self { id: ID::from(&it.id), name: it.name.clone(), options: options(&it.options) }
    }
}

impl From<&snapshot::Vlan> for RackVlan {
    fn from(it: &snapshot::Vlan) -> Self {
        Self {
            id: ID::from(&it.id),
            fabric: ID::from(&it.fabric),
            name: it.name.clone(),
            vid: it.vid.into(),
            mode: it.mode.into(),
            options: options(&it.options),
        }
    }
}

impl From<&snapshot::Subnet> for RackSubnet {
    fn from(it: &snapshot::Subnet) -> Self {
        Self {
            id: ID::from(&it.id),
            vlan: ID::from(&it.vlan),
            cidr: it.cidr.to_string(),
            gateway: it.gateway.map(|it| it.to_string()),
            dns_servers: texts(&it.dns_servers),
            ntp_servers: texts(&it.ntp_servers),
            domain: it.domain.clone(),
            mtu: it.mtu.map(i32::from),
            lease_seconds: seconds(it.lease_seconds),
            ranges: all(&it.ranges),
            reservations: Some(all_shared(&it.reservations)),
            options: options(&it.options),
        }
    }
}

impl RackSubnet {
    /// What changed of a subnet and of its reservations, if anything.
    pub(super) fn between(
        old: &snapshot::Subnet,
        new: &snapshot::Subnet,
    ) -> (Option<Self>, Option<RackReservations>) {
        let bare = |it: &snapshot::Subnet| {
            let mut bare = it.clone();
            bare.reservations.clear();
            bare
        };
        let (old_bare, new_bare) = (bare(old), bare(new));
        let changed =
            (old_bare != new_bare).then(|| Self { reservations: None, ..Self::from(&new_bare) });
        (changed, RackReservations::between(old, new))
    }
}

impl RackReservations {
    fn between(old: &snapshot::Subnet, new: &snapshot::Subnet) -> Option<Self> {
        let (before, after) = differing(&old.reservations, &new.reservations);
        let known: HashMap<Ipv4Addr, _> = before.iter().map(|it| (it.address, it)).collect();
        let kept: HashSet<Ipv4Addr> = after.iter().map(|it| it.address).collect();
        let changed = after.iter().filter(|it| known.get(&it.address) != Some(it));
        let removed = before.iter().filter(|it| !kept.contains(&it.address));
        let changes = Self {
            subnet: ID::from(&new.id),
            changed: changed.map(|it| RackReservation::from(&**it)).collect(),
            removed: removed.map(|it| it.address.to_string()).collect(),
        };
        (!changes.changed.is_empty() || !changes.removed.is_empty()).then_some(changes)
    }
}

impl From<&snapshot::Range> for RackRange {
    fn from(it: &snapshot::Range) -> Self {
        Self {
            first: it.first.to_string(),
            last: it.last.to_string(),
            class: it.class.as_ref().map(ID::from),
            options: options(&it.options),
        }
    }
}

impl From<&snapshot::Reservation> for RackReservation {
    fn from(it: &snapshot::Reservation) -> Self {
        let told = match &it.key {
            ReservationKey::Mac(mac) => {
                Self { mac_address: Some(mac.to_string()), ..Self::default() }
            }
            ReservationKey::ClientId(id) => Self { client_id: Some(hex(id)), ..Self::default() },
            ReservationKey::Uuid(uuid) => {
                let uuid = uuid::Uuid::from_bytes(*uuid).to_string();
                Self { uuid: Some(uuid), ..Self::default() }
            }
            ReservationKey::RelayPort(port) => {
                let circuit_id = hex(&port.circuit_id);
                let port = RackRelayPort { circuit_id, remote_id: hex(&port.remote_id) };
                Self { relay_port: Some(port), ..Self::default() }
            }
        };
        Self {
            address: it.address.to_string(),
            hostname: it.hostname.clone(),
            options: options(&it.options),
            ..told
        }
    }
}

impl From<&snapshot::Subnet6> for RackSubnet6 {
    fn from(it: &snapshot::Subnet6) -> Self {
        let advertisement = it.router_advertisement;
        Self {
            id: ID::from(&it.id),
            vlan: ID::from(&it.vlan),
            cidr: it.cidr.to_string(),
            dns_servers: texts(&it.dns_servers),
            domain_search: it.domain_search.clone(),
            preferred_seconds: seconds(it.preferred_seconds),
            valid_seconds: seconds(it.valid_seconds),
            ranges: all(&it.ranges),
            prefix_pools: all(&it.prefix_pools),
            reservations: all(&it.reservations),
            options: options(&it.options),
            router_advertisement: RackRouterAdvertisement {
                enabled: advertisement.enabled,
                router_lifetime_seconds: advertisement.router_lifetime_seconds.into(),
                autonomous: advertisement.autonomous,
            },
        }
    }
}

impl From<&snapshot::Range6> for RackRange6 {
    fn from(it: &snapshot::Range6) -> Self {
        Self { first: it.first.to_string(), last: it.last.to_string() }
    }
}

impl From<&snapshot::PrefixPool> for RackPrefixPool {
    fn from(it: &snapshot::PrefixPool) -> Self {
        Self { prefix: it.prefix.to_string(), delegated_length: it.delegated_len.into() }
    }
}

impl From<&snapshot::Reservation6> for RackReservation6 {
    fn from(it: &snapshot::Reservation6) -> Self {
        let told = match &it.key {
            ReservationKey6::Mac(mac) => {
                Self { mac_address: Some(mac.to_string()), ..Self::default() }
            }
            ReservationKey6::Duid(duid) => Self { duid: Some(hex(duid)), ..Self::default() },
        };
        Self {
            address: it.address.map(|it| it.to_string()),
            prefix: it.prefix.map(|it| it.to_string()),
            hostname: it.hostname.clone(),
            options: options(&it.options),
            ..told
        }
    }
}

impl From<&snapshot::ClientClass> for RackClass {
    fn from(it: &snapshot::ClientClass) -> Self {
        Self {
            id: ID::from(&it.id),
            name: it.name.clone(),
            matches: all(&it.matches),
            options: options(&it.options),
            boot_file: it.boot_file.clone(),
        }
    }
}

impl From<&snapshot::ClassMatch> for RackClassMatch {
    fn from(it: &snapshot::ClassMatch) -> Self {
        let (field, code, sub) = match it.field {
            ClassField::Mac => (RackClassField::Mac, None, None),
            ClassField::RelayAddress => (RackClassField::RelayAddress, None, None),
            ClassField::Option { code, sub } => (RackClassField::Option, Some(code), sub),
        };
        Self {
            field,
            code: code.map(i32::from),
            sub: sub.map(i32::from),
            operator: it.operator.into(),
            value: hex(&it.value),
            negate: it.negate,
        }
    }
}

fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// The region lets no lifetime in that is longer than this.
fn seconds(it: u32) -> i32 {
    i32::try_from(it).unwrap_or(i32::MAX)
}
