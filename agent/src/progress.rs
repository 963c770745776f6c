//! What the agent is doing, told to the region every few seconds, and what the region orders.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::console::say;
use crate::gateway::{CallError, Gateway, PROGRESS};
use crate::protocol::{AgentPayload, Next, ProgressInput};
use crate::system;

const BEAT: Duration = Duration::from_secs(4);
/// A step that says nothing for so long gets a line on the console.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long the work may ignore an order, say inside a long system call, before it is cut off.
const GRACE: Duration = Duration::from_secs(30);

/// Why a task ended early.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum TaskError {
    #[error("{step}: {reason}")]
    Failed { step: String, reason: String },
    #[error("the region ordered {0:?}")]
    Ordered(Next),
    #[error("{0}")]
    SessionOver(String),
}

impl TaskError {
    pub(crate) fn failed(step: &str, reason: impl ToString) -> Self {
        Self::Failed { step: step.to_owned(), reason: reason.to_string() }
    }
}

/// Shared between the work and the heartbeat. Clones mean the same progress.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Shared>);

impl Default for Progress {
    fn default() -> Self {
        let progress = Self(Arc::default());
        // A heartbeat may come before the first step.
        "Starting".clone_into(&mut progress.lock().report.step);
        progress
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    report: ProgressInput,
    told_at: Option<Instant>,
    order: Option<Order>,
    stopped: bool,
}

#[derive(Debug, Clone)]
enum Order {
    Next(Next),
    SessionOver(String),
}

impl Progress {
    /// Begins a step: a console line, and the next heartbeat carries it.
    pub(crate) fn step(&self, step: &str) {
        say(step);
        let mut state = self.lock();
        state.report = ProgressInput { step: step.to_owned(), ..ProgressInput::default() };
        state.told_at = Some(Instant::now());
        self.0.wake.notify_all();
    }

    pub(crate) fn message(&self, message: &str) {
        say(message);
        let mut state = self.lock();
        state.report.message = Some(message.to_owned());
        state.told_at = Some(Instant::now());
    }

    pub(crate) fn bytes(&self, done: u64, total: u64) {
        let mut state = self.lock();
        state.report.bytes_done = Some(done);
        state.report.bytes_total = Some(total);
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(0).min(100);
        let percent = u8::try_from(percent).unwrap_or(100);
        if state.report.percent != Some(percent) {
            state.report.percent = Some(percent);
            state.told_at = Some(Instant::now());
        }
    }

    /// Ends the heartbeats. The end of the task has been told, so nothing may follow it.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.0.wake.notify_all();
    }

    /// The name of the step that runs, for error texts.
    pub(crate) fn current_step(&self) -> String {
        self.lock().report.step.clone()
    }

    /// Call between units of work: an order from the region ends the task.
    pub(crate) fn check(&self) -> Result<(), TaskError> {
        match &self.lock().order {
            None => Ok(()),
            Some(Order::Next(next)) => Err(TaskError::Ordered(*next)),
            Some(Order::SessionOver(reason)) => Err(TaskError::SessionOver(reason.clone())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_answer(&self, answer: Result<AgentPayload, CallError>) -> Option<String> {
        let order = match answer {
            Ok(AgentPayload { next: None | Some(Next::Continue), user_errors }) => {
                return user_errors.first().map(|it| format!("{}: {}", it.code, it.message));
            }
            Ok(AgentPayload { next: Some(next), .. }) => Order::Next(next),
            Err(CallError::SessionOver(reason)) => Order::SessionOver(reason),
            Err(other) => return Some(other.to_string()),
        };
        self.lock().order.get_or_insert(order);
        None
    }
}

/// The heartbeat thread. Dropping it stops and joins it.
#[derive(Debug)]
pub(crate) struct Heart {
    progress: Progress,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    pub(crate) fn start(progress: &Progress, gateway: &Gateway) -> Self {
        let (shared, gateway) = (progress.clone(), gateway.clone());
        let thread = std::thread::spawn(move || beat(&shared, &gateway));
        Self { progress: progress.clone(), thread: Some(thread) }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.progress.stop();
        if let Some(thread) = self.thread.take() {
            // A panicked heartbeat has said so on the console; the work goes on without it.
            let _ = thread.join();
        }
    }
}

fn beat(progress: &Progress, gateway: &Gateway) {
    let mut complaint = None;
    let mut ordered_at: Option<Instant> = None;
    loop {
        let report = {
            let state = progress.lock();
            if state.stopped {
                return;
            }
            state.report.clone()
        };
        if ordered_at.is_none() {
            let trouble = progress.take_answer(gateway.call_once(PROGRESS, &report));
            if let Some(text) = trouble.as_ref().filter(|_| trouble != complaint) {
                say(&format!("heartbeat: {text}"));
            }
            complaint = trouble;
        }
        let mut state = progress.lock();
        if let Some(order) = state.order.clone() {
            let since = *ordered_at.get_or_insert_with(Instant::now);
            if GRACE < since.elapsed() {
                drop(state);
                cut_off(&order);
            }
        } else if state.told_at.is_some_and(|at| SILENCE_MAX < at.elapsed()) {
            say(&format!("still at it: {}", state.report.step));
            state.told_at = Some(Instant::now());
        }
        if state.stopped {
            return;
        }
        // A new step wakes this early, so that the region sees it at once.
        drop(progress.0.wake.wait_timeout(state, BEAT));
    }
}

fn cut_off(order: &Order) -> ! {
    say("the work does not react to the region's order; carrying it out now");
    match order {
        Order::Next(Next::Reboot) => system::reboot(),
        Order::Next(_) | Order::SessionOver(_) => system::power_off(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::UserError;

    fn payload(next: Option<Next>) -> Result<AgentPayload, CallError> {
        Ok(AgentPayload { next, user_errors: Vec::new() })
    }

    #[test]
    fn orders_end_the_work_and_the_first_one_counts() {
        let progress = Progress::default();
        assert_eq!(progress.take_answer(payload(Some(Next::Continue))), None);
        assert_eq!(progress.take_answer(payload(None)), None);
        assert_eq!(progress.check(), Ok(()));
        let away = progress.take_answer(Err(CallError::Away("503".to_owned())));
        assert!(away.is_some_and(|it| it.contains("503")));
        assert_eq!(progress.check(), Ok(()), "an absent region orders nothing");
        progress.take_answer(payload(Some(Next::Reboot)));
        progress.take_answer(payload(Some(Next::PowerOff)));
        assert_eq!(progress.check(), Err(TaskError::Ordered(Next::Reboot)));
    }

    #[test]
    fn a_lost_session_ends_the_work() {
        let progress = Progress::default();
        progress.take_answer(Err(CallError::SessionOver("gone".to_owned())));
        assert_eq!(progress.check(), Err(TaskError::SessionOver("gone".to_owned())));
    }

    #[test]
    fn refusals_are_told() {
        let progress = Progress::default();
        let refusal = UserError { code: "BUSY".to_owned(), message: "later".to_owned() };
        let answer = Ok(AgentPayload { next: None, user_errors: vec![refusal] });
        assert_eq!(progress.take_answer(answer).as_deref(), Some("BUSY: later"));
    }

    #[test]
    fn percent_follows_bytes() {
        for (done, total, want) in [(0, 0, 0), (50, 200, 25), (200, 200, 100), (300, 200, 100)] {
            let progress = Progress::default();
            progress.bytes(done, total);
            assert_eq!(progress.lock().report.percent, Some(want), "{done} of {total}");
        }
    }
}
