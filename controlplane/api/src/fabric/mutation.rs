use async_graphql::{Context, ID, InputObject, Object, Result};
use ironherd_app as app;

use super::payload::{
    FabricCreatePayload, FabricDeletePayload, FabricUpdatePayload, VlanCreatePayload,
    VlanDeletePayload, VlanUpdatePayload,
};
use super::{Fabric, Vlan};
use crate::answer::app;
use crate::dhcp::DhcpMode;
use crate::id::{self, Kind};
use crate::{access, answer};

/// A fabric.
#[derive(InputObject, Debug)]
pub(crate) struct FabricCreateInput {
    /// Its name.
    name: String,
}

/// What to change. What is absent stays.
#[derive(InputObject, Debug)]
pub(crate) struct FabricUpdateInput {
    /// Its new name.
    name: Option<String>,
}

/// A VLAN.
#[derive(InputObject, Debug)]
pub(crate) struct VlanCreateInput {
    /// The fabric it is in; the default one when absent.
    fabric_id: Option<ID>,
    /// Its tag: 0 (untagged) to 4094.
    vid: i32,
    /// Its name; made from the tag when absent.
    name: Option<String>,
    /// What DHCP does on it; `FULL` when absent.
    mode: Option<DhcpMode>,
}

/// What to change. What is absent stays.
#[derive(InputObject, Debug)]
pub(crate) struct VlanUpdateInput {
    /// Its new tag.
    vid: Option<i32>,
    /// Its new name.
    name: Option<String>,
    /// What DHCP shall do on it.
    mode: Option<DhcpMode>,
}

#[derive(Debug, Default)]
pub(crate) struct FabricMutation;

#[Object]
impl FabricMutation {
    /// Makes a fabric with its untagged VLAN.
    async fn fabric_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The fabric.")] input: FabricCreateInput,
    ) -> Result<FabricCreatePayload> {
        let actor = access::user(ctx)?;
        let input = app::FabricCreate { name: input.name };
        let fabric = app(ctx).fabric_create(actor, input).await;
        answer::mutation(fabric, |it| FabricCreatePayload::done(Fabric(it)))
    }

    /// Renames a fabric.
    async fn fabric_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The fabric's id.")] id: ID,
        #[graphql(desc = "What to change.")] input: FabricUpdateInput,
    ) -> Result<FabricUpdatePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Fabric, &id)?;
            app(ctx).fabric_update(actor, id, app::FabricUpdate { name: input.name }).await
        };
        answer::mutation(answer.await, |it| FabricUpdatePayload::done(Fabric(it)))
    }

    /// Forgets a fabric with its VLANs. Refused while a subnet is on one of them.
    async fn fabric_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The fabric's id.")] id: ID,
    ) -> Result<FabricDeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Fabric, &id)?;
            app(ctx).fabric_delete(actor, id).await
        };
        let done = |id: ironherd_domain::FabricId| id::encode(Kind::Fabric, &id.to_text());
        answer::mutation(answer.await, |id| FabricDeletePayload::done(done(id)))
    }

    /// Makes a VLAN known.
    async fn vlan_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The VLAN.")] input: VlanCreateInput,
    ) -> Result<VlanCreatePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let field = ["input", "fabricId"];
            let read = |it: &ID| id::input(Kind::Fabric, it, "FABRIC_NOT_FOUND", &field);
            let input = app::VlanCreate {
                fabric_id: input.fabric_id.as_ref().map(read).transpose()?,
                vid: input.vid.into(),
                name: input.name,
                mode: input.mode.map(Into::into),
            };
            app(ctx).vlan_create(actor, input).await
        };
        answer::mutation(answer.await, |it| VlanCreatePayload::done(Vlan(it)))
    }

    /// Changes a VLAN. A new mode holds within moments.
    async fn vlan_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The VLAN's id.")] id: ID,
        #[graphql(desc = "What to change.")] input: VlanUpdateInput,
    ) -> Result<VlanUpdatePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Vlan, &id)?;
            let (vid, mode) = (input.vid.map(Into::into), input.mode.map(Into::into));
            app(ctx).vlan_update(actor, id, app::VlanUpdate { vid, name: input.name, mode }).await
        };
        answer::mutation(answer.await, |it| VlanUpdatePayload::done(Vlan(it)))
    }

    /// Forgets a VLAN. Refused while a subnet is on it.
    async fn vlan_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The VLAN's id.")] id: ID,
    ) -> Result<VlanDeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::Vlan, &id)?;
            app(ctx).vlan_delete(actor, id).await
        };
        let done = |id: ironherd_domain::VlanId| id::encode(Kind::Vlan, &id.to_text());
        answer::mutation(answer.await, |id| VlanDeletePayload::done(done(id)))
    }
}
