use async_graphql::{Context, ID, Object, Result};
use ironherd_domain::ScopeId;

use crate::access;
use crate::answer::{self, app};
use crate::dhcp::{DhcpMode, DhcpOption, options};
use crate::id::{self, Kind};
use crate::loader::{self, FabricById};

/// A layer-2 world: VLANs that see each other's tags.
#[derive(Clone, Debug)]
pub(crate) struct Fabric(pub(crate) ironherd_app::Fabric);

/// One broadcast domain. The subnets on it share its links.
#[derive(Clone, Debug)]
pub(crate) struct Vlan(pub(crate) ironherd_app::Vlan);

/// A layer-2 world: VLANs that see each other's tags.
#[Object]
impl Fabric {
    /// Global id.
    pub(crate) async fn id(&self) -> ID {
        id::encode(Kind::Fabric, &self.0.id.to_text())
    }

    /// Its name, unique among all fabrics.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Its VLANs, by their tags: at most 4,095.
    #[graphql(complexity = "1 + 16 * child_complexity")]
    async fn vlans(&self, ctx: &Context<'_>) -> Result<Vec<Vlan>> {
        let actor = access::user(ctx)?;
        let vlans = answer::query(app(ctx).vlans_of(actor, self.0.id).await)?;
        Ok(vlans.into_iter().map(Vlan).collect())
    }

    /// DHCP options for everything in it.
    async fn dhcp_options(&self, ctx: &Context<'_>) -> Result<Vec<DhcpOption>> {
        options(ctx, ScopeId::Fabric(self.0.id)).await
    }
}

/// One broadcast domain. The subnets on it share its links.
#[Object]
impl Vlan {
    /// Global id.
    pub(crate) async fn id(&self) -> ID {
        id::encode(Kind::Vlan, &self.0.id.to_text())
    }

    /// The fabric it is in.
    async fn fabric(&self, ctx: &Context<'_>) -> Result<Option<Fabric>> {
        Ok(loader::load(ctx, FabricById(self.0.fabric_id)).await?.map(Fabric))
    }

    /// Its tag, unique in its fabric; 0 is untagged.
    async fn vid(&self) -> i32 {
        self.0.vid.into()
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What DHCP does on it.
    async fn mode(&self) -> DhcpMode {
        self.0.mode.into()
    }

    /// DHCP options for everything on it.
    async fn dhcp_options(&self, ctx: &Context<'_>) -> Result<Vec<DhcpOption>> {
        options(ctx, ScopeId::Vlan(self.0.id)).await
    }
}
