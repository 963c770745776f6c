//! What has happened: one row an event, for ever, in one order.

mod subscription;

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, Result};

pub(crate) use self::subscription::EventSubscription;
use crate::access;
use crate::answer::{self, app};
use crate::id::{self, Kind};
use crate::loader::{self, MachineById};
use crate::machine::{Machine, machine_argument};
use crate::page;
use crate::scalar::{At, Long};

/// Something that has happened.
#[derive(Clone, Debug)]
pub(crate) struct Event(pub(crate) ironherd_app::Event);

/// Something that has happened.
#[Object]
impl Event {
    /// Global id.
    pub(crate) async fn id(&self) -> ID {
        id::encode(Kind::Event, &self.0.sequence.to_string())
    }

    /// Its number. Later events have greater ones, without regard to the machine.
    async fn sequence(&self) -> Long {
        Long(self.0.sequence)
    }

    /// When it happened.
    async fn at(&self) -> At {
        self.0.at.into()
    }

    /// The machine it happened to; null if to none, or if that is deleted.
    async fn machine(&self, ctx: &Context<'_>) -> Result<Option<Machine>> {
        let Some(id) = self.0.machine_id else { return Ok(None) };
        Ok(loader::load(ctx, MachineById(id)).await?.map(Machine))
    }

    /// What kind of event it is, for programs.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// What happened, as a sentence for a person.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// Who caused it.
    async fn actor(&self) -> &str {
        &self.0.actor
    }
}

#[derive(Debug, Default)]
pub(crate) struct EventQuery;

#[Object]
impl EventQuery {
    /// What has happened, oldest first. `after` goes on where the last page ended.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
        #[graphql(desc = "Only what happened to this machine.")] machine_id: Option<ID>,
    ) -> Result<Connection<String, Event>> {
        let actor = access::user(ctx)?;
        let page = page::request(first, after.as_deref())?;
        let machine = machine_argument(ctx, actor, machine_id).await?;
        let events = answer::query(app(ctx).events(actor, &page, machine).await)?;
        Ok(page::connection(&page, events, Event))
    }
}
