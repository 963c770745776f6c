//! What racks report. All of these need a rack's token.

use async_graphql::{Context, Object, Result};

use super::Rack;
use super::input::{RackRegisterInput, RackReportInput};
use super::payload::{RackAnswerPayload, RackPayload, RackReportPayload};
use super::request::RackAnswerInput;
use crate::answer::app;
use crate::scalar::Long;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct RackMutation;

#[Object]
impl RackMutation {
    /// Introduces a rack. Doing it again updates the rack of the same name.
    async fn rack_register(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rack.")] input: RackRegisterInput,
    ) -> Result<RackPayload> {
        let actor = access::rack(ctx)?;
        let rack = app(ctx).rack_register(actor, input.into()).await;
        answer::mutation(rack, |it| RackPayload::done(Rack(it)))
    }

    /// Takes what a rack has seen. Sending a report twice does no harm.
    async fn rack_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The report.")] input: RackReportInput,
    ) -> Result<RackReportPayload> {
        let actor = access::rack(ctx)?;
        let answer = async { app(ctx).rack_report(actor, input.parse()?).await };
        answer::mutation(answer.await, |it| {
            RackReportPayload::done(Long::from(it.sequence), it.resync)
        })
    }

    /// Takes a rack's answer to one of its `rackRequests`. Each is answered once.
    async fn rack_answer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The answer.")] input: RackAnswerInput,
    ) -> Result<RackAnswerPayload> {
        let actor = access::rack(ctx)?;
        let id = input.id.clone();
        let taken = app(ctx).rack_answer(actor, input.into()).await;
        answer::mutation(taken, |()| RackAnswerPayload::done(id))
    }
}
