//! Racks and leases for people, the snapshot for racks.

use async_graphql::connection::Connection;
use async_graphql::{Context, Object, Result};

use super::Rack;
use super::lease::Lease;
use super::snapshot::RackSnapshot;
use crate::answer::app;
use crate::page;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct RackQuery;

#[Object]
impl RackQuery {
    /// The racks, in the order in which they registered.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn racks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
    ) -> Result<Connection<String, Rack>> {
        let actor = access::user(ctx)?;
        let page = page::request(first, after.as_deref())?;
        let racks = answer::query(app(ctx).racks(actor, &page).await)?;
        Ok(page::connection(&page, racks, Rack))
    }

    /// The addresses that racks have handed out.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn leases(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
    ) -> Result<Connection<String, Lease>> {
        let actor = access::user(ctx)?;
        let page = page::request(first, after.as_deref())?;
        let leases = answer::query(app(ctx).leases(actor, &page).await)?;
        Ok(page::connection(&page, leases, Lease))
    }

    /// All that a rack needs to answer. Needs a rack's token.
    async fn rack_snapshot(&self, ctx: &Context<'_>) -> Result<RackSnapshot> {
        access::rack(ctx)?;
        Ok(app(ctx).snapshot().as_ref().into())
    }
}
