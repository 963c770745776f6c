//! Racks and leases for people, the snapshot for racks.

use async_graphql::connection::Connection;
use async_graphql::{Context, Object, Result};

use super::Rack;
use super::lease::{Lease, LeaseSpan};
use super::lease_query::{self, LeaseFilter, TimeSpan};
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

    /// The addresses and prefixes that racks have handed out, in the order of addresses.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn leases(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
        #[graphql(desc = "Which leases; all when absent.")] filter: Option<LeaseFilter>,
    ) -> Result<Connection<String, Lease>> {
        let page = page::request(first, after.as_deref())?;
        lease_query::list(ctx, page, filter.unwrap_or_default()).await
    }

    /// Who held an address, or what a network card held, the latest first. One row each time,
    /// however often it was renewed.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn lease_history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
        #[graphql(desc = "The address or delegated IPv6 prefix; this or `macAddress`.")]
        address: Option<String>,
        #[graphql(desc = "The network card; this or `address`.")] mac_address: Option<String>,
        #[graphql(desc = "Only what was held at some time in this span.")] between: Option<
            TimeSpan,
        >,
    ) -> Result<Connection<String, LeaseSpan>> {
        let page = page::request(first, after.as_deref())?;
        let between = between.unwrap_or_default();
        lease_query::history(ctx, page, address, mac_address, between).await
    }

    /// All that a rack needs to answer. Needs a rack's token.
    async fn rack_snapshot(&self, ctx: &Context<'_>) -> Result<RackSnapshot> {
        access::rack(ctx)?;
        Ok(app(ctx).snapshot().as_ref().into())
    }
}
