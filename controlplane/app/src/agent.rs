use std::time::Duration;

use ironherd_domain::{
    AgentNext, AgentTaskKind, BootIntent, BootStage, Event, MachineId, MachineState, Progress,
    Refusal, TokenId, UnixMicros, machine::boot_intent,
};
use ironherd_proto::token as boot_token;
use ironherd_snapshot::BootKey;
use ironherd_store::{Machine, Token, TokenKind, boot_nonce, machine, operation, token};

use crate::seal::{fresh_token, token_digest};
use crate::work::{Inner, Work, transact};
use crate::{
    Actor, AgentFinished, AgentHello, AgentProgress, AgentSession, AgentWelcome, Answer, App,
    CommandError,
};

/// Longer than any deadline; what ends a session in practice is the next boot attempt.
const SESSION_MAX: Duration = Duration::from_hours(24);
/// What agents say is kept up to this length, in characters.
const MESSAGE_CHARS_MAX: usize = 1_000;
/// With this many NEW machines no unknown one is taken in.
const ENLISTED_MAX: u64 = 10_000;
const FIELD: [&str; 2] = ["input", "bootToken"];
/// The step of a deployment between the agent's end and the installed system's report.
const FIRST_BOOT: &str = "Starting the installed system";

impl App {
    /// Turns a boot token into a session. The token is the proof: nobody is asked who calls.
    ///
    /// # Errors
    /// Refusals: `TOKEN_INVALID`, `TOKEN_USED`, `TOKEN_STALE`, `ENLIST_FULL`.
    pub async fn agent_hello(&self, input: AgentHello) -> Answer<AgentWelcome> {
        let text = input.boot_token.expose();
        let actor = Actor::System("agent");
        // Anybody may call this: forged tokens end before they take the writer.
        let id = boot_token::claimed_id(text).ok_or_else(invalid)?;
        if id == boot_token::ENLIST_ID {
            enlist_proof(self, text, self.now())?;
            return transact!(self, &actor, |work| enlisting(&mut work, text).await);
        }
        let id = id.parse::<MachineId>().map_err(|_| invalid())?;
        let found = machine::by_id(&mut self.read().await?, id).await?;
        proof(self, &found.ok_or_else(invalid)?, text)?;
        transact!(self, &actor, |work| known(&mut work, id, text, &input.agent_version).await)
    }

    /// Heartbeat and progress. `Stop` once the machine is no longer in the state and boot attempt
    /// that the session is for.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`] unless an agent asks.
    pub async fn agent_progress(&self, actor: &Actor, input: AgentProgress) -> Answer<AgentNext> {
        let session = actor.must_be_agent()?;
        let Some(id) = session.machine else { return Ok(AgentNext::Continue) };
        transact!(self, actor, |work| {
            let found = machine::by_id_locked(&mut work.tx, id).await?;
            if !found.is_some_and(|it| is_current(session, &it)) {
                return Ok(AgentNext::Stop);
            }
            machine::touch(&mut work.tx, id, work.now).await?;
            let step: String = input.step.chars().take(64).collect();
            work.operation_step(id, &step).await?;
            let progress = Progress {
                step,
                percent: input.percent.map(|it| it.min(100)),
                bytes_done: input.bytes_done,
                bytes_total: input.bytes_total,
                message: input.message.as_deref().map(cut),
                at: work.now,
            };
            show(&mut work, id, &progress).await?;
            Ok(AgentNext::Continue)
        })
    }

    /// The agent has ended its task. Repeating it gives the same answer.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`] unless an agent asks. Refusals: `HARDWARE_MISSING`, when a
    /// commissioning ends without `agentCommissioned`.
    pub async fn agent_finished(&self, actor: &Actor, input: AgentFinished) -> Answer<AgentNext> {
        let session = actor.must_be_agent()?;
        let message = cut(input.message.as_deref().unwrap_or_default());
        transact!(self, actor, |work| {
            if let Some(next) = answered(&mut work, session).await? {
                return Ok(next);
            }
            let Some(id) = session.machine else {
                work.event(None, "ENLIST_FAILED", message.clone());
                let next = AgentNext::PowerOff;
                token::finish(&mut work.tx, session.token, None, next).await?;
                return Ok(next);
            };
            let mut it = work.machine(id).await?;
            if !is_current(session, &it) {
                return Ok(AgentNext::Stop);
            }
            let (event, next) = match (session.task, input.success) {
                (_, false) => (Event::Failed, AgentNext::PowerOff),
                (AgentTaskKind::Deploy, true) => (Event::ImageWritten, AgentNext::Reboot),
                (AgentTaskKind::Erase, true) => (Event::Finished, AgentNext::PowerOff),
                (AgentTaskKind::Commission | AgentTaskKind::Enlist, true) => {
                    let why = "Report the hardware with agentCommissioned first.";
                    return Err(Refusal::new("HARDWARE_MISSING", &["input"], why).into());
                }
            };
            let cause = match (input.success, message.as_str()) {
                (false, "") => "The agent gave no reason.",
                (_, text) => text,
            };
            it.agent_seen = Some(work.now);
            work.step(&mut it, event, cause).await?;
            if event == Event::ImageWritten {
                work.operation_step(id, "first boot").await?;
                // What the agent said last is over: the machine's own system has the word now.
                let step = FIRST_BOOT.to_owned();
                let progress = Progress { step, ..Progress::none(work.now) };
                show(&mut work, id, &progress).await?;
            } else if event == Event::Finished {
                work.operation_step(id, "power off").await?;
            }
            token::finish(&mut work.tx, session.token, Some(id), next).await?;
            Ok(next)
        })
    }

