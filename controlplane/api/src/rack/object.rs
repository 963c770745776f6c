//! One rack, as people see it.

use async_graphql::{Context, ID, Object};

use crate::answer::app;
use crate::id::{self, Kind};
use crate::scalar::{At, Long};

/// A rack: answers network boots for the networks it is attached to.
#[derive(Clone, Debug)]
pub(crate) struct Rack(pub(crate) ironherd_app::Rack);

/// A rack: answers network boots for the networks it is attached to.
#[Object]
impl Rack {
    /// Global id.
    pub(crate) async fn id(&self) -> ID {
        id::encode(Kind::Rack, &self.0.id.to_text())
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The version of its program.
    async fn version(&self) -> &str {
        &self.0.version
    }

    /// The IPv4 addresses it answers on.
    async fn addresses(&self) -> &[String] {
        &self.0.addresses
    }

    /// Whether it has been heard of lately.
    async fn connected(&self, ctx: &Context<'_>) -> bool {
        app(ctx).rack_connected(&self.0)
    }

    /// When it was heard of last.
    async fn last_seen(&self) -> Option<At> {
        self.0.last_seen.map(Into::into)
    }

    /// The generation of the snapshot that it answers from.
    async fn snapshot_generation(&self) -> Option<Long> {
        self.0.snapshot_generation.map(Into::into)
    }
}
