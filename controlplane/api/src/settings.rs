//! What holds for the whole region.

use async_graphql::{ComplexObject, Context, InputObject, Object, Result, SimpleObject};
use ironherd_domain::ScopeId;

use crate::answer::app;
use crate::dhcp::{DhcpOption, options};
use crate::user_error::payload;
use crate::{access, answer};

/// What holds for the whole region.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub(crate) struct Settings {
    /// Whether unknown machines that boot from the network are taken in.
    enlist: bool,
    /// Arguments for every kernel that racks boot.
    ephemeral_kernel_args: String,
    /// Whether an address that was never used is probed (ARP, ND) after it was offered, in case a
    /// stranger took it.
    conflict_probes: bool,
    /// For how many days it is kept who had an address.
    lease_history_days: u32,
    /// Whether a BMC that agents name and that speaks HTTP without TLS is given the default
    /// credentials. Whoever boots from the network can name a host of his own.
    bmc_defaults_over_http: bool,
}

#[ComplexObject]
impl Settings {
    /// DHCP options for every network.
    async fn dhcp_options(&self, ctx: &Context<'_>) -> Result<Vec<DhcpOption>> {
        options(ctx, ScopeId::Global).await
    }
}

/// What to change. What is absent stays.
#[derive(InputObject, Debug)]
pub(crate) struct SettingsUpdateInput {
    /// Whether unknown machines that boot from the network are taken in.
    enlist: Option<bool>,
    /// Arguments for every kernel that racks boot, e.g. `console=ttyS0,115200`.
    ephemeral_kernel_args: Option<String>,
    /// Whether an address that was never used is probed after it was offered.
    conflict_probes: Option<bool>,
    /// For how many days it is kept who had an address: 1 to 3650; 90 at first.
    lease_history_days: Option<u32>,
    /// Whether a BMC that speaks HTTP without TLS is given the default credentials; not at first.
    bmc_defaults_over_http: Option<bool>,
}

payload! { "settingsUpdate" => SettingsPayload {
        /// The settings as they are now.
        settings: Settings,
    }
    SettingsUpdateUserError SettingsUpdateErrorCode {
        /// The kernel arguments cannot be used as they are.
        KernelArgsInvalid,
        /// The history of leases is kept for 1 to 3650 days.
        LeaseHistoryInvalid,
    }
}

impl From<ironherd_app::Settings> for Settings {
    fn from(it: ironherd_app::Settings) -> Self {
        Self {
            enlist: it.enlist,
            ephemeral_kernel_args: it.ephemeral_kernel_args,
            conflict_probes: it.conflict_probes,
            lease_history_days: it.lease_history_days,
            bmc_defaults_over_http: it.bmc_defaults_over_http,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct SettingsQuery;

#[Object]
impl SettingsQuery {
    /// What holds for the whole region.
    async fn settings(&self, ctx: &Context<'_>) -> Result<Settings> {
        let actor = access::user(ctx)?;
        Ok(answer::query(app(ctx).settings(actor).await)?.into())
    }
}

#[derive(Debug, Default)]
pub(crate) struct SettingsMutation;

#[Object]
impl SettingsMutation {
    /// Changes what holds for the whole region.
    async fn settings_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: SettingsUpdateInput,
    ) -> Result<SettingsPayload> {
        let actor = access::user(ctx)?;
        let input = ironherd_app::SettingsUpdate {
            enlist: input.enlist,
            ephemeral_kernel_args: input.ephemeral_kernel_args,
            conflict_probes: input.conflict_probes,
            lease_history_days: input.lease_history_days,
            bmc_defaults_over_http: input.bmc_defaults_over_http,
        };
        let settings = app(ctx).settings_update(actor, input).await;
        answer::mutation(settings, |it| SettingsPayload::done(Settings::from(it)))
    }
}
