//! Leases, as racks report them.

use async_graphql::{Enum, Object};

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

/// One address that a rack handed out.
#[derive(Clone, Debug)]
pub(crate) struct Lease(pub(crate) ironherd_app::Lease);

/// One address that a rack handed out.
#[Object]
impl Lease {
    /// The IPv4 address.
    async fn address(&self) -> String {
        self.0.address.to_string()
    }

    /// The network card that holds it.
    async fn mac_address(&self) -> String {
        self.0.mac.to_string()
    }

    /// The name that the client gave itself.
    async fn hostname(&self) -> Option<&str> {
        self.0.hostname.as_deref()
    }

    /// The subnet that the address lies in; null once that is deleted.
    async fn subnet(
        &self,
        ctx: &async_graphql::Context<'_>,
    ) -> async_graphql::Result<Option<Subnet>> {
        let subnet = crate::loader::load(ctx, crate::loader::SubnetOf(self.0.address)).await?;
        Ok(subnet.map(Subnet))
    }

    /// How it stands.
    async fn state(&self) -> LeaseState {
        self.0.state.into()
    }

    /// When it began.
    async fn started_at(&self) -> At {
        self.0.started.into()
    }

    /// When it ends.
    async fn expires_at(&self) -> At {
        self.0.expires.into()
    }
}
