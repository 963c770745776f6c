//! Questions of the region: each is put to the shards that know, and answered beside them.

mod capture;
mod explain;
mod option;

pub(crate) use explain::{Found, link, question as explain_question};

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use arc_swap::ArcSwap;
use ironherd_leases::Slice;
use ironherd_link::{Reply, Request};
use ironherd_proto::tape::{Packet, Tape};
use ironherd_snapshot::Mac;
use ironherd_snapshot::ask::{
    CaptureQuestion, DhcpQuestion, RackQuestion, RackRefusal, RefusalCode,
};
use ironherd_uring::Waker;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::shard::Command;
use crate::view::View;

/// One question to one shard.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) kind: AskKind,
    /// Held until the shard has answered: the inbox has room for other commands.
    pub(crate) _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) enum AskKind {
    /// Which packets have you kept of this?
    Packets { question: CaptureQuestion, reply: oneshot::Sender<Kept> },
    /// What would this client get?
    Explain { question: Box<DhcpQuestion>, reply: oneshot::Sender<Result<Found, RackRefusal>> },
}

/// Packets that one shard has kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) tape: Tape,
    /// Says when their instants were.
    pub(crate) clock: Clock,
}

/// The way to one shard.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) commands: SyncSender<Command>,
    pub(crate) waker: Waker,
}

/// Answers the region.
#[derive(Debug)]
pub(crate) struct Asker {
    view: Arc<ArcSwap<View>>,
    doors: Vec<Door>,
    places: Arc<Semaphore>,
}

/// Questions in a shard's inbox at once: less than it has room for.
const AT_ONCE: usize = 2;
/// A shard that does not come round in this time serves nobody.
const SHARD_WITHIN: Duration = Duration::from_secs(3);

impl Asker {
    /// `doors` lead to the shards, in their order.
    pub(crate) fn new(view: Arc<ArcSwap<View>>, doors: Vec<Door>) -> Self {
        Self { view, doors, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Answers questions until nobody can ask any more.
    pub(crate) async fn run(self, mut requests: mpsc::Receiver<Request>) {
        let asker = Arc::new(self);
        let mut running = JoinSet::new(); // The link bounds how many there are.
        while let Some(Request { question, reply }) = requests.recv().await {
            let asker = Arc::clone(&asker);
            running.spawn(async move {
                // Whoever asked may have given up.
                let _ = reply.send(asker.answer(question).await);
            });
            while running.try_join_next().is_some() {}
        }
    }

    async fn answer(&self, question: RackQuestion) -> Result<Reply, RackRefusal> {
        match question {
            RackQuestion::DhcpExplain(question) => self.explain(question).await,
            RackQuestion::DhcpCapture(question) => self.capture(question).await,
        }
    }

    async fn explain(&self, question: Box<DhcpQuestion>) -> Result<Reply, RackRefusal> {
        let door = self.door_of(question.mac).ok_or_else(|| busy("the rack has no shard"))?;
        let (reply, replied) = oneshot::channel();
        let found = self.ask(door, AskKind::Explain { question, reply }, replied).await??;
        let text = serde_json::to_string(&explain::told(found)).unwrap_or_default();
        Ok(Reply { text, file: None })
    }

    /// The shard that hears this card.
    fn door_of(&self, mac: Mac) -> Option<&Door> {
        let count = u32::try_from(self.doors.len()).ok()?;
        (0..)
            .zip(&self.doors)
            .find(|(index, _)| Slice { index: *index, count }.holds(mac))
            .map(|it| it.1)
    }

    async fn capture(&self, question: CaptureQuestion) -> Result<Reply, RackRefusal> {
        let mut kept = Vec::new();
        for door in &self.doors {
            let (reply, replied) = oneshot::channel();
            let kind = AskKind::Packets { question: question.clone(), reply };
            kept.push(self.ask(door, kind, replied).await?);
        }
        let view = self.view.load_full();
        let written = tokio::task::spawn_blocking(move || capture::write(&kept, &view)).await;
        let (file, summary) = written.map_err(|_| busy("the packets could not be written"))?;
        let text = serde_json::to_string(&summary).unwrap_or_default();
        Ok(Reply { text, file: Some(file) })
    }

    /// Puts one question to one shard.
    async fn ask<T>(
        &self,
        door: &Door,
        kind: AskKind,
        replied: oneshot::Receiver<T>,
    ) -> Result<T, RackRefusal> {
        let silent = || busy("the shard did not answer in time");
        let asked = async {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let ask = Ask { kind, _place: place };
            door.commands.try_send(Command::Ask(ask)).ok()?;
            door.waker.wake();
            replied.await.ok()
        };
        let answered = tokio::time::timeout(SHARD_WITHIN, asked).await;
        answered.ok().flatten().ok_or_else(silent)
    }
}

/// Whether a packet is asked for.
pub(crate) fn fits(question: &CaptureQuestion, clock: Clock, packet: &Packet<'_>) -> bool {
    let at = u64::try_from(clock.wall_at(packet.at).as_millis()).unwrap_or(u64::MAX);
    question.mac.is_none_or(|it| it == packet.mac)
        && question.since_ms.is_none_or(|it| it <= at)
        && question.until_ms.is_none_or(|it| at <= it)
}

fn busy(message: &str) -> RackRefusal {
    RackRefusal { code: RefusalCode::Busy, message: message.to_owned() }
}
