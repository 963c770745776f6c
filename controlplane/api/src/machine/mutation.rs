//! Changing machines.

use async_graphql::{Context, ID, Object, Result};

use super::Machine;
use super::input::{
    MachineCommissionInput, MachineCreateInput, MachineDeployInput, MachinePowerInput,
    MachineReleaseInput, MachineUpdateInput,
};
use super::payload::{
    MachineAbortPayload, MachineAllocatePayload, MachineCommissionPayload, MachineCreatePayload,
    MachineDeletePayload, MachineDeployPayload, MachineMarkBrokenPayload, MachineMarkFixedPayload,
    MachinePowerPayload, MachineReleasePayload, MachineRetryPayload, MachineUpdatePayload,
};
use super::query::argument;
use crate::answer::app;
use crate::id::{self, Kind};
use crate::operation::Operation;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct MachineMutation;

#[Object]
impl MachineMutation {
    /// Makes a machine known before it boots for the first time.
    async fn machine_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine.")] input: MachineCreateInput,
    ) -> Result<MachineCreatePayload> {
        let actor = access::user(ctx)?;
        let machine = app(ctx).machine_create(actor, input.into()).await;
        answer::mutation(machine, |it| MachineCreatePayload::done(Machine(it)))
    }

    /// Changes a machine's name, power control or kernel arguments.
    async fn machine_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
        #[graphql(desc = "What to change.")] input: MachineUpdateInput,
    ) -> Result<MachineUpdatePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            app(ctx).machine_update(actor, id, input.into()).await
        };
        answer::mutation(answer.await, |it| MachineUpdatePayload::done(Machine(it)))
    }

    /// Boots the agent to take stock of the hardware.
    async fn machine_commission(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
        #[graphql(desc = "How.")] input: Option<MachineCommissionInput>,
    ) -> Result<MachineCommissionPayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            let request_id = input.unwrap_or_default().request_id;
            app(ctx).machine_commission(actor, id, request_id).await
        };
        answer::mutation(answer.await, |it| {
            MachineCommissionPayload::done(Machine(it.machine), Operation(it.operation))
        })
    }

    /// Reserves a machine for the caller.
    async fn machine_allocate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
    ) -> Result<MachineAllocatePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            app(ctx).machine_allocate(actor, id).await
        };
        answer::mutation(answer.await, |it| MachineAllocatePayload::done(Machine(it)))
    }

    /// Writes an image to the machine's disk and starts it. The operation is done once the
    /// installed system itself has reported in.
    async fn machine_deploy(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
        #[graphql(desc = "What to install.")] input: MachineDeployInput,
    ) -> Result<MachineDeployPayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            app(ctx).machine_deploy(actor, id, input.parse()?).await
        };
        answer::mutation(answer.await, |it| {
            MachineDeployPayload::done(Machine(it.machine), Operation(it.operation))
        })
    }

    /// Gives a machine back: switches it off, erases its disks, and frees it.
    async fn machine_release(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
        #[graphql(desc = "How.")] input: Option<MachineReleaseInput>,
    ) -> Result<MachineReleasePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            app(ctx).machine_release(actor, id, input.unwrap_or_default().into()).await
        };
        answer::mutation(answer.await, |it| {
            MachineReleasePayload::done(Machine(it.machine), Operation(it.operation))
        })
    }

    /// Ends what is in progress and switches the machine off.
    async fn machine_abort(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
    ) -> Result<MachineAbortPayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            app(ctx).machine_abort(actor, id).await
        };
        answer::mutation(answer.await, |it| MachineAbortPayload::done(Machine(it)))
    }

    /// Does what failed once more, with the same owner, address and image.
    async fn machine_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
    ) -> Result<MachineRetryPayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            app(ctx).machine_retry(actor, id).await
        };
        answer::mutation(answer.await, |it| {
            MachineRetryPayload::done(Machine(it.machine), Operation(it.operation))
        })
    }

    /// Switches a machine on or off, or asks whether it is on.
    async fn machine_power(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
        #[graphql(desc = "What to do.")] input: MachinePowerInput,
    ) -> Result<MachinePowerPayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            app(ctx).machine_power(actor, id, input.into()).await
        };
        answer::mutation(answer.await, |it| {
            MachinePowerPayload::done(Machine(it.machine), Operation(it.operation))
        })
    }

    /// Takes a machine out of service.
    async fn machine_mark_broken(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
        #[graphql(desc = "Why, as a sentence for a person.")] reason: String,
    ) -> Result<MachineMarkBrokenPayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            app(ctx).machine_mark_broken(actor, id, &reason).await
        };
        answer::mutation(answer.await, |it| MachineMarkBrokenPayload::done(Machine(it)))
    }

    /// Takes a broken machine back into service.
    async fn machine_mark_fixed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
    ) -> Result<MachineMarkFixedPayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            app(ctx).machine_mark_fixed(actor, id).await
        };
        answer::mutation(answer.await, |it| MachineMarkFixedPayload::done(Machine(it)))
    }

    /// Forgets a machine, its addresses and its history of operations.
    async fn machine_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The machine's id or hostname.")] id: ID,
        #[graphql(desc = "Whether to forget it even while it is in use.")] force: Option<bool>,
    ) -> Result<MachineDeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = argument(ctx, actor, &id).await?;
            app(ctx).machine_delete(actor, id, force.unwrap_or(false)).await
        };
        let done = |id: ironherd_domain::MachineId| id::encode(Kind::Machine, &id.to_text());
        answer::mutation(answer.await, |id| MachineDeletePayload::done(done(id)))
    }
}
