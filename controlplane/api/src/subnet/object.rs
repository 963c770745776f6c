//! One subnet, as people see it.

use async_graphql::{Context, ID, Object, Result, SimpleObject};

use crate::id::{self, Kind};
use crate::loader::{self, MachineByMac};
use crate::machine::Machine;

/// A network that racks answer for.
#[derive(Clone, Debug)]
pub(crate) struct Subnet(pub(crate) ironherd_app::Subnet);

/// Addresses that racks hand out to machines without a reservation.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct Range {
    /// Global id.
    id: ID,
    /// First address; belongs to the range.
    first: String,
    /// Last address; belongs to the range.
    last: String,
}

/// One address that is kept for one network card.
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
        let range = |it: &ironherd_app::Range| Range {
            id: id::encode(Kind::Range, &it.id.to_text()),
            first: it.first.to_string(),
            last: it.last.to_string(),
        };
        self.0.ranges.iter().map(range).collect()
    }

    /// Addresses that are kept for one network card each.
    async fn reservations(&self) -> Vec<Reservation> {
        self.0.reservations.iter().cloned().map(Reservation).collect()
    }
}

/// One address that is kept for one network card.
#[Object]
impl Reservation {
    /// Global id.
    async fn id(&self) -> ID {
        id::encode(Kind::Reservation, &self.0.id.to_text())
    }

    /// The network card.
    async fn mac_address(&self) -> String {
        self.0.mac.to_string()
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
        Ok(loader::load(ctx, MachineByMac(self.0.mac)).await?.map(Machine))
    }
}
