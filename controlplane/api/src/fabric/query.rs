use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, Result};

use super::{Fabric, Vlan};
use crate::answer::app;
use crate::id::{self, Kind};
use crate::page;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct FabricQuery;

#[Object]
impl FabricQuery {
    /// One fabric; null if there is no such fabric.
    async fn fabric(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Result<Option<Fabric>> {
        let actor = access::user(ctx)?;
        let Some(id) = id::key(Kind::Fabric, &id) else { return Ok(None) };
        Ok(answer::query(app(ctx).fabric(actor, id).await)?.map(Fabric))
    }

    /// The fabrics, oldest first.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn fabrics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
    ) -> Result<Connection<String, Fabric>> {
        let actor = access::user(ctx)?;
        let page = page::request(first, after.as_deref())?;
        let fabrics = answer::query(app(ctx).fabrics(actor, &page).await)?;
        Ok(page::connection(&page, fabrics, Fabric))
    }

    /// One VLAN; null if there is no such VLAN.
    async fn vlan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Result<Option<Vlan>> {
        let actor = access::user(ctx)?;
        let Some(id) = id::key(Kind::Vlan, &id) else { return Ok(None) };
        Ok(answer::query(app(ctx).vlan(actor, id).await)?.map(Vlan))
    }

    /// The VLANs of all fabrics, oldest first.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn vlans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
    ) -> Result<Connection<String, Vlan>> {
        let actor = access::user(ctx)?;
        let page = page::request(first, after.as_deref())?;
        let vlans = answer::query(app(ctx).vlans(actor, &page).await)?;
        Ok(page::connection(&page, vlans, Vlan))
    }
}
