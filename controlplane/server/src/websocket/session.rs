//! One connection, from `connection_init` to the close frame.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Data, Request, Response};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::StreamExt as _;
use ironherd_api::Caller;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::message::{ClientMessage, ServerMessage, close};
use crate::graphql::is_request_error;
use crate::routes::Region;

const INIT_WITHIN: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(25);
const SILENCE_MAX: Duration = Duration::from_secs(75);
/// A client that takes nothing for this long is gone.
const SEND_WITHIN: Duration = Duration::from_secs(30);
const OPERATIONS_MAX: usize = 64;
const QUEUE: usize = 64;

/// What an operation's task has to say. `last` frees its id.
struct Output {
    id: Arc<str>,
    number: u64,
    text: String,
    last: bool,
}

struct Operation {
    // Tells a finished operation's last words from a later operation with the same id.
    number: u64,
    task: AbortHandle,
}

pub(super) struct Session {
    region: Region,
    // Set by a successful `connection_init`: the token, and the data that operations see.
    login: Option<(String, Arc<Data>)>,
    operations: HashMap<Arc<str>, Operation>,
    started: u64,
    outputs: mpsc::Receiver<Output>,
    sender: mpsc::Sender<Output>,
}

/// Either the connection goes on, or it ends with this frame (or with none, if the client left).
type Step = Result<(), Option<CloseFrame>>;

impl Session {
    pub(super) fn new(region: Region) -> Session {
        let (sender, outputs) = mpsc::channel(QUEUE);
        Session { region, login: None, operations: HashMap::new(), started: 0, outputs, sender }
    }

    pub(super) async fn run(mut self, socket: &mut WebSocket) {
        let Err(frame) = self.serve(socket).await;
        if let Some(frame) = frame {
            // The client may be gone already: then there is nobody left to tell.
            let _ = timeout(SEND_WITHIN, socket.send(Message::Close(Some(frame)))).await;
        }
    }

    async fn serve(
        &mut self,
        socket: &mut WebSocket,
    ) -> Result<std::convert::Infallible, Option<CloseFrame>> {
        let mut shutdown = self.region.shutdown.clone();
        let begun = Instant::now();
        let mut heard = begun;
        let mut ping = tokio::time::interval_at(begun + PING_EVERY, PING_EVERY);
        loop {
            tokio::select! {
                message = socket.recv() => {
                    heard = Instant::now();
                    let Some(Ok(message)) = message else { return Err(None) };
                    self.on_message(socket, message).await?;
                }
                Some(output) = self.outputs.recv() => self.on_output(socket, output).await?,
                () = tokio::time::sleep_until(begun + INIT_WITHIN), if self.login.is_none() => {
                    return Err(Some(close(4408, "Connection initialisation timeout")));
                }
                _ = ping.tick() => {
                    if SILENCE_MAX < heard.elapsed() {
                        return Err(Some(close(4499, "No answer to pings")));
                    }
                    self.check_login().await?;
                    send(socket, ServerMessage::Ping.text()).await?;
                }
                // The flag only ever rises, and its sender outlives the server.
                () = async { drop(shutdown.wait_for(|stopping| *stopping).await) } => {
                    return Err(Some(close(1012, "The server restarts")));
                }
            }
        }
    }

