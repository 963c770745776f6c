//! IPv6 networks.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use crate::{Mac, ScopeOptions, hex_bytes};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet6 {
    pub id: String,
    /// Id of the [`Vlan`](crate::Vlan) it is on.
    pub vlan: String,
    pub cidr: Ipv6Net,
    pub dns_servers: Vec<Ipv6Addr>,
    pub domain_search: Vec<String>,
    pub preferred_seconds: u32,
    /// At least `preferred_seconds`.
    pub valid_seconds: u32,
    /// Addresses for clients without a reservation. Empty: reservations only.
    pub ranges: Vec<Range6>,
    pub prefix_pools: Vec<PrefixPool>,
    pub reservations: Vec<Reservation6>,
    pub options: ScopeOptions,
    pub router_advertisement: RouterAdvertisement,
}

/// Both ends belong to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range6 {
    pub first: Ipv6Addr,
    pub last: Ipv6Addr,
}

/// Prefixes to delegate (IA_PD): every `delegated_len` prefix inside `prefix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixPool {
    pub prefix: Ipv6Net,
    /// At least the length of `prefix`, at most 64.
    pub delegated_len: u8,
}

/// What belongs to one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation6 {
    #[serde(flatten)]
    pub key: ReservationKey6,
    pub address: Option<Ipv6Addr>,
    pub prefix: Option<Ipv6Net>,
    pub hostname: Option<String>,
    #[serde(default)]
    pub options: ScopeOptions,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationKey6 {
    /// Told by the DUID if that holds it, by a relay (RFC 6939), or by the link-local address.
    Mac(Mac),
    Duid(#[serde(with = "hex_bytes")] Vec<u8>),
}

/// What our Router Advertisements on the link say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouterAdvertisement {
    pub enabled: bool,
    /// Seconds as a default router; 0: none.
    pub router_lifetime_seconds: u16,
    /// The A flag of the prefix: clients make addresses of their own (SLAAC).
    pub autonomous: bool,
}

impl Default for RouterAdvertisement {
    /// On, for each solicitation without an answer costs an iPXE client seconds; no route.
    fn default() -> Self {
        Self { enabled: true, router_lifetime_seconds: 0, autonomous: false }
    }
}
