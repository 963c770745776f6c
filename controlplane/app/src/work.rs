use std::collections::BTreeSet;

use ironherd_domain::{Mac, MachineId, Refusal, UnixMicros};
use ironherd_store::{
    Machine, NewEvent, SnapshotChange, StoreError, Tx, event, machine, reservation, setting,
    snapshot_change,
};

use crate::seal::SealBroken;
use crate::{App, CommandError};

/// One command's transaction and what is to be told once it is committed.
///
/// Events and counters are written last, in one order: transactions on different machines then
/// never wait for each other in a circle.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) app: App,
    pub(crate) tx: Tx,
    pub(crate) now: UnixMicros,
    pub(crate) actor: String,
    events: Vec<NewEvent>,
    progress: Vec<MachineId>,
    snapshot: BTreeSet<SnapshotChange>,
    pub(crate) effects: bool,
}

/// Why a transaction stopped: for the caller, or because the database said so (perhaps only now).
#[derive(Debug)]
pub(crate) enum Halt {
    Command(CommandError),
    Store(StoreError),
}

pub(crate) type Inner<T> = Result<T, Halt>;

impl From<CommandError> for Halt {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Command(refusal.into())
    }
}

impl From<SealBroken> for Halt {
    fn from(error: SealBroken) -> Self {
        Self::Command(error.into())
    }
}

/// Runs a body in a transaction and commits; begins again when somebody else was faster.
///
/// A macro, because a closure that borrows the transaction across an await is not `Send`.
macro_rules! transact {
    ($app:expr, $actor:expr, |$work:ident| $body:expr) => {{
        let mut tries = 1;
        loop {
            let mut $work = $app.begin($actor).await?;
            let result: $crate::work::Inner<_> = async { $body }.await;
            let result = match result {
                Ok(value) => $work.commit().await.map(|()| value),
                Err(halt) => Err(halt),
            };
            match result {
                Ok(value) => break Ok(value),
                Err(halt) => {
                    if let Some(error) = $crate::App::settle(halt, tries) {
                        break Err(error);
                    }
                }
            }
            tries += 1;
        }
    }};
}

pub(crate) use transact;

impl Work {
    pub(crate) fn new(app: App, tx: Tx, actor: String, now: UnixMicros) -> Self {
        let (events, progress, snapshot) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { app, tx, now, actor, events, progress, snapshot, effects: false }
    }

    /// Notes an event about a machine, or about the region.
    pub(crate) fn event(&mut self, machine: Option<&Machine>, kind: &'static str, message: String) {
        let machine = machine.map(|it| (it.id, it.hostname.clone()));
        let actor = self.actor.clone();
        self.events.push(NewEvent { at: self.now, machine, kind, message, actor });
    }

    /// Racks must learn of this change. What is named here is read again, and nothing else.
    pub(crate) fn touch(&mut self, part: SnapshotChange) {
        self.snapshot.insert(part);
    }

    /// So, for every reservation of a card.
    pub(crate) async fn touch_reservations_of(&mut self, mac: Mac) -> Inner<()> {
        for it in reservation::of_mac(&mut self.tx, mac).await? {
            self.touch(SnapshotChange::Reservation(it.subnet_id, it.address));
        }
        Ok(())
    }

    /// Listeners learn that a machine moved on, without an event.
    pub(crate) fn touch_progress(&mut self, machine: MachineId) {
        self.progress.push(machine);
    }

    /// Loads a machine to change it.
    pub(crate) async fn machine(&mut self, id: MachineId) -> Inner<Machine> {
        let found = machine::by_id_locked(&mut self.tx, id).await?;
        found.ok_or_else(|| not_found("machine", "id").into())
    }

    /// Stores a changed machine.
    pub(crate) async fn store(&mut self, it: &mut Machine) -> Inner<()> {
        it.generation = machine::update(&mut self.tx, it).await?;
        Ok(())
    }

    /// Commits, then tells everybody who waits for what was done.
    pub(crate) async fn commit(mut self) -> Inner<()> {
        let mut head = None;
        for it in &self.events {
            head = Some(event::append(&mut self.tx, it).await?);
        }
        if !self.snapshot.is_empty() {
            let generation = setting::count(&mut self.tx, "snapshot").await?;
            let generation = u64::try_from(generation).unwrap_or_default();
            snapshot_change::append(&mut self.tx, generation, &self.snapshot).await?;
        }
        let Self { app, tx, progress, snapshot, effects, .. } = self;
        tx.commit().await?;
        let inner = &app.inner;
        if let Some(head) = head {
            // Commits may end in another order than they were numbered: never go back.
            inner.event_head.send_if_modified(|it| std::mem::replace(it, head.max(*it)) < head);
        }
        for machine in progress {
            // Nobody listening is fine.
            let _ = inner.progress.send(machine);
        }
        if !snapshot.is_empty() {
            inner.snapshot_wanted.notify_one();
        }
        if effects {
            inner.effects.notify_one();
        }
        Ok(())
    }
}

/// The refusal of an id that names nothing.
pub(crate) fn not_found(what: &str, field: &str) -> Refusal {
    let field: Vec<&str> = field.split('.').collect();
    Refusal::new("NOT_FOUND", &field, format!("There is no such {what}; it may have been deleted."))
}

impl Halt {
    /// Turns "already taken" into a refusal that names the remedy; anything else stays.
    ///
    /// On PostgreSQL the transaction is void after this: the refusal must end it.
    pub(crate) fn taken(self, refusal: impl FnOnce(&str) -> Refusal) -> Self {
        match self {
            Self::Store(StoreError::Taken(what)) => refusal(&what).into(),
            other => other,
        }
    }
}