    /// The installed system reports in, with the one-time token that was written to its disk.
    ///
    /// # Errors
    /// Refusals: `TOKEN_INVALID`, `TOKEN_STALE`.
    pub async fn system_ready(&self, text: &str) -> Answer<()> {
        let digest = token_digest(text);
        let field = ["input", "token"];
        let unknown = || {
            let why = "No deployment gave out this token, or a later one replaced it.";
            Refusal::new("TOKEN_INVALID", &field, why)
        };
        // Anybody may call this: forged tokens end before they take the writer.
        let found = token::by_digest(&mut self.read().await?, &digest).await?;
        if found.is_none_or(|it| it.kind != TokenKind::PhoneHome) {
            return Err(unknown().into());
        }
        transact!(self, &Actor::System("installed system"), |work| {
            let found = token::by_digest(&mut work.tx, &digest).await?;
            let found = found.filter(|it| it.kind == TokenKind::PhoneHome);
            let Some((found, id)) = found.and_then(|it| it.machine_id.map(|id| (it, id))) else {
                return Err(unknown().into());
            };
            let mut it = work.machine(id).await?;
            let attempt_fits = found.attempt == Some(it.attempt);
            if attempt_fits && it.state == MachineState::Deployed && found.used.is_some() {
                return Ok(()); // Its first call was heard; the answer was lost.
            }
            if !attempt_fits || it.state != MachineState::Deploying {
                let why = format!("The machine is {}, not in that deployment.", it.state);
                return Err(Refusal::new("TOKEN_STALE", &field, why).into());
            }
            token::use_once(&mut work.tx, found.id, work.now).await?;
            it.image_written = true;
            it.boot_stage = Some(BootStage::Installed);
            it.boot_stage_since = Some(work.now);
            work.step(&mut it, Event::SystemReady, "").await?;
            Ok(())
        })
    }
}

async fn enlisting(work: &mut Work, text: &str) -> Inner<AgentWelcome> {
    let nonce = enlist_proof(&work.app, text, work.now)?;
    let counts = machine::counts(&mut work.tx).await?;
    let new = counts.iter().find(|it| it.0 == MachineState::New).map_or(0, |it| it.1);
    enlist_room(new)?;
    use_nonce(work, nonce).await?;
    open_session(work, None, 0, AgentTaskKind::Enlist).await
}

/// Refuses to take in more machines than people look through: each network boot makes one.
fn enlist_room(new: u64) -> Result<(), Refusal> {
    if new < ENLISTED_MAX {
        return Ok(());
    }
    let why = format!(
        "{new} machines are NEW, and no more are taken in. Commission or delete some of them."
    );
    Err(Refusal::new("ENLIST_FULL", &FIELD, why))
}

/// Checks the boot token of an unknown machine; gives its nonce.
fn enlist_proof(app: &App, text: &str, now: UnixMicros) -> Result<[u8; 16], Refusal> {
    let snapshot = app.snapshot();
    if !snapshot.settings.enlist {
        let why = "Unknown machines are not taken in at the moment: turn `enlist` on.";
        return Err(Refusal::new("TOKEN_STALE", &FIELD, why));
    }
    let key: BootKey = snapshot.settings.enlist_key;
    let claims = boot_token::verify(&key, text).map_err(|_| invalid())?;
    let today = boot_token::day_of(now.as_seconds());
    if claims.attempt.abs_diff(today) <= boot_token::ENLIST_DAYS {
        return Ok(claims.nonce);
    }
    let off = claims.attempt.cast_signed().saturating_sub(today.cast_signed());
    let why = format!(
        "The token was minted {off} days from now, so it is an old one, or the rack's clock is \
         wrong. Set the clock and boot the machine from the network again."
    );
    Err(Refusal::new("TOKEN_STALE", &FIELD, why))
}

