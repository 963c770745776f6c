//! The schema, put together.

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, SchemaBuilder};
use ironherd_app::App;

use crate::agent::{AgentMutation, AgentQuery};
use crate::ask::{AskMutation, AskQuery};
use crate::bmc_credential::BmcCredentialMutation;
use crate::dhcp::{ClientClassMutation, ClientClassQuery, DhcpOptionMutation, DhcpOptionQuery};
use crate::event::{EventQuery, EventSubscription};
use crate::fabric::{FabricMutation, FabricQuery};
use crate::image::{ImageMutation, ImageQuery};
use crate::lifecycle::LifecycleQuery;
use crate::loader;
use crate::machine::{MachineMutation, MachineQuery};
use crate::node::NodeQuery;
use crate::operation::OperationQuery;
use crate::rack::{RackMutation, RackQuery, RackSubscription};
use crate::settings::{SettingsMutation, SettingsQuery};
use crate::stranger::OneField;
use crate::subnet::{SubnetMutation, SubnetQuery};
use crate::subnet6::{Subnet6Mutation, Subnet6Query};
use crate::viewer::{UserTokenMutation, UserTokenQuery, ViewerQuery};

/// The introspection query of common tools is 15 deep.
const DEPTH_MAX: usize = 20;
/// A page of 500 machines with every field fits; a page of pages does not.
const COMPLEXITY_MAX: usize = 100_000;

/// What can be asked.
#[derive(MergedObject, Debug, Default)]
pub struct Query(
    NodeQuery,
    ViewerQuery,
    UserTokenQuery,
    MachineQuery,
    FabricQuery,
    SubnetQuery,
    Subnet6Query,
    DhcpOptionQuery,
    ClientClassQuery,
    ImageQuery,
    RackQuery,
    AskQuery,
    EventQuery,
    OperationQuery,
    LifecycleQuery,
    SettingsQuery,
    AgentQuery,
);

/// What can be done.
#[derive(MergedObject, Debug, Default)]
pub struct Mutation(
    MachineMutation,
    FabricMutation,
    SubnetMutation,
    Subnet6Mutation,
    DhcpOptionMutation,
    ClientClassMutation,
    ImageMutation,
    SettingsMutation,
    BmcCredentialMutation,
    UserTokenMutation,
    RackMutation,
    AskMutation,
    AgentMutation,
);

/// What can be watched.
#[derive(MergedSubscription, Debug, Default)]
pub struct Subscription(EventSubscription, RackSubscription);

/// Everything that can be asked, done and watched.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// The schema over one region's state. Each request brings its [`Caller`](crate::Caller).
#[must_use]
pub fn schema(app: App) -> Schema {
    builder().data(loader::new(&app)).data(app).finish()
}

/// The schema as text, as it is committed beside this crate.
#[must_use]
pub fn sdl() -> String {
    builder().finish().sdl_with_options(SDLExportOptions::new().use_space_ident())
}

/// The schema without a region's state: enough to look at it, and to check documents against it.
#[must_use]
pub fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .extension(OneField)
        .limit_depth(DEPTH_MAX)
        .limit_complexity(COMPLEXITY_MAX)
}
