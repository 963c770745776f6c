//! Questions to racks: who listens, what waits for an answer, and for how long.
//!
//! A rack holds one subscription open; a question goes down it and the answer comes back as a
//! mutation. All of this is in the memory of the region process that the rack is connected to: a
//! question is worth nothing after seconds.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ironherd_domain::RackId;
use ironherd_snapshot::ask::{RackQuestion, RackRefusal, RefusalCode};
use ironherd_store::{Rack, Tx, rack};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{Actor, Answer, App, CommandError};

/// One question on its way to a rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RackRequest {
    pub id: Uuid,
    /// A [`RackQuestion`] as JSON.
    pub question: String,
    /// An answer that comes later finds nobody.
    pub within: Duration,
}

/// What a rack says to a question.
#[derive(Clone, Debug)]
pub struct RackAnswer {
    pub id: String,
    /// JSON, of the shape that the question asks for.
    pub answer: Option<String>,
    /// A [`RackRefusal`] as JSON.
    pub refusal: Option<String>,
}

/// Questions that one rack has not fetched yet.
const FETCHED_MAX: usize = 16;
/// Questions of all users that wait for an answer.
const WAITING_MAX: usize = 256;
/// An explanation has tens of kilobytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct Desk {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    opened: u64,
    listeners: HashMap<RackId, Listener>,
    waiting: HashMap<Uuid, Waiting>,
}

#[derive(Debug)]
struct Listener {
    number: u64, // Tells the listener that left from the one that took its place.
    requests: mpsc::Sender<RackRequest>,
}

#[derive(Debug)]
struct Waiting {
    rack: RackId,
    is_capture: bool,
    /// The file of a capture, which comes before the answer.
    file: Vec<u8>,
    answer: oneshot::Sender<Result<Said, RackRefusal>>,
}

/// A rack's answer: its JSON, and its file where one was asked for.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) file: Vec<u8>,
}

/// The questions of one rack, as they come. The rack stops listening when this is dropped.
#[derive(Debug)]
pub struct RackInbox {
    app: App,
    rack: RackId,
    number: u64,
    requests: mpsc::Receiver<RackRequest>,
    greeted: bool,
}

impl RackInbox {
    /// The next questions. The first list always comes, to tell the rack that it is listened to;
    /// it is empty unless somebody was faster. `None`: another subscription took this one's place.
    pub async fn next(&mut self) -> Option<Vec<RackRequest>> {
        let mut next = Vec::new();
        if std::mem::replace(&mut self.greeted, true) {
            next.push(self.requests.recv().await?);
        }
        while let Ok(request) = self.requests.try_recv() {
            next.push(request);
        }
        Some(next)
    }
}

impl Drop for RackInbox {
    fn drop(&mut self) {
        let mut state = self.app.inner.desk.lock();
        if state.listeners.get(&self.rack).is_some_and(|it| it.number == self.number) {
            state.listeners.remove(&self.rack);
        }
    }
}

