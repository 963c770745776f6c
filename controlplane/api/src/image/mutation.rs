//! Making images known, and forgetting them.

use async_graphql::{Context, ID, Object, Result};

use super::Image;
use super::input::ImageCreateInput;
use super::payload::{ImageDeletePayload, ImagePayload};
use crate::answer::app;
use crate::id::{self, Kind};
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct ImageMutation;

#[Object]
impl ImageMutation {
    /// Makes an image known. Send its bytes with PUT to `Image.uploadPath` next.
    async fn image_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The image.")] input: ImageCreateInput,
    ) -> Result<ImagePayload> {
        let actor = access::user(ctx)?;
        let answer = async { app(ctx).image_create(actor, input.parse()?).await };
        answer::mutation(answer.await, |it| ImagePayload::done(Image(it)))
    }

    /// Forgets an image that no machine needs.
    async fn image_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The image's id.")] id: ID,
    ) -> Result<ImageDeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Image, &id)?;
            app(ctx).image_delete(actor, id).await
        };
        let done = |id: ironherd_domain::ImageId| id::encode(Kind::Image, &id.to_text());
        answer::mutation(answer.await, |id| ImageDeletePayload::done(done(id)))
    }
}
