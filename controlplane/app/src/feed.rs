use std::collections::VecDeque;

use ironherd_domain::MachineId;
use ironherd_store::{Event, event};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use crate::{Actor, Answer, App, Change};

/// Events read at once: a reader that resumes far back takes the table in parts.
const PART: u32 = 200;

/// Follows what happens: events from the table, without a gap, and progress as it comes.
#[derive(Debug)]
pub struct ChangeFeed {
    app: App,
    head: watch::Receiver<i64>,
    progress: broadcast::Receiver<MachineId>,
    seen: i64,
    ahead: VecDeque<Event>,
}

impl App {
    /// Follows changes after a sequence; `None`: from now on.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks.
    pub async fn changes(&self, actor: &Actor, after: Option<i64>) -> Answer<ChangeFeed> {
        actor.must_be_user()?;
        let head = self.inner.event_head.subscribe();
        let progress = self.inner.progress.subscribe();
        let seen = after.unwrap_or_else(|| *head.borrow()).max(0);
        Ok(ChangeFeed { app: self.clone(), head, progress, seen, ahead: VecDeque::new() })
    }
}

impl ChangeFeed {
    /// The next change; waits for one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`CommandError::Fault`](crate::CommandError::Fault) if the database fails.
    pub async fn next(&mut self) -> Answer<Change> {
        loop {
            if let Some(event) = self.ahead.pop_front() {
                self.seen = event.sequence;
                let machine = event.machine_id;
                return Ok(Change { sequence: self.seen, machine, event: Some(event) });
            }
            if self.seen < *self.head.borrow_and_update() {
                let mut tx = self.app.read().await?;
                self.ahead = event::after(&mut tx, None, self.seen, PART).await?.into();
                if !self.ahead.is_empty() {
                    continue;
                }
                // The cursor is from another life of this database, or the row is not visible
                // here yet: wait for the next commit.
            }
            tokio::select! {
                moved = self.head.changed() => {
                    if moved.is_err() {
                        std::future::pending::<()>().await; // The app is gone; so is the caller.
                    }
                }
                said = self.progress.recv() => match said {
                    Ok(machine) => {
                        let sequence = self.seen;
                        return Ok(Change { sequence, machine: Some(machine), event: None });
                    }
                    // Progress is only the latest word: what was missed is replaced by the next.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => {}
                }
            }
        }
    }
}
