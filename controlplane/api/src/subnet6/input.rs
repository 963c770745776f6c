use async_graphql::{ID, InputObject, MaybeUndefined};
use ironherd_app as app;
use ironherd_domain::dhcp::KeyWords6;

use crate::id::{self, Kind};
use crate::subnet::vlan;

/// An IPv6 network that racks answer for.
#[derive(InputObject, Debug)]
pub(crate) struct Subnet6CreateInput {
    /// Its name; the CIDR when absent.
    name: Option<String>,
    /// The VLAN it is on; the untagged one of the default fabric when absent.
    vlan_id: Option<ID>,
    /// Network and prefix length, e.g. `2001:db8::/64`.
    cidr: String,
    /// Name servers, in the order in which clients shall ask them.
    dns_servers: Option<Vec<String>>,
    /// Domains in which bare names are looked up, in order.
    domain_search: Option<Vec<String>>,
    /// How long an address is used for new connections; 15 minutes when absent.
    preferred_seconds: Option<i32>,
    /// How long a lease lasts; half an hour when absent.
    valid_seconds: Option<i32>,
    /// Addresses for machines without a reservation, all of them.
    ranges: Option<Vec<Range6Input>>,
    /// Prefixes to delegate, all of them.
    prefix_pools: Option<Vec<PrefixPoolInput>>,
    /// What Router Advertisements on its link say; sent, without a default route, when absent.
    router_advertisement: Option<RouterAdvertisementInput>,
}

/// What to change of an IPv6 subnet. What is absent stays.
#[derive(InputObject, Debug)]
pub(crate) struct Subnet6UpdateInput {
    /// Its new name.
    name: Option<String>,
    /// The VLAN it is on.
    vlan_id: Option<ID>,
    /// Name servers, in the order in which clients shall ask them.
    dns_servers: Option<Vec<String>>,
    /// Domains in which bare names are looked up, in order.
    domain_search: Option<Vec<String>>,
    /// How long an address is used for new connections.
    preferred_seconds: Option<i32>,
    /// How long a lease lasts.
    valid_seconds: Option<i32>,
    /// Addresses for machines without a reservation, all of them.
    ranges: Option<Vec<Range6Input>>,
    /// Prefixes to delegate, all of them.
    prefix_pools: Option<Vec<PrefixPoolInput>>,
    /// What Router Advertisements on its link say.
    router_advertisement: Option<RouterAdvertisementInput>,
}

/// A range of IPv6 addresses.
#[derive(InputObject, Debug)]
pub(crate) struct Range6Input {
    /// First address; belongs to the range.
    first: String,
    /// Last address; belongs to the range.
    last: String,
}

/// Prefixes to delegate: every prefix of one length inside a greater one.
#[derive(InputObject, Debug)]
pub(crate) struct PrefixPoolInput {
    /// The greater prefix.
    prefix: String,
    /// Length of each delegated prefix, at most 64.
    delegated_length: i32,
}

/// What Router Advertisements say. What is absent stays.
#[derive(InputObject, Debug, Default)]
pub(crate) struct RouterAdvertisementInput {
    /// Whether there are any.
    enabled: Option<bool>,
    /// Seconds as a default router, at most 9000; 0 is none.
    router_lifetime_seconds: Option<i32>,
    /// Whether clients make addresses of their own (SLAAC); in a /64 alone.
    autonomous: Option<bool>,
}

/// What to keep for one IPv6 client: an address, a prefix, or both. Say who it is by its network
/// card or its DUID.
#[derive(InputObject, Debug)]
pub(crate) struct Reservation6CreateInput {
    /// The IPv6 subnet.
    subnet_id: ID,
    /// The network card.
    mac_address: Option<String>,
    /// The DUID: hexadecimal pairs.
    duid: Option<String>,
    /// The address.
    address: Option<String>,
    /// The prefix to delegate.
    prefix: Option<String>,
    /// The hostname told along with it.
    hostname: Option<String>,
}

/// What to change of a reservation. What is absent stays; what is null is taken away.
#[derive(InputObject, Debug)]
pub(crate) struct Reservation6UpdateInput {
    /// The address.
    address: MaybeUndefined<String>,
    /// The prefix to delegate.
    prefix: MaybeUndefined<String>,
    /// The hostname told along with it.
    hostname: MaybeUndefined<String>,
}

impl Subnet6CreateInput {
    pub(super) fn parse(self) -> app::Answer<app::Subnet6Create> {
        let vlan_id = self.vlan_id.map(|id| vlan(&id)).transpose()?;
        let rest = Subnet6UpdateInput {
            name: self.name,
            vlan_id: None,
            dns_servers: self.dns_servers,
            domain_search: self.domain_search,
            preferred_seconds: self.preferred_seconds,
            valid_seconds: self.valid_seconds,
            ranges: self.ranges,
            prefix_pools: self.prefix_pools,
            router_advertisement: self.router_advertisement,
        };
        Ok(app::Subnet6Create { cidr: self.cidr, vlan_id, rest: rest.parse()? })
    }
}

impl Subnet6UpdateInput {
    pub(super) fn parse(self) -> app::Answer<app::Subnet6Update> {
        let ranges = |it: Vec<Range6Input>| it.into_iter().map(|it| (it.first, it.last)).collect();
        let pool = |it: PrefixPoolInput| (it.prefix, i64::from(it.delegated_length));
        let pools = |it: Vec<PrefixPoolInput>| it.into_iter().map(pool).collect();
        let advertisement = self.router_advertisement.unwrap_or_default();
        Ok(app::Subnet6Update {
            name: self.name,
            vlan_id: self.vlan_id.map(|id| vlan(&id)).transpose()?,
            dns_servers: self.dns_servers,
            domain_search: self.domain_search,
            preferred_seconds: self.preferred_seconds.map(Into::into),
            valid_seconds: self.valid_seconds.map(Into::into),
            ranges: self.ranges.map(ranges),
            prefix_pools: self.prefix_pools.map(pools),
            advertise: advertisement.enabled,
            advertise_lifetime_seconds: advertisement.router_lifetime_seconds.map(Into::into),
            advertise_autonomous: advertisement.autonomous,
        })
    }
}

impl Reservation6CreateInput {
    pub(super) fn parse(self) -> app::Answer<app::Reservation6Create> {
        let (code, field) = ("SUBNET_NOT_FOUND", ["input", "subnetId"]);
        Ok(app::Reservation6Create {
            subnet6_id: id::input(Kind::Subnet6, &self.subnet_id, code, &field)?,
            client: KeyWords6 { mac_address: self.mac_address, duid: self.duid },
            address: self.address,
            prefix: self.prefix,
            hostname: self.hostname,
        })
    }
}

impl From<Reservation6UpdateInput> for app::Reservation6Update {
    fn from(it: Reservation6UpdateInput) -> Self {
        Self { address: it.address.into(), prefix: it.prefix.into(), hostname: it.hostname.into() }
    }
}
