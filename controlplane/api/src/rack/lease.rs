//! Leases, as racks report them.

use async_graphql::{Context, Enum, ID, Object, Result};
use ironherd_domain::LeaseBlock;

use super::Rack;
use crate::id::{self, Kind};
use crate::loader::{self, RackById, SubnetOf};
use crate::scalar::At;
use crate::subnet::Subnet;

/// How a lease stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::LeaseState")]
pub(crate) enum LeaseState {
    /// It holds.
    Active,
    /// The client gave it back.
    Released,
    /// Its time is over.
    Expired,
    /// The client found the address in use by somebody else.
    Declined,
}

/// How a lease came to its end.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::LeaseEnd")]
pub(crate) enum LeaseEnd {
    /// The client gave it back.
    Released,
    /// Its time was over.
    Expired,
    /// The client found the address in use by somebody else.
    Declined,
    /// Another client has the address now.
    Moved,
    /// The rack told all of its leases, and this was no longer among them; when and how it ended
    /// was not reported.
    Unreported,
}

/// One address or prefix that a rack handed out.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) row: ironherd_app::Lease,
    pub(crate) state: ironherd_domain::LeaseState,
}

/// One address or prefix that a rack handed out.
#[Object]
impl Lease {
    /// The address, or the IPv6 prefix that was delegated.
    async fn address(&self) -> String {
        self.row.address.to_string()
    }

    /// The network card that holds it; null where DHCPv6 was not shown one.
    async fn mac_address(&self) -> Option<String> {
        self.row.mac.map(|it| it.to_string())
    }

    /// What else names the client: its DUID and IAID in DHCPv6.
    async fn client(&self) -> Option<&str> {
        self.row.client.as_deref()
    }

    /// The name that the client gave itself.
    async fn hostname(&self) -> Option<&str> {
        self.row.hostname.as_deref()
    }

    /// The IPv4 subnet that the address lies in; null for IPv6, and once the subnet is deleted.
    async fn subnet(&self, ctx: &Context<'_>) -> Result<Option<Subnet>> {
        subnet_of(ctx, self.row.address).await
    }

    /// How it stands.
    async fn state(&self) -> LeaseState {
        self.state.into()
    }

    /// When the client got it; renewals leave that.
    async fn started_at(&self) -> At {
        self.row.started.into()
    }

    /// When it ends.
    async fn expires_at(&self) -> At {
        self.row.expires.into()
    }

    /// The rack that told of it; null once that is deleted.
    async fn rack(&self, ctx: &Context<'_>) -> Result<Option<Rack>> {
        Ok(loader::load(ctx, RackById(self.row.rack_id)).await?.map(Rack))
    }
}

/// One time that a client held an address, however often it renewed.
#[derive(Clone, Debug)]
pub(crate) struct LeaseSpan(pub(crate) ironherd_app::LeaseSpan);

/// One time that a client held an address, however often it renewed.
#[Object]
impl LeaseSpan {
    /// The address, or the IPv6 prefix that was delegated.
    async fn address(&self) -> String {
        self.0.address.to_string()
    }

    /// The network card that held it; null where DHCPv6 was not shown one.
    async fn mac_address(&self) -> Option<String> {
        self.0.mac.map(|it| it.to_string())
    }

    /// What else names the client: its DUID and IAID in DHCPv6.
    async fn client(&self) -> Option<&str> {
        self.0.client.as_deref()
    }

    /// The name that the client gave itself.
    async fn hostname(&self) -> Option<&str> {
        self.0.hostname.as_deref()
    }

    /// The IPv4 subnet that the address lies in; null for IPv6, and once the subnet is deleted.
    async fn subnet(&self, ctx: &Context<'_>) -> Result<Option<Subnet>> {
        subnet_of(ctx, self.0.address).await
    }

    /// When the client got it.
    async fn from(&self) -> At {
        self.0.from.into()
    }

    /// When it ended; of one that runs, when it ends unless it is renewed.
    async fn until(&self) -> At {
        self.0.until.into()
    }

    /// How it ended; null while it runs.
    async fn ended(&self) -> Option<LeaseEnd> {
        self.0.ended.map(Into::into)
    }

    /// Global id of the rack that told of it. The rack may have been deleted.
    async fn rack_id(&self) -> ID {
        id::encode(Kind::Rack, &self.0.rack_id.to_text())
    }
}

async fn subnet_of(ctx: &Context<'_>, block: LeaseBlock) -> Result<Option<Subnet>> {
    let Some(address) = block.v4() else { return Ok(None) };
    Ok(loader::load(ctx, SubnetOf(address)).await?.map(Subnet))
}
