//! What the subnet mutations take.

use async_graphql::{ID, InputObject, MaybeUndefined};
use ironherd_app as app;
use ironherd_domain::SubnetId;

use crate::id::{self, Kind};

/// A network that racks answer for.
#[derive(InputObject, Debug)]
pub(crate) struct SubnetCreateInput {
    /// Its name; the CIDR when absent.
    pub(crate) name: Option<String>,
    /// Network and prefix length, e.g. `192.0.2.0/24`.
    pub(crate) cidr: String,
    /// The router's address; none is told when absent.
    pub(crate) gateway: Option<String>,
    /// Name servers, in the order in which clients shall ask them.
    pub(crate) dns_servers: Option<Vec<String>>,
    /// Time servers.
    pub(crate) ntp_servers: Option<Vec<String>>,
    /// The DNS domain of the machines in it.
    pub(crate) domain: Option<String>,
    /// Greatest packet in bytes; clients keep their own when absent.
    pub(crate) mtu: Option<i32>,
    /// How long a lease lasts; ten minutes when absent.
    pub(crate) lease_seconds: Option<i32>,
}

/// What to change of a subnet. What is absent stays; what is null is taken away.
#[derive(InputObject, Debug)]
pub(crate) struct SubnetUpdateInput {
    /// Its new name.
    pub(crate) name: Option<String>,
    /// The router's address.
    pub(crate) gateway: MaybeUndefined<String>,
    /// Name servers, in the order in which clients shall ask them.
    pub(crate) dns_servers: Option<Vec<String>>,
    /// Time servers.
    pub(crate) ntp_servers: Option<Vec<String>>,
    /// The DNS domain of the machines in it.
    pub(crate) domain: MaybeUndefined<String>,
    /// Greatest packet in bytes.
    pub(crate) mtu: MaybeUndefined<i32>,
    /// How long a lease lasts.
    pub(crate) lease_seconds: Option<i32>,
}

/// Addresses to hand out to machines without a reservation.
#[derive(InputObject, Debug)]
pub(crate) struct RangeCreateInput {
    /// The subnet that the range lies in.
    pub(crate) subnet_id: ID,
    /// First address; belongs to the range.
    pub(crate) first: String,
    /// Last address; belongs to the range.
    pub(crate) last: String,
}

/// One address to keep for one network card.
#[derive(InputObject, Debug)]
pub(crate) struct ReservationCreateInput {
    /// The subnet that the address lies in.
    pub(crate) subnet_id: ID,
    /// The network card.
    pub(crate) mac_address: String,
    /// The address; the next free one outside of every range when absent.
    pub(crate) address: Option<String>,
    /// The hostname told along with the address.
    pub(crate) hostname: Option<String>,
}

impl From<SubnetCreateInput> for app::SubnetCreate {
    fn from(it: SubnetCreateInput) -> Self {
        Self {
            name: it.name,
            cidr: it.cidr,
            gateway: it.gateway,
            dns_servers: it.dns_servers.unwrap_or_default(),
            ntp_servers: it.ntp_servers.unwrap_or_default(),
            domain: it.domain,
            mtu: it.mtu.map(Into::into),
            lease_seconds: it.lease_seconds.map(Into::into),
        }
    }
}

impl From<SubnetUpdateInput> for app::SubnetUpdate {
    fn from(it: SubnetUpdateInput) -> Self {
        Self {
            name: it.name,
            gateway: it.gateway.into(),
            dns_servers: it.dns_servers,
            ntp_servers: it.ntp_servers,
            domain: it.domain.into(),
            mtu: it.mtu.map_value(Into::into).into(),
            lease_seconds: it.lease_seconds.map(Into::into),
        }
    }
}

fn subnet(id: &str) -> app::Answer<SubnetId> {
    id::input(Kind::Subnet, id, "SUBNET_NOT_FOUND", &["input", "subnetId"])
}

impl RangeCreateInput {
    pub(super) fn parse(self) -> app::Answer<app::RangeCreate> {
        Ok(app::RangeCreate {
            subnet_id: subnet(&self.subnet_id)?,
            first: self.first,
            last: self.last,
        })
    }
}

impl ReservationCreateInput {
    pub(super) fn parse(self) -> app::Answer<app::ReservationCreate> {
        Ok(app::ReservationCreate {
            subnet_id: subnet(&self.subnet_id)?,
            mac_address: self.mac_address,
            address: self.address,
            hostname: self.hostname,
        })
    }
}
