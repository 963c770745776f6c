//! What agents and installed systems report.

use async_graphql::{Context, Object, Result};

use super::input::{
    AgentEnlistInput, AgentFinishedInput, AgentHelloInput, AgentProgressInput, SystemReadyInput,
};
use super::payload::{
    AgentCommissionedPayload, AgentEnlistPayload, AgentFinishedPayload, AgentHelloPayload,
    AgentNext, AgentProgressPayload, AgentTaskKind, SystemReadyPayload,
};
use crate::answer::app;
use crate::id::{self, Kind};
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct AgentMutation;

#[Object]
impl AgentMutation {
    /// Trades the one-time token of a boot for a session token. Needs no token beside it.
    async fn agent_hello(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token and the agent's version.")] input: AgentHelloInput,
    ) -> Result<AgentHelloPayload> {
        answer::mutation(app(ctx).agent_hello(input.into()).await, |it| {
            let machine = it.machine.map(|id| id::encode(Kind::Machine, &id.to_text()));
            let task: AgentTaskKind = it.task.into();
            AgentHelloPayload::done(it.session_token.expose().to_owned(), machine, task)
        })
    }

    /// Takes an unknown machine in. Needs an agent's token, as all that follow.
    async fn agent_enlist(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the agent found.")] input: AgentEnlistInput,
    ) -> Result<AgentEnlistPayload> {
        let actor = access::agent(ctx)?;
        let next = app(ctx).agent_enlist(actor, input.into()).await;
        answer::mutation(next, |it| AgentEnlistPayload::done(AgentNext::from(it)))
    }

    /// Takes stock of a known machine.
    async fn agent_commissioned(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the agent found.")] input: AgentEnlistInput,
    ) -> Result<AgentCommissionedPayload> {
        let actor = access::agent(ctx)?;
        let next = app(ctx).agent_commissioned(actor, input.into()).await;
        answer::mutation(next, |it| AgentCommissionedPayload::done(AgentNext::from(it)))
    }

    /// Says how far the agent has come, and that it is alive.
    async fn agent_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How far it is.")] input: AgentProgressInput,
    ) -> Result<AgentProgressPayload> {
        let actor = access::agent(ctx)?;
        let next = app(ctx).agent_progress(actor, input.into()).await;
        answer::mutation(next, |it| AgentProgressPayload::done(AgentNext::from(it)))
    }

    /// Ends the agent's task.
    async fn agent_finished(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How it ended.")] input: AgentFinishedInput,
    ) -> Result<AgentFinishedPayload> {
        let actor = access::agent(ctx)?;
        let next = app(ctx).agent_finished(actor, input.into()).await;
        answer::mutation(next, |it| AgentFinishedPayload::done(AgentNext::from(it)))
    }

    /// An installed system reports in: from now on the machine is DEPLOYED. The one-time token that
    /// it was installed with is all it needs.
    async fn system_ready(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The system's token.")] input: SystemReadyInput,
    ) -> Result<SystemReadyPayload> {
        let ready = app(ctx).system_ready(&input.token).await;
        answer::mutation(ready, |()| SystemReadyPayload::done())
    }
}