    async fn on_message(&mut self, socket: &mut WebSocket, message: Message) -> Step {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Some(close(4400, "Messages are text"))),
            Message::Close(_) => return Err(None),
            Message::Ping(_) | Message::Pong(_) => return Ok(()), // Answered one layer below.
        };
        let Ok(message) = serde_json::from_str(text.as_str()) else {
            return Err(Some(close(4400, "Not a message of graphql-transport-ws")));
        };
        match message {
            ClientMessage::ConnectionInit { payload } => self.on_init(socket, payload).await,
            ClientMessage::Subscribe { id, payload } => {
                self.on_subscribe(socket, id, *payload).await
            }
            ClientMessage::Complete { id } => {
                if let Some(operation) = self.operations.remove(id.as_str()) {
                    operation.task.abort();
                }
                Ok(())
            }
            ClientMessage::Ping { payload } => {
                send(socket, ServerMessage::Pong { payload }.text()).await
            }
            ClientMessage::Pong {} => Ok(()),
        }
    }

    async fn on_init(
        &mut self,
        socket: &mut WebSocket,
        payload: Option<serde_json::Value>,
    ) -> Step {
        if self.login.is_some() {
            return Err(Some(close(4429, "Too many initialisation requests")));
        }
        let Some(token) = payload.as_ref().and_then(bearer) else {
            return Err(Some(close(4403, "Forbidden: send {\"Authorization\": \"Bearer …\"}")));
        };
        let Some(actor) = self.region.authenticate(&token).await.map_err(|_| internal())? else {
            return Err(Some(close(4403, "Forbidden: the token is not known")));
        };
        let mut data = Data::default();
        data.insert(Caller(Some(actor)));
        self.login = Some((token, Arc::new(data)));
        send(socket, ServerMessage::ConnectionAck.text()).await
    }

    /// A token that was taken back ends its connections, at the next ping at the latest.
    async fn check_login(&self) -> Step {
        let Some((token, _)) = &self.login else { return Ok(()) };
        match self.region.authenticate(token).await {
            Ok(None) => Err(Some(close(4403, "Forbidden: the token is no longer valid"))),
            // A database that is away for a moment takes nobody's rights.
            Ok(Some(_)) | Err(_) => Ok(()),
        }
    }

    async fn on_subscribe(&mut self, socket: &mut WebSocket, id: String, request: Request) -> Step {
        let Some((_, data)) = &self.login else {
            return Err(Some(close(4401, "Unauthorized")));
        };
        if self.operations.contains_key(id.as_str()) {
            let reason = format!("Subscriber for {id} already exists");
            return Err(Some(close(4409, &reason)));
        }
        if OPERATIONS_MAX <= self.operations.len() {
            let error = async_graphql::ServerError::new("Too many operations at once.", None);
            return send(socket, ServerMessage::Error { id: &id, payload: &[error] }.text()).await;
        }
        self.started += 1;
        let (number, id) = (self.started, Arc::<str>::from(id));
        let stream = self.region.schema.execute_stream_with_session_data(request, data.clone());
        let run = forward(stream, id.clone(), number, self.sender.clone());
        let task = tokio::spawn(run).abort_handle();
        self.operations.insert(id, Operation { number, task });
        Ok(())
    }

    async fn on_output(&mut self, socket: &mut WebSocket, output: Output) -> Step {
        // After the client's `complete` nothing more is said under that id.
        if self.operations.get(&output.id).is_none_or(|it| it.number != output.number) {
            return Ok(());
        }
        if output.last {
            self.operations.remove(&output.id);
        }
        send(socket, output.text).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for operation in self.operations.values() {
            operation.task.abort();
        }
    }
}

/// Runs one operation and queues what it says.
async fn forward(
    mut stream: impl futures_util::Stream<Item = Response> + Unpin,
    id: Arc<str>,
    number: u64,
    outputs: mpsc::Sender<Output>,
) {
    let mut first = true;
    while let Some(response) = stream.next().await {
        // An operation that never began ends with `error`; any other error is part of a result.
        let refused = first && is_request_error(&response);
        first = false;
        let text = if refused {
            ServerMessage::Error { id: &id, payload: &response.errors }.text()
        } else {
            ServerMessage::Next { id: &id, payload: &response }.text()
        };
        let output = Output { id: id.clone(), number, text, last: refused };
        if outputs.send(output).await.is_err() || refused {
            return;
        }
    }
    let text = ServerMessage::Complete { id: &id }.text();
    // The session may have ended meanwhile: then nobody waits for this.
    let _ = outputs.send(Output { id, number, text, last: true }).await;
}

async fn send(socket: &mut WebSocket, text: String) -> Step {
    match timeout(SEND_WITHIN, socket.send(Message::Text(text.into()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(None),
    }
}

fn internal() -> Option<CloseFrame> {
    Some(close(4500, "Internal server error"))
}

/// The token of a `connection_init` payload. Header names know no case.
fn bearer(payload: &serde_json::Value) -> Option<String> {
    let headers = payload.as_object()?;
    let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    crate::bearer::token(value.as_str()?).map(str::to_owned)
}
