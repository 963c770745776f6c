use async_graphql::{Context, ID, Object, Result, SimpleObject};
use ironherd_domain::dhcp::show_bytes;
use ironherd_domain::{ReservationKey6, ScopeId};

use crate::dhcp::{DhcpOption, options};
use crate::fabric::Vlan;
use crate::id::{self, Kind};
use crate::loader::{self, VlanById};

/// An IPv6 network that racks answer for.
#[derive(Clone, Debug)]
pub(crate) struct Subnet6(pub(crate) ironherd_app::Subnet6);

/// What is kept for one IPv6 client.
#[derive(Clone, Debug)]
pub(crate) struct Reservation6(ironherd_app::Reservation6);

/// A range of IPv6 addresses.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct Range6 {
    /// First address; belongs to the range.
    first: String,
    /// Last address; belongs to the range.
    last: String,
}

/// Prefixes to delegate: every prefix of one length inside a greater one.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct PrefixPool {
    /// The greater prefix.
    prefix: String,
    /// Length of each delegated prefix.
    delegated_length: i32,
}

/// What Router Advertisements on a link say.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RouterAdvertisement {
    /// Whether there are any.
    enabled: bool,
    /// Seconds as a default router; 0 is none.
    router_lifetime_seconds: i32,
    /// Whether clients make addresses of their own (SLAAC).
    autonomous: bool,
}

/// An IPv6 network that racks answer for.
#[Object]
impl Subnet6 {
    /// Global id.
    pub(crate) async fn id(&self) -> ID {
        id::encode(Kind::Subnet6, &self.0.id.to_text())
    }

    /// Its name, unique among all IPv6 subnets.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Network and prefix length.
    async fn cidr(&self) -> String {
        self.0.cidr.to_string()
    }

    /// The VLAN it is on.
    async fn vlan(&self, ctx: &Context<'_>) -> Result<Option<Vlan>> {
        Ok(loader::load(ctx, VlanById(self.0.vlan_id)).await?.map(Vlan))
    }

    /// Name servers, in the order in which clients shall ask them.
    async fn dns_servers(&self) -> Vec<String> {
        self.0.dns_servers.iter().map(ToString::to_string).collect()
    }

    /// Domains in which bare names are looked up, in order.
    async fn domain_search(&self) -> &[String] {
        &self.0.domain_search
    }

    /// How long an address is used for new connections.
    async fn preferred_seconds(&self) -> i32 {
        i32::try_from(self.0.preferred_seconds).unwrap_or(i32::MAX)
    }

    /// How long a lease lasts.
    async fn valid_seconds(&self) -> i32 {
        i32::try_from(self.0.valid_seconds).unwrap_or(i32::MAX)
    }

    /// Addresses for machines without a reservation.
    async fn ranges(&self) -> Vec<Range6> {
        let range = |it: &ironherd_domain::ipam::Span6| Range6 {
            first: it.first.to_string(),
            last: it.last.to_string(),
        };
        self.0.ranges.iter().map(range).collect()
    }

    /// Prefixes to delegate.
    async fn prefix_pools(&self) -> Vec<PrefixPool> {
        let pool = |it: &ironherd_domain::ipam::PrefixPool| PrefixPool {
            prefix: it.prefix.to_string(),
            delegated_length: it.delegated_len.into(),
        };
        self.0.prefix_pools.iter().map(pool).collect()
    }

    /// What Router Advertisements on its link say.
    async fn router_advertisement(&self) -> RouterAdvertisement {
        RouterAdvertisement {
            enabled: self.0.advertise,
            router_lifetime_seconds: self.0.advertise_lifetime_seconds.into(),
            autonomous: self.0.advertise_autonomous,
        }
    }

    /// What is kept for one client each.
    async fn reservations(&self) -> Vec<Reservation6> {
        self.0.reservations.iter().cloned().map(Reservation6).collect()
    }

    /// DHCP options for every client in it.
    async fn dhcp_options(&self, ctx: &Context<'_>) -> Result<Vec<DhcpOption>> {
        options(ctx, ScopeId::Subnet6(self.0.id)).await
    }
}

/// What is kept for one IPv6 client.
#[Object]
impl Reservation6 {
    /// Global id.
    async fn id(&self) -> ID {
        id::encode(Kind::Reservation6, &self.0.id.to_text())
    }

    /// The network card, if the client is told by it.
    async fn mac_address(&self) -> Option<String> {
        match &self.0.key {
            ReservationKey6::Mac(mac) => Some(mac.to_string()),
            ReservationKey6::Duid(_) => None,
        }
    }

    /// The DUID, if the client is told by it.
    async fn duid(&self) -> Option<String> {
        match &self.0.key {
            ReservationKey6::Mac(_) => None,
            ReservationKey6::Duid(duid) => Some(show_bytes(duid)),
        }
    }

    /// The address.
    async fn address(&self) -> Option<String> {
        self.0.address.map(|it| it.to_string())
    }

    /// The delegated prefix.
    async fn prefix(&self) -> Option<String> {
        self.0.prefix.map(|it| it.to_string())
    }

    /// The hostname told along with it.
    async fn hostname(&self) -> Option<&str> {
        self.0.hostname.as_deref()
    }

    /// DHCP options for this client alone.
    async fn dhcp_options(&self, ctx: &Context<'_>) -> Result<Vec<DhcpOption>> {
        options(ctx, ScopeId::Reservation6(self.0.id)).await
    }
}
