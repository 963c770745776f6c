//! One machine, as people see it.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use ironherd_domain::ScopeId;
use ironherd_domain::machine::actions;

use super::hardware::Hardware;
use super::state::{
    BootStage, FirmwareKind, MachineAction, MachineState, PowerProtocol, PowerState,
};
use crate::answer::app;
use crate::dhcp::{DhcpOption, options};
use crate::id::{self, Kind};
use crate::image::Image;
use crate::loader::{self, ImageById, RunningOperation, WaitReason};
use crate::operation::{Operation, Progress};
use crate::scalar::{At, Long};

/// One physical server.
#[derive(Clone, Debug)]
pub(crate) struct Machine(pub(crate) ironherd_app::Machine);

/// How a machine is switched on and off, and what its management controller said last.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct MachinePower {
    /// The protocol that its management controller speaks.
    protocol: PowerProtocol,
    /// Where the management controller is.
    address: Option<String>,
    /// The user that Ironherd logs in as.
    username: Option<String>,
    /// Whether the machine is on, as far as is known.
    state: PowerState,
    /// When the management controller was asked last.
    checked_at: Option<At>,
    /// Why it could not be asked or did not obey; absent after the next success.
    error: Option<String>,
}

/// One physical server.
#[Object]
impl Machine {
    /// Global id.
    pub(crate) async fn id(&self) -> ID {
        id::encode(Kind::Machine, &self.0.id.to_text())
    }

    /// Its name, unique among all machines.
    async fn hostname(&self) -> &str {
        &self.0.hostname
    }

    /// Where it stands in its life.
    async fn state(&self) -> MachineState {
        self.0.state.into()
    }

    /// When it came into that state.
    async fn state_since(&self) -> At {
        self.0.state_since.into()
    }

    /// Grows with every change of the machine.
    async fn generation(&self) -> Long {
        Long(self.0.generation)
    }

    /// Why it waits, as a sentence; null unless something is in progress.
    async fn wait_reason(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        if !self.0.state.in_progress() {
            return Ok(None);
        }
        loader::load(ctx, WaitReason(Arc::new(self.0.clone()))).await
    }

    /// When the current state gives up; null unless something is in progress.
    async fn deadline(&self) -> Option<At> {
        self.0.deadline.map(Into::into)
    }

    /// Why it failed or is broken; null in every other state.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// Who has it; null while nobody does.
    async fn owner(&self) -> Option<&str> {
        self.0.owner.as_deref()
    }

    /// Its processor architecture, `amd64` or `arm64`; null until known.
    async fn architecture(&self) -> Option<&str> {
        self.0.architecture.as_deref()
    }

    /// The firmware that starts it; null until known.
    async fn firmware(&self) -> Option<FirmwareKind> {
        self.0.firmware.map(Into::into)
    }

    /// How it is switched on and off.
    async fn power(&self) -> MachinePower {
        let it = &self.0;
        MachinePower {
            protocol: it.power_protocol.into(),
            address: it.power_address.clone(),
            username: it.power_username.clone(),
            state: it.power_state.into(),
            checked_at: it.power_checked.map(Into::into),
            error: it.power_error.clone(),
        }
    }

    /// The last thing seen of the current network boot; null before its first packet.
    async fn boot_stage(&self) -> Option<BootStage> {
        self.0.boot_stage.map(Into::into)
    }

    /// When that was seen.
    async fn boot_stage_since(&self) -> Option<At> {
        self.0.boot_stage_since.map(Into::into)
    }

    /// How far the running operation has come.
    async fn progress(&self, ctx: &Context<'_>) -> Result<Option<Progress>> {
        let operation = loader::load(ctx, RunningOperation(self.0.id)).await?;
        Ok(operation.and_then(|it| it.progress).map(Into::into))
    }

    /// The IPv4 address reserved for its boot card.
    async fn address(&self) -> Option<String> {
        self.0.address.map(|it| it.to_string())
    }

    /// The MAC addresses of its network cards; the first is the one it boots from.
    async fn mac_addresses(&self) -> Vec<String> {
        self.0.macs.iter().map(ToString::to_string).collect()
    }

    /// What the agent found in it; null until it was enlisted or commissioned.
    async fn hardware(&self, ctx: &Context<'_>) -> Option<Hardware> {
        app(ctx).hardware(&self.0).map(Into::into)
    }

    /// The image that is deployed or being deployed.
    async fn image(&self, ctx: &Context<'_>) -> Result<Option<Image>> {
        let Some(id) = self.0.image_id else { return Ok(None) };
        Ok(loader::load(ctx, ImageById(id)).await?.map(Image))
    }

    /// The running operation.
    async fn operation(&self, ctx: &Context<'_>) -> Result<Option<Operation>> {
        let operation = loader::load(ctx, RunningOperation(self.0.id)).await?;
        Ok(operation.map(Operation))
    }

    /// Arguments for the kernel of every network boot of this machine.
    async fn kernel_args(&self) -> &str {
        &self.0.kernel_args
    }

    /// A TFTP name or a URL that it gets instead of what the boot table says.
    async fn boot_file(&self) -> Option<&str> {
        self.0.boot_file.as_deref()
    }

    /// DHCP options for this machine alone.
    async fn dhcp_options(&self, ctx: &Context<'_>) -> Result<Vec<DhcpOption>> {
        options(ctx, ScopeId::Machine(self.0.id)).await
    }

    /// What can be asked of it now.
    async fn actions(&self) -> Vec<MachineAction> {
        actions(self.0.state).into_iter().map(Into::into).collect()
    }
}