/// Checks the boot token of a known machine; gives its nonce and what the agent shall do.
fn proof(app: &App, it: &Machine, text: &str) -> Answer<([u8; 16], AgentTaskKind)> {
    let place = crate::step::boot_place(it);
    let key = app.inner.keyring.unseal_key(&place, &it.boot_key)?;
    let Ok(claims) = boot_token::verify(&key, text) else {
        // Each attempt has its own key: a token of an earlier one no longer verifies.
        let earlier = claimed_attempt(text).is_some_and(|attempt| attempt < it.attempt);
        return Err(if earlier { stale(it) } else { invalid() }.into());
    };
    if claims.attempt != it.attempt {
        return Err(stale(it).into());
    }
    let task = task_of(it).ok_or_else(|| stale(it))?;
    Ok((claims.nonce, task))
}

/// Progress belongs to what is running; without an operation there is nobody to show it to.
async fn show(work: &mut Work, id: MachineId, progress: &Progress) -> Inner<()> {
    for running in operation::running(&mut work.tx, &[id]).await? {
        operation::progress(&mut work.tx, running.id, progress).await?;
    }
    work.touch_progress(id);
    Ok(())
}

async fn known(
    work: &mut Work,
    id: MachineId,
    text: &str,
    agent_version: &str,
) -> Inner<AgentWelcome> {
    let found = machine::by_id_locked(&mut work.tx, id).await?;
    let Some(mut it) = found else { return Err(invalid().into()) };
    let (nonce, task) = proof(&work.app, &it, text)?;
    use_nonce(work, nonce).await?;
    token::delete_of_machine(&mut work.tx, id, TokenKind::Agent).await?;
    it.agent_seen = Some(work.now);
    it.boot_stage = Some(BootStage::Agent);
    it.boot_stage_since = Some(work.now);
    work.store(&mut it).await?;
    work.operation_step(id, "agent").await?;
    let version: String = agent_version.chars().take(64).collect();
    work.event(Some(&it), "AGENT_STARTED", format!("for {task}, version {version}"));
    open_session(work, Some(id), it.attempt, task).await
}

async fn open_session(
    work: &mut Work,
    machine_id: Option<MachineId>,
    attempt: u64,
    task: AgentTaskKind,
) -> Inner<AgentWelcome> {
    let text = fresh_token("iha_");
    let row = Token {
        id: TokenId::new(),
        kind: TokenKind::Agent,
        name: "agent".into(),
        sha256: token_digest(text.expose()),
        machine_id,
        attempt: Some(attempt),
        task: Some(task),
        finished: None,
        created: work.now,
        expires: Some(work.now.after(SESSION_MAX)),
        used: None,
    };
    token::insert(&mut work.tx, &row).await?;
    Ok(AgentWelcome { session_token: text, machine: machine_id, task })
}

async fn use_nonce(work: &mut Work, nonce: [u8; 16]) -> Inner<()> {
    if boot_nonce::use_once(&mut work.tx, &nonce, work.now).await? {
        return Ok(());
    }
    let why = "This boot token was used before. Boot the machine from the network again.";
    Err(Refusal::new("TOKEN_USED", &FIELD, why).into())
}

/// What the agent was told when its session ended, if it has.
pub(crate) async fn answered(work: &mut Work, it: &AgentSession) -> Inner<Option<AgentNext>> {
    let row = token::by_id(&mut work.tx, it.token).await?;
    let Some(row) = row else { return Err(CommandError::Unauthenticated.into()) };
    Ok(row.finished)
}

/// Whether a session still speaks for what is being done to the machine.
pub(crate) fn is_current(session: &AgentSession, it: &Machine) -> bool {
    session.attempt == it.attempt && task_of(it) == Some(session.task)
}

/// What an agent that boots now shall do.
fn task_of(it: &Machine) -> Option<AgentTaskKind> {
    match boot_intent(it.state, it.image_written) {
        BootIntent::Commission => Some(AgentTaskKind::Commission),
        BootIntent::Deploy => Some(AgentTaskKind::Deploy),
        BootIntent::Erase => Some(AgentTaskKind::Erase),
        _ => None,
    }
}

fn cut(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

fn claimed_attempt(text: &str) -> Option<u64> {
    text.rsplit('.').nth(2)?.parse().ok()
}

fn invalid() -> Refusal {
    let why = "This is no boot token of this region. Boot the machine from the network again.";
    Refusal::new("TOKEN_INVALID", &FIELD, why)
}

fn stale(it: &Machine) -> Refusal {
    let why = format!(
        "This token is from an earlier boot attempt; the machine is {} now. Boot it again.",
        it.state
    );
    Refusal::new("TOKEN_STALE", &FIELD, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enlisting_ends_when_too_many_are_new() {
        assert!(enlist_room(ENLISTED_MAX - 1).is_ok());
        let refusal = enlist_room(ENLISTED_MAX).unwrap_err();
        assert_eq!(refusal.code, "ENLIST_FULL");
        assert!(refusal.message.starts_with("10000 machines are NEW"), "{}", refusal.message);
    }
}
