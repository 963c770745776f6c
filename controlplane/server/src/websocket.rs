//! `graphql-transport-ws`: subscriptions, and any other operation, over one WebSocket.
//!
//! Each operation is a task; all share one bounded queue to the socket, so that a client which
//! does not read holds up its own operations and nothing else.
//!
//! # Source
//! <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>

mod message;
mod session;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;

use self::message::close;
use self::session::Session;
use crate::routes::Region;

const PROTOCOL: &str = "graphql-transport-ws";
const MESSAGE_BYTES_MAX: usize = 1 << 20;

pub(crate) async fn upgrade(State(region): State<Region>, socket: WebSocketUpgrade) -> Response {
    let socket = socket.protocols([PROTOCOL]).max_message_size(MESSAGE_BYTES_MAX);
    socket.on_upgrade(move |socket| serve(region, socket))
}

async fn serve(region: Region, mut socket: WebSocket) {
    if socket.protocol().is_none() {
        let frame = close(4406, "Subprotocol not acceptable: this speaks graphql-transport-ws");
        // Whether it arrives makes no difference: the connection ends either way.
        let _ = socket.send(Message::Close(Some(frame))).await;
        return;
    }
    region.metrics.websockets.add(1);
    Session::new(region.clone()).run(&mut socket).await;
    region.metrics.websockets.sub(1);
}
