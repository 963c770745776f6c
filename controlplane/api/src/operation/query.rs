//! Looking operations up.

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, Result};

use super::Operation;
use crate::answer::app;
use crate::id::{self, Kind};
use crate::machine::machine_argument;
use crate::page;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct OperationQuery;

#[Object]
impl OperationQuery {
    /// One long-running request; null if there is no such request.
    async fn operation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Result<Option<Operation>> {
        let actor = access::user(ctx)?;
        let Some(id) = id::key(Kind::Operation, &id) else { return Ok(None) };
        Ok(answer::query(app(ctx).operation(actor, id).await)?.map(Operation))
    }

    /// Long-running requests, oldest first.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn operations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
        #[graphql(desc = "Only those of this machine: its id or hostname.")] machine_id: Option<ID>,
    ) -> Result<Connection<String, Operation>> {
        let actor = access::user(ctx)?;
        let page = page::request(first, after.as_deref())?;
        let machine = machine_argument(ctx, actor, machine_id).await?;
        let operations = answer::query(app(ctx).operations(actor, &page, machine).await)?;
        Ok(page::connection(&page, operations, Operation))
    }
}
