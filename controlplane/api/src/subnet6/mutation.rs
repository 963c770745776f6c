use async_graphql::{Context, ID, Object, Result};

use super::Subnet6;
use super::input::{
    Reservation6CreateInput, Reservation6UpdateInput, Subnet6CreateInput, Subnet6UpdateInput,
};
use super::payload::{
    Reservation6CreatePayload, Reservation6DeletePayload, Reservation6UpdatePayload,
    Subnet6CreatePayload, Subnet6DeletePayload, Subnet6UpdatePayload,
};
use crate::answer::app;
use crate::id::{self, Kind};
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct Subnet6Mutation;

#[Object]
impl Subnet6Mutation {
    /// Makes an IPv6 network known. Racks answer in it within moments.
    async fn subnet6_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The network.")] input: Subnet6CreateInput,
    ) -> Result<Subnet6CreatePayload> {
        let actor = access::user(ctx)?;
        let answer = async { app(ctx).subnet6_create(actor, input.parse()?).await };
        answer::mutation(answer.await, |it| Subnet6CreatePayload::done(Subnet6(it)))
    }

    /// Changes an IPv6 subnet. What its ranges and pools no longer hold is drained: a lease there
    /// lives until it ends and is not renewed, and nobody new gets it.
    async fn subnet6_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subnet's id.")] id: ID,
        #[graphql(desc = "What to change.")] input: Subnet6UpdateInput,
    ) -> Result<Subnet6UpdatePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Subnet6, &id)?;
            app(ctx).subnet6_update(actor, id, input.parse()?).await
        };
        answer::mutation(answer.await, |it| Subnet6UpdatePayload::done(Subnet6(it)))
    }

    /// Forgets an IPv6 subnet with its reservations.
    async fn subnet6_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subnet's id.")] id: ID,
    ) -> Result<Subnet6DeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Subnet6, &id)?;
            app(ctx).subnet6_delete(actor, id).await
        };
        let done = |id: ironherd_domain::Subnet6Id| id::encode(Kind::Subnet6, &id.to_text());
        answer::mutation(answer.await, |id| Subnet6DeletePayload::done(done(id)))
    }

    /// Keeps an IPv6 address, a prefix or both for one client.
    async fn reservation6_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reservation.")] input: Reservation6CreateInput,
    ) -> Result<Reservation6CreatePayload> {
        let actor = access::user(ctx)?;
        let answer = async { app(ctx).reservation6_create(actor, input.parse()?).await };
        answer::mutation(answer.await, |it| Reservation6CreatePayload::done(Subnet6(it)))
    }

    /// Changes what is kept for one IPv6 client.
    async fn reservation6_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reservation's id.")] id: ID,
        #[graphql(desc = "What to change.")] input: Reservation6UpdateInput,
    ) -> Result<Reservation6UpdatePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Reservation6, &id)?;
            app(ctx).reservation6_update(actor, id, input.into()).await
        };
        answer::mutation(answer.await, |it| Reservation6UpdatePayload::done(Subnet6(it)))
    }

    /// Gives what was kept for one IPv6 client free.
    async fn reservation6_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reservation's id.")] id: ID,
    ) -> Result<Reservation6DeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Reservation6, &id)?;
            app(ctx).reservation6_delete(actor, id).await
        };
        answer::mutation(answer.await, |it| Reservation6DeletePayload::done(Subnet6(it)))
    }
}
