//! The messages of the protocol, both ways.

use std::borrow::Cow;

use async_graphql::{Request, Response, ServerError};
use axum::extract::ws::CloseFrame;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientMessage {
    ConnectionInit { payload: Option<serde_json::Value> },
    Subscribe { id: String, payload: Box<Request> },
    Complete { id: String },
    Ping { payload: Option<serde_json::Value> },
    Pong {},
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'m> {
    ConnectionAck,
    Next { id: &'m str, payload: &'m Response },
    Error { id: &'m str, payload: &'m [ServerError] },
    Complete { id: &'m str },
    Ping,
    Pong { payload: Option<serde_json::Value> },
}

impl ServerMessage<'_> {
    /// The text to send. Every part is made of strings and plain values, which always serialize.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

pub(super) fn close(code: u16, reason: &str) -> CloseFrame {
    // The wire allows 123 bytes; our reasons with a client's id in them are cut by characters.
    let reason: Cow<'_, str> = match reason.char_indices().find(|(at, _)| 120 < *at) {
        Some((end, _)) => reason.get(..end).unwrap_or_default().into(),
        None => reason.into(),
    };
    CloseFrame { code, reason: reason.as_ref().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_its_frame() {
        let frame = close(4409, &"ü".repeat(200));
        assert!(frame.reason.len() <= 123);
    }
}
