//! Every machine as the region sees it, kept up to date by the subscription `machineChanges`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::client::Client;

const LIST: &str = include_str!("documents/watch_list.graphql");
const CHANGES: &str = include_str!("documents/watch_changes.graphql");
const RECONNECT_MAX: Duration = Duration::from_secs(5);

/// Machines by id, each in the shape of `documents/watch_list.graphql`.
pub(crate) type Machines = BTreeMap<String, Value>;

/// Follows the region until dropped; a lost connection is taken up where it was cut.
#[derive(Debug)]
pub(crate) struct Watch {
    machines: watch::Receiver<Machines>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    pub(crate) fn start(client: Client) -> Self {
        let (sender, machines) = watch::channel(Machines::new());
        let task = tokio::spawn(async move {
            let mut after = None;
            let mut pause = Duration::from_millis(200);
            while !sender.is_closed() {
                let before = after;
                if let Err(error) = follow(&client, &sender, &mut after).await {
                    tracing::debug!(error = format!("{error:#}"), "the subscription was cut");
                }
                pause = if after == before { (pause * 2).min(RECONNECT_MAX) } else { pause };
                tokio::time::sleep(pause).await;
            }
        });
        Self { machines, task }
    }

    pub(crate) fn machines(&self) -> watch::Receiver<Machines> {
        self.machines.clone()
    }
}

async fn follow(
    client: &Client,
    sender: &watch::Sender<Machines>,
    after: &mut Option<u64>,
) -> anyhow::Result<()> {
    let url = format!("{}/graphql/ws", client.url.replacen("http", "ws", 1));
    let mut request = url.into_client_request().context("the region's URL is malformed")?;
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let bearer = format!("Bearer {}", client.token.reveal());
    let hello = json!({ "type": "connection_init", "payload": { "Authorization": bearer } });
    socket.send(Message::text(hello.to_string())).await?;
    while let Some(message) = socket.next().await {
        let Ok(text) = message?.into_text() else { continue };
        let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
        match message["type"].as_str() {
            Some("connection_ack") => {
                let payload = json!({ "query": CHANGES, "variables": { "after": after } });
                let subscribe = json!({ "id": "1", "type": "subscribe", "payload": payload });
                socket.send(Message::text(subscribe.to_string())).await?;
                // Subscribed before listed: a change in between arrives twice rather than never.
                let machines = list(client).await?;
                sender.send_replace(machines);
            }
            Some("ping") => socket.send(Message::text(r#"{"type":"pong"}"#)).await?,
            Some("next") => {
                let change = &message["payload"]["data"]["machineChanges"];
                *after = change["sequence"].as_u64().or(*after);
                sender.send_modify(|machines| apply(machines, change));
            }
            Some("error" | "complete") => bail!("the region ended the subscription: {message}"),
            _ => {}
        }
    }
    Ok(())
}

async fn list(client: &Client) -> anyhow::Result<Machines> {
    let rows = crate::machine::all_pages(client, LIST, "machines", json!({})).await?;
    let id = |row: &Value| row["id"].as_str().unwrap_or_default().to_owned();
    Ok(rows.into_iter().map(|row| (id(&row), row)).collect())
}

fn apply(machines: &mut Machines, change: &Value) {
    let Some(id) = change["machineId"].as_str() else { return };
    if change["machine"].is_null() {
        machines.remove(id);
    } else {
        machines.insert(id.to_owned(), change["machine"].clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_replaces_and_a_null_machine_removes() {
        let mut machines = Machines::new();
        apply(&mut machines, &json!({ "machineId": "a", "machine": { "state": "NEW" } }));
        apply(&mut machines, &json!({ "machineId": "a", "machine": { "state": "READY" } }));
        assert_eq!(machines["a"]["state"], "READY");
        apply(&mut machines, &json!({ "machineId": "a", "machine": null }));
        assert!(machines.is_empty());
    }
}
