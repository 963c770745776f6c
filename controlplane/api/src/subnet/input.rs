//! What the subnet mutations take.

use async_graphql::{ID, InputObject, MaybeUndefined};
use ironherd_app as app;
use ironherd_domain::dhcp::KeyWords;
use ironherd_domain::{ClassId, SubnetId, VlanId};

use crate::id::{self, Kind};

/// A network that racks answer for.
#[derive(InputObject, Debug)]
pub(crate) struct SubnetCreateInput {
    /// Its name; the CIDR when absent.
    pub(crate) name: Option<String>,
    /// The VLAN it is on; the untagged one of the default fabric when absent.
    pub(crate) vlan_id: Option<ID>,
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
    /// The VLAN it is on.
    pub(crate) vlan_id: Option<ID>,
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
    /// The client class whose members alone are served from it; absent: everyone is.
    pub(crate) class_id: Option<ID>,
}

/// What to change of a range. What is absent stays; what is null is taken away.
#[derive(InputObject, Debug)]
pub(crate) struct RangeUpdateInput {
    /// Its new first address.
    pub(crate) first: Option<String>,
    /// Its new last address.
    pub(crate) last: Option<String>,
    /// The client class whose members alone are served from it.
    pub(crate) class_id: MaybeUndefined<ID>,
}

/// One address to keep for one client. Say who it is in exactly one way.
#[derive(InputObject, Debug)]
pub(crate) struct ReservationCreateInput {
    /// The subnet that the address lies in.
    pub(crate) subnet_id: ID,
    /// The network card.
    pub(crate) mac_address: Option<String>,
    /// The client identifier (option 61) with its type byte: hexadecimal pairs like
    /// `01:52:54:00:12:34:56`, else the text itself.
    pub(crate) client_id: Option<String>,
    /// The SMBIOS UUID.
    pub(crate) uuid: Option<String>,
    /// A port of a relaying switch, whatever is plugged in there (option 82, sub-option 1):
    /// hexadecimal pairs, else the text itself.
    pub(crate) circuit_id: Option<String>,
    /// The switch of that port (option 82, sub-option 2); absent: any.
    pub(crate) remote_id: Option<String>,
    /// The address; the next free one outside of every range when absent.
    pub(crate) address: Option<String>,
    /// The hostname told along with the address.
    pub(crate) hostname: Option<String>,
}

/// What to change of a reservation. What is absent stays; what is null is taken away.
#[derive(InputObject, Debug)]
pub(crate) struct ReservationUpdateInput {
    /// Its new address.
    pub(crate) address: Option<String>,
    /// The hostname told along with the address.
    pub(crate) hostname: MaybeUndefined<String>,
}

impl SubnetCreateInput {
    pub(super) fn parse(self) -> app::Answer<app::SubnetCreate> {
        let it = self;
        Ok(app::SubnetCreate {
            name: it.name,
            vlan_id: it.vlan_id.map(|id| vlan(&id)).transpose()?,
            cidr: it.cidr,
            gateway: it.gateway,
            dns_servers: it.dns_servers.unwrap_or_default(),
            ntp_servers: it.ntp_servers.unwrap_or_default(),
            domain: it.domain,
            mtu: it.mtu.map(Into::into),
            lease_seconds: it.lease_seconds.map(Into::into),
        })
    }
}

impl SubnetUpdateInput {
    pub(super) fn parse(self) -> app::Answer<app::SubnetUpdate> {
        let it = self;
        Ok(app::SubnetUpdate {
            name: it.name,
            vlan_id: it.vlan_id.map(|id| vlan(&id)).transpose()?,
            gateway: it.gateway.into(),
            dns_servers: it.dns_servers,
            ntp_servers: it.ntp_servers,
            domain: it.domain.into(),
            mtu: it.mtu.map_value(Into::into).into(),
            lease_seconds: it.lease_seconds.map(Into::into),
        })
    }
}

/// Reads the VLAN that a subnet is put on.
pub(crate) fn vlan(id: &str) -> app::Answer<VlanId> {
    id::input(Kind::Vlan, id, "VLAN_NOT_FOUND", &["input", "vlanId"])
}

fn class(id: &str) -> app::Answer<ClassId> {
    id::input(Kind::ClientClass, id, "CLASS_NOT_FOUND", &["input", "classId"])
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
            class_id: self.class_id.map(|id| class(&id)).transpose()?,
        })
    }
}

impl RangeUpdateInput {
    pub(super) fn parse(self) -> app::Answer<app::RangeUpdate> {
        let class_id = Option::<Option<ID>>::from(self.class_id);
        let read = |it: Option<ID>| it.map(|id| class(&id)).transpose();
        let class_id = class_id.map(read).transpose()?;
        Ok(app::RangeUpdate { first: self.first, last: self.last, class_id })
    }
}

impl ReservationCreateInput {
    pub(super) fn parse(self) -> app::Answer<app::ReservationCreate> {
        Ok(app::ReservationCreate {
            subnet_id: subnet(&self.subnet_id)?,
            client: KeyWords {
                mac_address: self.mac_address,
                client_id: self.client_id,
                uuid: self.uuid,
                circuit_id: self.circuit_id,
                remote_id: self.remote_id,
            },
            address: self.address,
            hostname: self.hostname,
        })
    }
}

impl From<ReservationUpdateInput> for app::ReservationUpdate {
    fn from(it: ReservationUpdateInput) -> Self {
        Self { address: it.address, hostname: it.hostname.into() }
    }
}
