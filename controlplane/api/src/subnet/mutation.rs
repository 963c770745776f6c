//! Changing subnets and the addresses in them.

use async_graphql::{Context, ID, Object, Result};

use super::Subnet;
use super::input::{
    RangeCreateInput, RangeUpdateInput, ReservationCreateInput, ReservationUpdateInput,
    SubnetCreateInput, SubnetUpdateInput,
};
use super::payload::{
    RangeCreatePayload, RangeDeletePayload, RangeUpdatePayload, ReservationCreatePayload,
    ReservationDeletePayload, ReservationUpdatePayload, SubnetCreatePayload, SubnetDeletePayload,
    SubnetUpdatePayload,
};
use crate::answer::app;
use crate::id::{self, Kind};
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct SubnetMutation;

#[Object]
impl SubnetMutation {
    /// Makes a network known. Racks answer in it within moments.
    async fn subnet_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The network.")] input: SubnetCreateInput,
    ) -> Result<SubnetCreatePayload> {
        let actor = access::user(ctx)?;
        let answer = async { app(ctx).subnet_create(actor, input.parse()?).await };
        answer::mutation(answer.await, |it| SubnetCreatePayload::done(Subnet(it)))
    }

    /// Changes what clients in a subnet are told.
    async fn subnet_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subnet's id.")] id: ID,
        #[graphql(desc = "What to change.")] input: SubnetUpdateInput,
    ) -> Result<SubnetUpdatePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Subnet, &id)?;
            app(ctx).subnet_update(actor, id, input.parse()?).await
        };
        answer::mutation(answer.await, |it| SubnetUpdatePayload::done(Subnet(it)))
    }

    /// Forgets a subnet with its ranges and reservations.
    async fn subnet_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subnet's id.")] id: ID,
    ) -> Result<SubnetDeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Subnet, &id)?;
            app(ctx).subnet_delete(actor, id).await
        };
        let done = |id: ironherd_domain::SubnetId| id::encode(Kind::Subnet, &id.to_text());
        answer::mutation(answer.await, |id| SubnetDeletePayload::done(done(id)))
    }

    /// Adds addresses that racks hand out to machines without a reservation.
    async fn range_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The range.")] input: RangeCreateInput,
    ) -> Result<RangeCreatePayload> {
        let actor = access::user(ctx)?;
        let answer = async { app(ctx).range_create(actor, input.parse()?).await };
        answer::mutation(answer.await, |it| RangeCreatePayload::done(Subnet(it)))
    }

    /// Moves the ends of a range, or says whom it is for. What it no longer holds is drained: a
    /// lease there lives until it ends and is not renewed, and nobody new gets the address.
    async fn range_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The range's id.")] id: ID,
        #[graphql(desc = "What to change.")] input: RangeUpdateInput,
    ) -> Result<RangeUpdatePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Range, &id)?;
            app(ctx).range_update(actor, id, input.parse()?).await
        };
        answer::mutation(answer.await, |it| {
            let draining = it.draining.map(|it| i32::try_from(it).unwrap_or(i32::MAX));
            RangeUpdatePayload::done(Subnet(it.subnet), draining)
        })
    }

    /// Takes a range away. Leases in it live until they end.
    async fn range_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The range's id.")] id: ID,
    ) -> Result<RangeDeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Range, &id)?;
            app(ctx).range_delete(actor, id).await
        };
        answer::mutation(answer.await, |it| RangeDeletePayload::done(Subnet(it)))
    }

    /// Keeps one address for one client.
    async fn reservation_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reservation.")] input: ReservationCreateInput,
    ) -> Result<ReservationCreatePayload> {
        let actor = access::user(ctx)?;
        let answer = async { app(ctx).reservation_create(actor, input.parse()?).await };
        answer::mutation(answer.await, |it| ReservationCreatePayload::done(Subnet(it)))
    }

    /// Changes the address or the hostname of a reservation.
    async fn reservation_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reservation's id.")] id: ID,
        #[graphql(desc = "What to change.")] input: ReservationUpdateInput,
    ) -> Result<ReservationUpdatePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Reservation, &id)?;
            app(ctx).reservation_update(actor, id, input.into()).await
        };
        answer::mutation(answer.await, |it| ReservationUpdatePayload::done(Subnet(it)))
    }

    /// Gives a reserved address free.
    async fn reservation_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reservation's id.")] id: ID,
    ) -> Result<ReservationDeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Reservation, &id)?;
            app(ctx).reservation_delete(actor, id).await
        };
        answer::mutation(answer.await, |it| ReservationDeletePayload::done(Subnet(it)))
    }
}
