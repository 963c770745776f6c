//! GraphQL calls to the rack's agent gateway, with patience for a region that is away.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::console::say;

const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

/// How long a call that matters keeps trying while the region is away. The region's own deadlines
/// (20 minutes and more) end the machine's state long before this does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// Why a call gave no answer.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub(crate) enum CallError {
    /// Refused connection, timeout, 5xx: worth trying again.
    #[error("the gateway is not answering: {0}")]
    Away(String),
    /// 401 or 403: this session is over, trying again cannot help.
    #[error("the region no longer accepts this session: {0}")]
    SessionOver(String),
    /// The answer makes no sense to this agent.
    #[error("the region's answer cannot be used: {0}")]
    Broken(String),
}

/// A GraphQL document of ours and the field its answer is under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document {
    text: &'static str,
    field: &'static str,
}

impl Document {
    pub(crate) fn is(self, other: Self) -> bool {
        self.field == other.field
    }
}

macro_rules! document {
    ($name:ident, $file:literal, $field:literal) => {
        pub(crate) const $name: Document =
            Document { text: include_str!(concat!("documents/", $file)), field: $field };
    };
}

document!(HELLO, "agent_hello.graphql", "agentHello");
document!(TASK, "agent_task.graphql", "agentTask");
document!(ENLIST, "agent_enlist.graphql", "agentEnlist");
document!(COMMISSIONED, "agent_commissioned.graphql", "agentCommissioned");
document!(PROGRESS, "agent_progress.graphql", "agentProgress");
document!(FINISHED, "agent_finished.graphql", "agentFinished");
document!(SYSTEM_READY, "system_ready.graphql", "systemReady");

/// One rack's gateway. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    http: ureq::Agent,
    url: String,
    session: Option<String>,
}

impl Gateway {
    /// `base` is the gateway's URL without a path.
    pub(crate) fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(CALL_TIMEOUT))
            .http_status_as_error(false)
            .build();
        Self { http: config.into(), url: format!("{base}/graphql"), session: None }
    }

    /// All later calls carry this session token as bearer.
    pub(crate) fn with_session(mut self, token: String) -> Self {
        self.session = Some(token);
        self
    }

    /// Calls until answered, refused, or `patience` is used up.
    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        document: Document,
        input: &impl Serialize,
        patience: Duration,
    ) -> Result<T, CallError> {
        let started = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            let reason = match self.call_once(document, input) {
                Err(CallError::Away(reason)) => reason,
                other => return other,
            };
            let delay = backoff.next_delay();
            if patience < started.elapsed() + delay {
                return Err(CallError::Away(reason));
            }
            say(&format!("{}: {reason}; next try in {} s", document.field, delay.as_secs()));
            std::thread::sleep(delay);
        }
    }

    /// Calls once, for what is repeated soon anyway.
    pub(crate) fn call_once<T: DeserializeOwned>(
        &self,
        document: Document,
        input: &impl Serialize,
    ) -> Result<T, CallError> {
        let body = json!({ "query": document.text, "variables": { "input": input } }).to_string();
        let request = self.http.post(&self.url);
        let mut request = request.header("Content-Type", "application/json");
        if let Some(token) = &self.session {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response =
            request.send(&body).map_err(|error| CallError::Away(error.to_string()))?;
        let status = response.status().as_u16();
        let text = response
            .body_mut()
            .read_to_string()
            .map_err(|error| CallError::Away(error.to_string()))?;
        read_answer(document.field, status, &text)
    }
}

/// Sorts an HTTP answer into data, "try again" and "never again".
fn read_answer<T: DeserializeOwned>(field: &str, status: u16, text: &str) -> Result<T, CallError> {
    let body: Option<Value> = serde_json::from_str(text).ok();
    let message = body
        .as_ref()
        .and_then(|it| it.pointer("/errors/0/message"))
        .and_then(Value::as_str)
        .map_or_else(|| excerpt(text), str::to_owned);
    let code = body
        .as_ref()
        .and_then(|it| it.pointer("/errors/0/extensions/code"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    match (status, code) {
        (401 | 403, _) | (_, "UNAUTHENTICATED" | "FORBIDDEN") => {
            return Err(CallError::SessionOver(message));
        }
        (408 | 429 | 500..=599, _) => {
            return Err(CallError::Away(format!("HTTP {status}: {message}")));
        }
        _ => {}
    }
    let data = body.as_ref().and_then(|it| it.get("data")).and_then(|it| it.get(field));
    match data {
        Some(value) if !value.is_null() => {
            T::deserialize(value).map_err(|error| CallError::Broken(format!("{field}: {error}")))
        }
        // A fault inside the region may pass; a document it cannot read stays unreadable.
        _ if code == "INTERNAL" => Err(CallError::Away(format!("{field}: {message}"))),
        _ => Err(CallError::Broken(format!("{field}: HTTP {status}: {message}"))),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Doubling delays with a ceiling.
#[derive(Debug)]
pub(crate) struct Backoff {
    delay: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { delay: BACKOFF_FIRST }
    }
}

impl Backoff {
    pub(crate) fn next_delay(&mut self) -> Duration {
        let delay = self.delay;
        self.delay = (delay * 2).min(BACKOFF_MAX);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{AgentPayload, Next};

    #[test]
    fn delays_double_up_to_the_ceiling() {
        let mut backoff = Backoff::default();
        let got: Vec<u64> = (0..6).map(|_| backoff.next_delay().as_secs()).collect();
        assert_eq!(got, [1, 2, 4, 8, 15, 15]);
    }

    #[test]
    fn answers_are_sorted() {
        let done = r#"{"data":{"agentProgress":{"next":"POWER_OFF","userErrors":[]}}}"#;
        let rows = [
            (200, done, "data"),
            (503, "away", "away"),
            (502, "<html>", "away"),
            (401, r#"{"errors":[{"message":"no"}]}"#, "over"),
            (200, r#"{"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}"#, "over"),
            (200, r#"{"data":null,"errors":[{"message":"x"}]}"#, "broken"),
            (400, "not json", "broken"),
        ];
        for (status, text, want) in rows {
            let got = match read_answer::<AgentPayload>("agentProgress", status, text) {
                Ok(payload) => {
                    assert_eq!(payload.next, Some(Next::PowerOff));
                    "data"
                }
                Err(CallError::Away(_)) => "away",
                Err(CallError::SessionOver(_)) => "over",
                Err(CallError::Broken(_)) => "broken",
            };
            assert_eq!(got, want, "{status} {text}");
        }
    }

    #[test]
    fn every_document_asks_for_its_field() {
        for document in [HELLO, TASK, ENLIST, COMMISSIONED, PROGRESS, FINISHED, SYSTEM_READY] {
            assert!(document.text.contains(document.field), "{}", document.field);
        }
    }
}
