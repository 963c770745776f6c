//! Subscriptions over a real WebSocket.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::harness::Region;

const CHANGES: &str = "subscription($after: Long) { machineChanges(after: $after) {
    sequence machine { hostname } } }";
const RENAME: &str = "mutation($id: ID!, $name: String!) {
    machineUpdate(id: $id, input: { hostname: $name }) { userErrors { code } } }";

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(region: &Region, protocol: &'static str) -> Client {
        let url = format!("ws://{}/graphql/ws", region.address);
        let mut request = url.into_client_request().expect("a request");
        let header = HeaderValue::from_static(protocol);
        request.headers_mut().insert("Sec-WebSocket-Protocol", header);
        let (socket, _) = tokio_tungstenite::connect_async(request).await.expect("a socket");
        Client(socket)
    }

    /// Connects and logs in.
    async fn login(region: &Region, token: &str) -> Client {
        let mut client = Client::connect(region, "graphql-transport-ws").await;
        let payload = json!({ "Authorization": format!("Bearer {token}") });
        client.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.next().await, json!({ "type": "connection_ack" }));
        client
    }

    async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.expect("it is sent");
    }

    async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.send(json!({ "type": "subscribe", "id": id, "payload": payload })).await;
    }

    /// The next message of the protocol.
    async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await.expect("the socket is open").expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    async fn change(&mut self, id: &str) -> Value {
        let mut message = self.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!(id)), "{message}");
        message["payload"]["data"]["machineChanges"].take()
    }

    /// The code with which the server closes.
    async fn closed(&mut self) -> u16 {
        loop {
            let message = self.0.next().await.expect("a close frame").expect("a message");
            if let Message::Close(frame) = message {
                return frame.expect("a code").code.into();
            }
        }
    }
}

#[tokio::test]
async fn a_subscription_resumes_after_a_reconnect_without_loss() {
    let region = Region::new().await;
    let id = region.machine("node-0", "52:54:00:77:00:10").await;
    let mut client = Client::login(&region, &region.admin).await;
    client.subscribe("a", CHANGES, json!({ "after": 0 })).await;
    let (mut seen, mut names) = (Vec::new(), 0);
    // The connection breaks after every second change, while more and more happens.
    for round in 0..5 {
        for _ in 0..2 {
            names += 1;
            let name = format!("node-{names}");
            region.ask(RENAME, json!({ "id": id, "name": name })).await;
        }
        for _ in 0..2 {
            seen.push(client.change("a").await["sequence"].as_i64().expect("a number"));
        }
        drop(client);
        client = Client::login(&region, &region.admin).await;
        let last = seen.last().copied();
        client.subscribe("a", CHANGES, json!({ "after": last })).await;
        assert!(seen.is_sorted_by(|a, b| a < b), "round {round}: {seen:?}");
    }
    let last = client.change("a").await;
    seen.push(last["sequence"].as_i64().expect("a number"));
    assert_eq!(last["machine"]["hostname"], format!("node-{names}"));
    let query = "query { events(first: 500) { nodes { sequence machine { id } } } }";
    let events = region.ask(query, Value::Null).await["events"]["nodes"].take();
    let of_machines = events.as_array().expect("nodes").iter();
    let of_machines = of_machines.filter(|it| !it["machine"].is_null());
    let all: Vec<_> = of_machines.filter_map(|it| it["sequence"].as_i64()).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn operations_share_a_connection_and_end_one_by_one() {
    let region = Region::new().await;
    let id = region.machine("node-0", "52:54:00:77:00:10").await;
    let mut client = Client::login(&region, &region.admin).await;
    client.subscribe("a", CHANGES, json!({ "after": 0 })).await;
    client.change("a").await;
    client.subscribe("q", "{ viewer { name } }", json!({})).await;
    let answer = client.next().await;
    assert_eq!(answer["payload"]["data"]["viewer"]["name"], "tester");
    assert_eq!(client.next().await, json!({ "type": "complete", "id": "q" }));
    client.subscribe("bad", "{ nosuch }", json!({})).await;
    let error = client.next().await;
    assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("bad")));
    assert!(error["payload"][0]["message"].is_string());

    client.send(json!({ "type": "complete", "id": "a" })).await;
    client.send(json!({ "type": "ping", "payload": { "n": 1 } })).await;
    assert_eq!(client.next().await, json!({ "type": "pong", "payload": { "n": 1 } }));
    region.ask(RENAME, json!({ "id": id, "name": "node-1" })).await;
    client.subscribe("a", CHANGES, json!({ "after": 0 })).await; // The id is free again.
    client.change("a").await;
    assert_eq!(client.change("a").await["machine"]["hostname"], "node-1");
}

#[tokio::test]
async fn who_breaks_the_rules_is_closed_with_a_code() {
    let region = Region::new().await;
    let subscribe = json!({ "type": "subscribe", "id": "a",
        "payload": { "query": "{ viewer { name } }" } });
    let init = |token: &str| {
        let payload = json!({ "authorization": format!("Bearer {token}") });
        json!({ "type": "connection_init", "payload": payload })
    };
    let rows = [
        (vec![subscribe.clone()], 4401),
        (vec![json!({ "type": "connection_init" })], 4403),
        (vec![init("nosuch")], 4403),
        (vec![init(&region.admin), init(&region.admin)], 4429),
        (vec![json!({ "type": "nosuch" })], 4400),
        (vec![json!([])], 4400),
    ];
    for (messages, want) in rows {
        let mut client = Client::connect(&region, "graphql-transport-ws").await;
        for message in &messages {
            client.send(message.clone()).await;
        }
        assert_eq!(client.closed().await, want, "{messages:?}");
    }
    let mut twice = Client::login(&region, &region.admin).await;
    twice.subscribe("a", CHANGES, json!({})).await;
    twice.subscribe("a", CHANGES, json!({})).await;
    assert_eq!(twice.closed().await, 4409);
}

#[tokio::test]
async fn a_rack_gets_deltas_and_nothing_else() {
    let region = Region::new().await;
    let mut client = Client::login(&region, &region.rack).await;
    client
        .subscribe("d", "subscription { rackDeltas { generation machinesRemoved } }", json!({}))
        .await;
    let first = client.next().await;
    assert_eq!(first["payload"]["data"]["rackDeltas"]["machinesRemoved"], json!(["*"]));
    client.subscribe("c", CHANGES, json!({})).await;
    let refused = client.next().await;
    assert!(refused.to_string().contains("FORBIDDEN"), "{refused}");
}

#[tokio::test]
async fn a_stopping_region_says_goodbye() {
    let region = Region::new().await;
    let mut client = Client::login(&region, &region.admin).await;
    client.subscribe("a", CHANGES, json!({})).await;
    region.stop.send_replace(true);
    assert_eq!(client.closed().await, 1012);
}