/// Forgets a question when its asker goes, by whatever way.
struct Asked<'a> {
    desk: &'a Desk,
    id: Uuid,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.desk.lock().waiting.remove(&self.id);
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The racks that can be asked now.
    pub(crate) fn listening(&self) -> Vec<RackId> {
        let mut racks: Vec<RackId> = self.lock().listeners.keys().copied().collect();
        racks.sort_unstable();
        racks
    }

    /// Keeps the file of a capture until its answer comes. `false`: nobody waits for it.
    pub(crate) fn keep_file(&self, id: Uuid, ours: &Ours, file: Vec<u8>) -> bool {
        let mut state = self.lock();
        let asked = |it: &&mut Waiting| it.is_capture && ours.hold(it.rack);
        let Some(waiting) = state.waiting.get_mut(&id).filter(asked) else { return false };
        waiting.file = file;
        true
    }

    /// Asks one rack.
    pub(crate) async fn ask(
        &self,
        rack: &Rack,
        question: &RackQuestion,
        within: Duration,
    ) -> Answer<Said> {
        let id = Uuid::new_v4();
        let text = serde_json::to_string(question).unwrap_or_default();
        let (answer, answered) = oneshot::channel();
        let is_capture = matches!(question, RackQuestion::DhcpCapture(_));
        let _asked = Asked { desk: self, id };
        {
            let mut state = self.lock();
            if WAITING_MAX <= state.waiting.len() {
                let why = "Too many questions to racks wait already. Try again in a moment.";
                return Err(refused("RACK_BUSY", why));
            }
            let Some(listener) = state.listeners.get(&rack.id) else {
                return Err(deaf(rack));
            };
            let request = RackRequest { id, question: text, within };
            if listener.requests.try_send(request).is_err() {
                let why = format!("{} has many questions waiting. Try again later.", rack.name);
                return Err(refused("RACK_BUSY", &why));
            }
            state
                .waiting
                .insert(id, Waiting { rack: rack.id, is_capture, file: Vec::new(), answer });
        }
        match tokio::time::timeout(within, answered).await {
            Ok(Ok(Ok(said))) => Ok(said),
            Ok(Ok(Err(refusal))) => Err(said_no(rack, &refusal)),
            Ok(Err(_)) | Err(_) => {
                let seconds = within.as_secs();
                let why = format!(
                    "{} did not answer within {seconds} s. Look at its log and its connection.",
                    rack.name
                );
                Err(refused("RACK_SILENT", &why))
            }
        }
    }
}

impl App {
    /// Listens for questions to the rack that registered under `name`. A later subscription of
    /// the same rack takes the place of an earlier one.
    ///
    /// # Errors
    /// Refusals: `RACK_UNKNOWN`.
    pub async fn rack_requests(&self, actor: &Actor, name: &str) -> Answer<RackInbox> {
        actor.must_be_rack()?;
        let mut tx = self.read().await?;
        let ours = Ours::of(&mut tx, actor).await?;
        let Some(rack) = rack::by_name(&mut tx, name).await?.filter(|it| ours.hold(it.id)) else {
            let why = "Register the rack first, with this token: rackRegister.";
            return Err(CommandError::refused("RACK_UNKNOWN", &["rackName"], why));
        };
        let (sender, requests) = mpsc::channel(FETCHED_MAX);
        let mut state = self.inner.desk.lock();
        state.opened += 1;
        let number = state.opened;
        state.listeners.insert(rack.id, Listener { number, requests: sender });
        drop(state);
        Ok(RackInbox { app: self.clone(), rack: rack.id, number, requests, greeted: false })
    }

    /// Takes a rack's answer to a question of ours.
    ///
    /// # Errors
    /// Refusals: `REQUEST_UNKNOWN`, `ANSWER_INVALID`, `ANSWER_TOO_LARGE`.
    pub async fn rack_answer(&self, actor: &Actor, input: RackAnswer) -> Answer<()> {
        actor.must_be_rack()?;
        let RackAnswer { id, answer, refusal } = input;
        if ANSWER_BYTES_MAX < answer.as_ref().or(refusal.as_ref()).map_or(0, String::len) {
            let why = format!("An answer has at most {ANSWER_BYTES_MAX} bytes.");
            return Err(CommandError::refused("ANSWER_TOO_LARGE", &["input", "answer"], why));
        }
        let said = match (answer, refusal) {
            (Some(text), None) => Ok(text),
            (None, Some(text)) => {
                let invalid = |_| {
                    let why = "This is no refusal that we know.";
                    CommandError::refused("ANSWER_INVALID", &["input", "refusal"], why)
                };
                Err(serde_json::from_str::<RackRefusal>(&text).map_err(invalid)?)
            }
            _ => {
                let why = "Give either an answer or a refusal.";
                return Err(CommandError::refused("ANSWER_INVALID", &["input"], why));
            }
        };
        let ours = Ours::of(&mut self.read().await?, actor).await?;
        let id = Uuid::try_parse(&id).unwrap_or_default();
        let mut state = self.inner.desk.lock();
        let asked = state.waiting.get(&id).is_some_and(|it| ours.hold(it.rack));
        let Some(waiting) = asked.then(|| state.waiting.remove(&id)).flatten() else {
            let why = "Nobody waits for this answer: its time is over, or it was given before.";
            return Err(CommandError::refused("REQUEST_UNKNOWN", &["input", "id"], why));
        };
        drop(state);
        let Waiting { file, answer, .. } = waiting;
        // Whoever asked may have gone in this moment.
        let _ = answer.send(said.map(|text| Said { text, file }));
        Ok(())
    }
}

