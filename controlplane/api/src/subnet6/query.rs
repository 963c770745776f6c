use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, Result};

use super::Subnet6;
use crate::answer::app;
use crate::id::{self, Kind};
use crate::page;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct Subnet6Query;

#[Object]
impl Subnet6Query {
    /// One IPv6 subnet; null if there is no such subnet.
    async fn subnet6(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Result<Option<Subnet6>> {
        let actor = access::user(ctx)?;
        let Some(id) = id::key(Kind::Subnet6, &id) else { return Ok(None) };
        Ok(answer::query(app(ctx).subnet6(actor, id).await)?.map(Subnet6))
    }

    /// The IPv6 subnets, oldest first.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn subnets6(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
    ) -> Result<Connection<String, Subnet6>> {
        let actor = access::user(ctx)?;
        let page = page::request(first, after.as_deref())?;
        let subnets = answer::query(app(ctx).subnets6(actor, &page).await)?;
        Ok(page::connection(&page, subnets, Subnet6))
    }
}
