//! Networks, their scopes and their clients, as racks get them.

use async_graphql::{Enum, ID, SimpleObject};

use crate::dhcp::{DhcpMode, IpFamily, MatchOperator};

/// A layer-2 world with VLANs in it.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackFabric {
    /// The fabric's id, in its plain form.
    pub(crate) id: ID,
    /// Its name.
    pub(crate) name: String,
    /// DHCP options for everything in it.
    pub(crate) options: Vec<RackOption>,
}

/// A broadcast domain.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackVlan {
    /// The VLAN's id, in its plain form.
    pub(crate) id: ID,
    /// The fabric's id, in its plain form.
    pub(crate) fabric: ID,
    /// Its name.
    pub(crate) name: String,
    /// The tag; 0 is untagged.
    pub(crate) vid: i32,
    /// What DHCP does on it.
    pub(crate) mode: DhcpMode,
    /// DHCP options for everything on it.
    pub(crate) options: Vec<RackOption>,
}

/// An IPv4 network that racks answer for.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackSubnet {
    /// The subnet's id, in its plain form.
    pub(crate) id: ID,
    /// The VLAN's id, in its plain form.
    pub(crate) vlan: ID,
    /// Network and prefix length.
    pub(crate) cidr: String,
    /// The router's address.
    pub(crate) gateway: Option<String>,
    /// Name servers, in order.
    pub(crate) dns_servers: Vec<String>,
    /// Time servers.
    pub(crate) ntp_servers: Vec<String>,
    /// The DNS domain.
    pub(crate) domain: Option<String>,
    /// Greatest packet in bytes.
    pub(crate) mtu: Option<i32>,
    /// How long a lease lasts.
    pub(crate) lease_seconds: i32,
    /// Addresses for clients without a reservation.
    pub(crate) ranges: Vec<RackRange>,
    /// Addresses kept for one client each. Null in a change: they are as before.
    pub(crate) reservations: Option<Vec<RackReservation>>,
    /// DHCP options for every client in it.
    pub(crate) options: Vec<RackOption>,
}

/// What changed among the reservations of one IPv4 network.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackReservations {
    /// The subnet's id, in its plain form.
    pub(crate) subnet: ID,
    /// Those that are new or changed, each in place of what its address was reserved for.
    pub(crate) changed: Vec<RackReservation>,
    /// Addresses that are no longer reserved.
    pub(crate) removed: Vec<String>,
}

/// A range of addresses. Both ends belong to it.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackRange {
    /// First address.
    pub(crate) first: String,
    /// Last address.
    pub(crate) last: String,
    /// Id of the class that alone is served from it, in its plain form; null: everyone is.
    pub(crate) class: Option<ID>,
    /// DHCP options for clients that are served from it.
    pub(crate) options: Vec<RackOption>,
}

/// One address that belongs to one client. Exactly one way to tell the client is given.
#[derive(SimpleObject, Clone, Debug, Default)]
pub(crate) struct RackReservation {
    /// The network card.
    pub(crate) mac_address: Option<String>,
    /// The client identifier (option 61) with its type byte; hexadecimal.
    pub(crate) client_id: Option<String>,
    /// The SMBIOS UUID.
    pub(crate) uuid: Option<String>,
    /// The port of a relaying switch.
    pub(crate) relay_port: Option<RackRelayPort>,
    /// The address.
    pub(crate) address: String,
    /// The hostname told along with it.
    pub(crate) hostname: Option<String>,
    /// DHCP options for this client alone.
    pub(crate) options: Vec<RackOption>,
}

/// A port of a switch that relays.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackRelayPort {
    /// Sub-option 1 of option 82; hexadecimal.
    pub(crate) circuit_id: String,
    /// Sub-option 2 of option 82; hexadecimal. Empty: whatever it is.
    pub(crate) remote_id: String,
}

