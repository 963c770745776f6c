//! One rack, as people see it.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

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

    /// What it warns of: foreign DHCP servers, ranges that run out, a disk that keeps no leases.
    async fn alarms(&self) -> Vec<RackAlarm> {
        ironherd_app::rack_alarms(&self.0).into_iter().map(Into::into).collect()
    }

    /// The generation of the snapshot that it answers from.
    async fn snapshot_generation(&self) -> Option<Long> {
        self.0.snapshot_generation.map(Into::into)
    }
}

/// Something that is so at a rack, as long as it is.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RackAlarm {
    /// What kind of thing.
    kind: RackAlarmKind,
    /// What it is about: a server and its VLAN, a range.
    subject: String,
    /// What is so, and what to do.
    message: String,
    /// Since when the region knows of it.
    since: At,
}

/// What a rack warns of.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::RackAlarmKind")]
pub(crate) enum RackAlarmKind {
    /// Somebody else's DHCP server answers on a VLAN.
    ForeignDhcpServer,
    /// Most addresses of a range are in use.
    PoolLow,
    /// All addresses of a range are in use: new clients get none.
    PoolExhausted,
    /// Leases cannot be written, so none is granted.
    JournalFailed,
}

impl From<ironherd_app::RackAlarm> for RackAlarm {
    fn from(it: ironherd_app::RackAlarm) -> Self {
        let (kind, since) = (it.kind.into(), it.since.into());
        Self { kind, subject: it.subject, message: it.message, since }
    }
}
