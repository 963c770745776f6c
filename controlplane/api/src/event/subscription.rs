//! Changes of machines as they happen.

use async_graphql::{Context, ID, Result, SimpleObject, Subscription};
use futures_util::Stream;
use ironherd_app::{Actor, App, Change, ChangeFeed};

use super::Event;
use crate::answer::app;
use crate::id::{self, Kind};
use crate::machine::Machine;
use crate::scalar::Long;
use crate::{access, answer};

/// A change of one machine, and the machine as it is now.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct MachineChange {
    /// The number of the event: subscribe again with `after` set to it to go on from here.
    sequence: Long,
    /// The machine that changed.
    machine_id: ID,
    /// The machine as it is now; null once it is deleted.
    machine: Option<Machine>,
    /// What happened; null where only the progress of an operation moved.
    event: Option<Event>,
}

#[derive(Debug, Default)]
pub(crate) struct EventSubscription;

#[Subscription]
impl EventSubscription {
    /// Changes of machines, in the order of their events. With `after` no event is lost or
    /// repeated, however long the client was away.
    async fn machine_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The last event that the client has seen; only new ones when absent.")]
        after: Option<Long>,
    ) -> Result<impl Stream<Item = Result<MachineChange>> + use<>> {
        let actor = access::user(ctx)?.clone();
        let app = app(ctx).clone();
        let feed = answer::query(app.changes(&actor, after.map(|it| it.0)).await)?;
        Ok(futures_util::stream::unfold(Some((app, actor, feed)), |state| async {
            let (app, actor, mut feed) = state?;
            match next(&app, &actor, &mut feed).await {
                Ok(change) => Some((Ok(change), Some((app, actor, feed)))),
                // The client comes back with `after`; to go on here could skip a change.
                Err(error) => Some((Err(error), None)),
            }
        }))
    }
}

/// Waits for the next change that is about a machine.
async fn next(app: &App, actor: &Actor, feed: &mut ChangeFeed) -> Result<MachineChange> {
    loop {
        let Change { sequence, machine, event } = answer::query(feed.next().await)?;
        let Some(id) = machine else { continue };
        let machine = answer::query(app.machine(actor, id).await)?;
        return Ok(MachineChange {
            sequence: Long(sequence),
            machine_id: id::encode(Kind::Machine, &id.to_text()),
            machine: machine.map(Machine),
            event: event.map(Event),
        });
    }
}
