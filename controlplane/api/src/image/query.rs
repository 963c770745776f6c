//! Looking images up.

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, Result};

use super::Image;
use crate::answer::app;
use crate::id::{self, Kind};
use crate::page;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct ImageQuery;

#[Object]
impl ImageQuery {
    /// One image; null if there is no such image.
    async fn image(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Result<Option<Image>> {
        let actor = access::user(ctx)?;
        let Some(id) = id::key(Kind::Image, &id) else { return Ok(None) };
        Ok(answer::query(app(ctx).image(actor, id).await)?.map(Image))
    }

    /// The images, oldest first.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn images(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
    ) -> Result<Connection<String, Image>> {
        let actor = access::user(ctx)?;
        let page = page::request(first, after.as_deref())?;
        let images = answer::query(app(ctx).images(actor, &page).await)?;
        Ok(page::connection(&page, images, Image))
    }
}
