//! One subnet, as people see it.

use async_graphql::{Context, ID, Object, Result};
use ironherd_domain::dhcp::show_bytes;
use ironherd_domain::{ReservationKey, ScopeId};

use crate::dhcp::{DhcpOption, options};
use crate::fabric::Vlan;
use crate::id::{self, Kind};
use crate::loader::{self, MachineByMac, VlanById};
use crate::machine::Machine;

/// A network that racks answer for.
#[derive(Clone, Debug)]
pub(crate) struct Subnet(pub(crate) ironherd_app::Subnet);

/// Addresses that racks hand out to machines without a reservation.
#[derive(Clone, Debug)]
pub(crate) struct Range(ironherd_app::Range);

/// One address that is kept for one client.
#[derive(Clone, Debug)]
pub(crate) struct Reservation(ironherd_app::Reservation);

/// A network that racks answer for.
#[Object]
impl Subnet {
    /// Global id.
    pub(crate) async fn id(&self) -> ID {
        id::encode(Kind::Subnet, &self.0.id.to_text())
    }

    /// Its name, unique among all subnets.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Network and prefix length.
    async fn cidr(&self) -> String {
        self.0.cidr.to_string()
    }

    /// The router's address.
    async fn gateway(&self) -> Option<String> {
        self.0.gateway.map(|it| it.to_string())
    }

    /// Name servers, in the order in which clients shall ask them.
    async fn dns_servers(&self) -> Vec<String> {
        self.0.dns_servers.iter().map(ToString::to_string).collect()
    }

    /// Time servers.
    async fn ntp_servers(&self) -> Vec<String> {
        self.0.ntp_servers.iter().map(ToString::to_string).collect()
    }

    /// The DNS domain of the machines in it.
    async fn domain(&self) -> Option<&str> {
        self.0.domain.as_deref()
    }

    /// Greatest packet in bytes; clients keep their own when null.
    async fn mtu(&self) -> Option<i32> {
        self.0.mtu.map(i32::from)
    }

    /// How long a lease lasts.
    async fn lease_seconds(&self) -> i32 {
        i32::try_from(self.0.lease_seconds).unwrap_or(i32::MAX)
    }

    /// Addresses that racks hand out to machines without a reservation.
    async fn ranges(&self) -> Vec<Range> {
        self.0.ranges.iter().cloned().map(Range).collect()
    }

    /// Addresses that are kept for one client each.
    async fn reservations(&self) -> Vec<Reservation> {
        self.0.reservations.iter().cloned().map(Reservation).collect()
    }

    /// The VLAN it is on.
    async fn vlan(&self, ctx: &Context<'_>) -> Result<Option<Vlan>> {
        Ok(loader::load(ctx, VlanById(self.0.vlan_id)).await?.map(Vlan))
    }

    /// DHCP options for every client in it.
    async fn dhcp_options(&self, ctx: &Context<'_>) -> Result<Vec<DhcpOption>> {
        options(ctx, ScopeId::Subnet(self.0.id)).await
    }
}

/// Addresses that racks hand out to machines without a reservation.
#[Object]
impl Range {
    /// Global id.
    async fn id(&self) -> ID {
        id::encode(Kind::Range, &self.0.id.to_text())
    }

    /// First address; belongs to the range.
    async fn first(&self) -> String {
        self.0.first.to_string()
    }

    /// Last address; belongs to the range.
    async fn last(&self) -> String {
        self.0.last.to_string()
    }

    /// Id of the client class whose members alone are served from it; null: everyone is.
    async fn class_id(&self) -> Option<ID> {
        self.0.class_id.map(|it| id::encode(Kind::ClientClass, &it.to_text()))
    }

    /// DHCP options for clients that are served from it.
    async fn dhcp_options(&self, ctx: &Context<'_>) -> Result<Vec<DhcpOption>> {
        options(ctx, ScopeId::Range(self.0.id)).await
    }
}

/// One address that is kept for one client.
#[Object]
impl Reservation {
    /// Global id.
    async fn id(&self) -> ID {
        id::encode(Kind::Reservation, &self.0.id.to_text())
    }

    /// The network card, if the client is told by it.
    async fn mac_address(&self) -> Option<String> {
        self.0.key.mac().map(|it| it.to_string())
    }

    /// The client identifier (option 61), if the client is told by it.
    async fn client_id(&self) -> Option<String> {
        match &self.0.key {
            ReservationKey::ClientId(id) => Some(show_bytes(id)),
            _ => None,
        }
    }

    /// The SMBIOS UUID, if the client is told by it.
    async fn uuid(&self) -> Option<String> {
        match &self.0.key {
            ReservationKey::Uuid(uuid) => Some(uuid.to_string()),
            _ => None,
        }
    }

    /// The port of a relaying switch, if the client is told by it.
    async fn circuit_id(&self) -> Option<String> {
        match &self.0.key {
            ReservationKey::RelayPort { circuit_id, .. } => Some(show_bytes(circuit_id)),
            _ => None,
        }
    }

    /// The switch of that port; null: any.
    async fn remote_id(&self) -> Option<String> {
        match &self.0.key {
            ReservationKey::RelayPort { remote_id, .. } if !remote_id.is_empty() => {
                Some(show_bytes(remote_id))
            }
            _ => None,
        }
    }

    /// The address.
    async fn address(&self) -> String {
        self.0.address.to_string()
    }

    /// The hostname told along with the address.
    async fn hostname(&self) -> Option<&str> {
        self.0.hostname.as_deref()
    }

    /// The machine that has the network card.
    async fn machine(&self, ctx: &Context<'_>) -> Result<Option<Machine>> {
        let Some(mac) = self.0.key.mac() else { return Ok(None) };
        Ok(loader::load(ctx, MachineByMac(mac)).await?.map(Machine))
    }

    /// DHCP options for this client alone.
    async fn dhcp_options(&self, ctx: &Context<'_>) -> Result<Vec<DhcpOption>> {
        options(ctx, ScopeId::Reservation(self.0.id)).await
    }
}