/// An IPv6 network that racks answer for.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackSubnet6 {
    /// The subnet's id, in its plain form.
    pub(crate) id: ID,
    /// The VLAN's id, in its plain form.
    pub(crate) vlan: ID,
    /// Network and prefix length.
    pub(crate) cidr: String,
    /// Name servers, in order.
    pub(crate) dns_servers: Vec<String>,
    /// Domains in which bare names are looked up, in order.
    pub(crate) domain_search: Vec<String>,
    /// How long an address is used for new connections.
    pub(crate) preferred_seconds: i32,
    /// How long a lease lasts.
    pub(crate) valid_seconds: i32,
    /// Addresses for clients without a reservation.
    pub(crate) ranges: Vec<RackRange6>,
    /// Prefixes to delegate.
    pub(crate) prefix_pools: Vec<RackPrefixPool>,
    /// What is kept for one client each.
    pub(crate) reservations: Vec<RackReservation6>,
    /// DHCP options for every client in it.
    pub(crate) options: Vec<RackOption>,
    /// What Router Advertisements on its link say.
    pub(crate) router_advertisement: RackRouterAdvertisement,
}

/// A range of IPv6 addresses. Both ends belong to it.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackRange6 {
    /// First address.
    pub(crate) first: String,
    /// Last address.
    pub(crate) last: String,
}

/// Prefixes to delegate: every prefix of one length inside a greater one.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackPrefixPool {
    /// The greater prefix.
    pub(crate) prefix: String,
    /// Length of each delegated prefix.
    pub(crate) delegated_length: i32,
}

/// What belongs to one IPv6 client. Exactly one way to tell the client is given.
#[derive(SimpleObject, Clone, Debug, Default)]
pub(crate) struct RackReservation6 {
    /// The network card.
    pub(crate) mac_address: Option<String>,
    /// The DUID; hexadecimal.
    pub(crate) duid: Option<String>,
    /// The address.
    pub(crate) address: Option<String>,
    /// The delegated prefix.
    pub(crate) prefix: Option<String>,
    /// The hostname told along with it.
    pub(crate) hostname: Option<String>,
    /// DHCP options for this client alone.
    pub(crate) options: Vec<RackOption>,
}

/// What Router Advertisements say.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct RackRouterAdvertisement {
    /// Whether there are any.
    pub(crate) enabled: bool,
    /// Seconds as a default router; 0 is none.
    pub(crate) router_lifetime_seconds: i32,
    /// Whether clients make addresses of their own.
    pub(crate) autonomous: bool,
}

/// One DHCP option as it goes onto the wire.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackOption {
    /// DHCPv4 or DHCPv6.
    pub(crate) family: IpFamily,
    /// The option's number.
    pub(crate) code: i32,
    /// Its bytes, hexadecimal. Empty: what a wider scope says is not sent.
    pub(crate) data: String,
    /// Sent even to a client that does not ask for it.
    pub(crate) force: bool,
}

/// A kind of client, told by what it sends.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackClass {
    /// The class's id, in its plain form.
    pub(crate) id: ID,
    /// Its name.
    pub(crate) name: String,
    /// The conditions; all must hold.
    pub(crate) matches: Vec<RackClassMatch>,
    /// DHCP options for its members.
    pub(crate) options: Vec<RackOption>,
    /// A TFTP name or a URL to hand out instead of what the boot table says.
    pub(crate) boot_file: Option<String>,
}

/// One condition of a class.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackClassMatch {
    /// What it looks at.
    pub(crate) field: RackClassField,
    /// Number of the option, for `OPTION` alone.
    pub(crate) code: Option<i32>,
    /// Number of the sub-option; null: the option itself.
    pub(crate) sub: Option<i32>,
    /// How it compares.
    pub(crate) operator: MatchOperator,
    /// The bytes it compares with, hexadecimal.
    pub(crate) value: String,
    /// Holds where it otherwise would not.
    pub(crate) negate: bool,
}

/// What a condition of a class looks at.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RackClassField {
    /// The card's address.
    Mac,
    /// The relay's address.
    RelayAddress,
    /// An option or a sub-option.
    Option,
}
