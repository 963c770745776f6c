use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::StatusCode;
use reqwest::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::transport::{LinkError, Region, Response};

/// One running subscription over graphql-transport-ws.
pub(crate) struct Subscription {
    stream: WebSocketStream<reqwest::Upgraded>,
}

/// A message of graphql-transport-ws, as far as a client of one subscription hears it.
#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    payload: Option<serde_json::Value>,
}

const PROTOCOL: &str = "graphql-transport-ws";
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After so much silence we ask whether the region is there.
const PING_AFTER: Duration = Duration::from_secs(15);
/// A first delta may carry every machine.
const MESSAGE_BYTES_MAX: usize = 256 << 20;

impl Subscription {
    /// Opens the WebSocket through the HTTP client, so that TLS is set up in one place only.
    pub(crate) async fn open(
        region: &Region,
        query: &str,
        variables: serde_json::Value,
    ) -> Result<Self, LinkError> {
        let opened = timeout(HANDSHAKE, Self::open_patiently(region, query, variables)).await;
        opened.map_err(|_| LinkError::Silent)?
    }

    async fn open_patiently(
        region: &Region,
        query: &str,
        variables: serde_json::Value,
    ) -> Result<Self, LinkError> {
        let key = generate_key();
        let response = region
            .get("/graphql/ws")?
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key)
            .header(SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
            .send()
            .await?;
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Err(LinkError::Unauthenticated(status));
            }
            status => return Err(LinkError::Status(status)),
        }
        let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT);
        if accepted.is_none_or(|it| it.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(broken("the answer belongs to another handshake"));
        }
        let socket = response.upgrade().await?;
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let stream = WebSocketStream::from_raw_socket(socket, Role::Client, Some(limits)).await;
        let mut subscription = Self { stream };
        let authorization = format!("Bearer {}", region.token().reveal());
        let payload = json!({ "Authorization": authorization });
        subscription.send(&json!({ "type": "connection_init", "payload": payload })).await?;
        while subscription.frame().await?.kind != "connection_ack" {}
        let payload = json!({ "query": query, "variables": variables });
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": payload });
        subscription.send(&subscribe).await?;
        Ok(subscription)
    }

    /// The next item. Drop-safe between messages only: a dropped call ends the subscription.
    pub(crate) async fn next<D: DeserializeOwned>(&mut self) -> Result<D, LinkError> {
        loop {
            let frame = self.frame_or_ping().await?;
            let payload = frame.payload.unwrap_or_default();
            match frame.kind.as_str() {
                "next" => {
                    let response = serde_json::from_value::<Response<D>>(payload);
                    return response.map_err(|it| LinkError::Answer(it.to_string()))?.into_data();
                }
                "error" => return Err(LinkError::Refused(first_message(&payload))),
                "complete" => return Err(broken("the region ended it")),
                _ => {} // A pong, or something newer than we are.
            }
        }
    }

    async fn frame_or_ping(&mut self) -> Result<Frame, LinkError> {
        if let Ok(frame) = timeout(PING_AFTER, self.frame()).await {
            return frame;
        }
        self.send(&json!({ "type": "ping" })).await?;
        timeout(PING_AFTER, self.frame()).await.map_err(|_| LinkError::Silent)?
    }

    async fn frame(&mut self) -> Result<Frame, LinkError> {
        loop {
            let message = self.stream.next().await;
            let message = message.ok_or_else(|| broken("the connection ended"))?;
            match message.map_err(|it| LinkError::Subscription(it.to_string()))? {
                Message::Text(text) => {
                    let frame: Frame = serde_json::from_str(&text)
                        .map_err(|it| LinkError::Answer(it.to_string()))?;
                    if frame.kind == "ping" {
                        self.send(&json!({ "type": "pong" })).await?;
                        continue;
                    }
                    return Ok(frame);
                }
                Message::Close(Some(reason)) => {
                    return Err(LinkError::Subscription(format!(
                        "closed with {} {}",
                        u16::from(reason.code),
                        reason.reason
                    )));
                }
                Message::Close(None) => return Err(broken("the region closed it")),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    async fn send(&mut self, message: &serde_json::Value) -> Result<(), LinkError> {
        let sent = self.stream.send(Message::text(message.to_string())).await;
        sent.map_err(|it| LinkError::Subscription(it.to_string()))
    }
}

fn broken(why: &str) -> LinkError {
    LinkError::Subscription(why.to_owned())
}

fn first_message(errors: &serde_json::Value) -> String {
    let message = errors.pointer("/0/message").and_then(serde_json::Value::as_str);
    message.unwrap_or("without a message").to_owned()
}