/// The racks that an actor speaks for.
pub(crate) enum Ours {
    All,
    /// Those that registered with its token.
    These(Vec<RackId>),
}

impl Ours {
    pub(crate) async fn of(tx: &mut Tx, actor: &Actor) -> Answer<Self> {
        Ok(match actor {
            Actor::Rack { token, .. } => Self::These(rack::ids_of_token(tx, *token).await?),
            Actor::System(_) => Self::All,
            Actor::User { .. } | Actor::Agent(_) => Self::These(Vec::new()),
        })
    }

    fn hold(&self, rack: RackId) -> bool {
        match self {
            Self::All => true,
            Self::These(racks) => racks.contains(&rack),
        }
    }
}

/// A rack that registered, but takes no questions.
pub(crate) fn deaf(rack: &Rack) -> CommandError {
    let why = format!(
        "{} takes no questions now: it is not connected, or its version ({}) is too old.",
        rack.name, rack.version
    );
    refused("RACK_NOT_CONNECTED", &why)
}

/// What a rack refused, under the code that the API declares for it.
fn said_no(rack: &Rack, refusal: &RackRefusal) -> CommandError {
    let message = &refusal.message;
    match refusal.code {
        RefusalCode::Unsupported => {
            let why = format!(
                "{} ({}) is too old for this question; upgrade it. It said: {message}",
                rack.name, rack.version
            );
            refused("RACK_TOO_OLD", &why)
        }
        RefusalCode::NotServed => refused("NOT_SERVED", &format!("{}: {message}", rack.name)),
        RefusalCode::Ambiguous => refused("SUBNET_NEEDED", &format!("{}: {message}", rack.name)),
        RefusalCode::Busy => refused("RACK_BUSY", &format!("{}: {message}", rack.name)),
    }
}

pub(crate) fn refused(code: &'static str, why: &str) -> CommandError {
    CommandError::refused(code, &[], why)
}

#[cfg(test)]
mod tests {
    use ironherd_snapshot::ask::CaptureQuestion;

    use super::*;

    #[tokio::test]
    async fn a_silent_rack_is_not_waited_for_and_a_flooded_one_is_spared() {
        let desk = Desk::default();
        let rack = Rack {
            id: RackId::new(),
            name: "one".to_owned(),
            version: "0.1".to_owned(),
            addresses: Vec::new(),
            last_seen: None,
            snapshot_generation: None,
            alarms: "[]".to_owned(),
        };
        let question = RackQuestion::DhcpCapture(CaptureQuestion::default());
        let ask = async |within| desk.ask(&rack, &question, within).await.unwrap_err().code();
        assert_eq!(ask(Duration::ZERO).await, Some("RACK_NOT_CONNECTED"));
        let (requests, mut inbox) = mpsc::channel(FETCHED_MAX);
        desk.lock().listeners.insert(rack.id, Listener { number: 1, requests });
        for _ in 0..FETCHED_MAX {
            assert_eq!(ask(Duration::ZERO).await, Some("RACK_SILENT"));
        }
        assert_eq!(ask(Duration::from_mins(1)).await, Some("RACK_BUSY"));
        assert!(desk.lock().waiting.is_empty(), "who gave up waits no more");
        let first = inbox.recv().await.unwrap();
        assert_eq!(serde_json::from_str::<RackQuestion>(&first.question).unwrap(), question);
        // A rack that goes away while it is asked.
        let gone = async {
            inbox.recv().await.unwrap();
            desk.lock().waiting.clear();
        };
        let (code, ()) = tokio::join!(ask(Duration::from_mins(1)), gone);
        assert_eq!(code, Some("RACK_SILENT"));
    }
}
