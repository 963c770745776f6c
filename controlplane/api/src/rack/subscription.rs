//! The snapshot as it changes.

use std::sync::Arc;

use async_graphql::{Context, Result, Subscription};
use futures_util::Stream;
use ironherd_app::App;
use ironherd_snapshot::Snapshot;
use tokio::sync::watch;

use super::request::RackRequest;
use super::snapshot::RackDelta;
use crate::access;
use crate::answer::{self, app};
use crate::scalar::Long;

#[derive(Debug, Default)]
pub(crate) struct RackSubscription;

#[Subscription]
impl RackSubscription {
    /// What changes in the snapshot, as it changes. Needs a rack's token. The first item brings
    /// the rack up to date: everything, unless the generation `after` is still known here.
    async fn rack_deltas(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The generation that the rack has; none when absent.")] after: Option<
            Long,
        >,
    ) -> Result<impl Stream<Item = RackDelta> + use<>> {
        access::rack(ctx)?;
        let app = app(ctx).clone();
        let known = after.and_then(Long::count).and_then(|it| app.snapshot_at(it));
        let changes = app.snapshot_changes();
        let feed = Feed { app, changes, known, greeted: false };
        Ok(futures_util::stream::unfold(feed, |mut feed| async {
            feed.next().await.map(|delta| (delta, feed))
        }))
    }

    /// What people ask this rack, as it comes; each is to be answered with `rackAnswer`. Needs
    /// the token that the rack registered with. The first list always comes, and is mostly empty.
    async fn rack_requests(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name that the rack registered under.")] rack_name: String,
    ) -> Result<impl Stream<Item = Vec<RackRequest>> + use<>> {
        let actor = access::rack(ctx)?;
        let inbox = answer::query(app(ctx).rack_requests(actor, &rack_name).await)?;
        Ok(futures_util::stream::unfold(inbox, |mut inbox| async {
            let requests = inbox.next().await?;
            Some((requests.into_iter().map(Into::into).collect(), inbox))
        }))
    }
}

struct Feed {
    app: App,
    changes: watch::Receiver<u64>,
    // What the rack has once it applied all deltas so far.
    known: Option<Arc<Snapshot>>,
    greeted: bool,
}

impl Feed {
    /// The next delta; `None` when the region closes. Changes that come faster than the rack
    /// reads fold into one delta.
    async fn next(&mut self) -> Option<RackDelta> {
        loop {
            if self.greeted {
                self.changes.changed().await.ok()?;
            }
            self.changes.mark_unchanged();
            let new = self.app.snapshot();
            let delta = match &self.known {
                None => RackDelta::complete(&new),
                // The first item always comes: it tells the rack that it is up to date.
                Some(old) if self.greeted && old.generation == new.generation => continue,
                Some(old) => RackDelta::between(old, &new),
            };
            self.greeted = true;
            self.known = Some(new);
            return Some(delta);
        }
    }
}
