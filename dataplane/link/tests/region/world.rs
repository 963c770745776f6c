use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_RANGE, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use futures_util::stream::{self, StreamExt};
use ironherd_link::{Ends, LinkConfig, Report, Request, Rounds, Secret, run};
use ironherd_snapshot::Snapshot;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::store::FolderStore;

pub(crate) const TOKEN: &str = "rack-token";
const PATIENCE: Duration = Duration::from_secs(20);

/// What the region will say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) snapshot: Value,
    /// Items of the first subscription, the second, …; all but the last are then cut.
    pub(crate) deltas: Vec<Vec<Value>>,
    /// Answers for digests; each is used once, the last of its digest for ever.
    pub(crate) contents: Vec<(String, Vec<u8>)>,
    /// Where the next downloads break off.
    pub(crate) cuts: Vec<usize>,
    /// So many reports are answered with 500.
    pub(crate) report_failures: usize,
    /// Lists of questions for the first subscription to them, the second, …; all but the last are
    /// then cut.
    pub(crate) requests: Vec<Vec<Value>>,
}

/// What the region heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    documents: Vec<String>,
    pub(crate) after: Vec<Value>,
    pub(crate) registered: Value,
    pub(crate) ranges: Vec<Option<String>>,
    pub(crate) bearers: Vec<String>,
    pub(crate) report_failures: usize,
    reports: Vec<Value>,
    pub(crate) answers: Vec<Value>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

impl Log {
    pub(crate) fn queries(&self, name: &str) -> usize {
        self.documents.iter().filter(|it| it.contains(name)).count()
    }
}

#[derive(Clone, Debug, Default)]
struct Region(Arc<Mutex<(Script, Log)>>);

impl Region {
    fn lock(&self) -> MutexGuard<'_, (Script, Log)> {
        self.0.lock().unwrap()
    }
}

pub(crate) struct World {
    region: Region,
    address: SocketAddr,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) rounds: Rounds,
    pub(crate) addresses: watch::Sender<Vec<String>>,
    pub(crate) store: Arc<FolderStore>,
    pub(crate) requests: mpsc::Receiver<Request>,
}

impl World {
    pub(crate) async fn start(script: Script) -> Self {
        Self::start_from(script, None).await
    }

    pub(crate) async fn start_from(script: Script, base: Option<Arc<Snapshot>>) -> Self {
        Self::start_with(script, base, FolderStore::new()).await
    }

    pub(crate) async fn start_with(
        script: Script,
        base: Option<Arc<Snapshot>>,
        store: FolderStore,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let world = Self::link(script, base, store, listener.local_addr().unwrap());
        world.serve(listener);
        world
    }

    /// The region's port is known, but nobody listens there yet.
    pub(crate) async fn start_later(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        Self::link(script, None, FolderStore::new(), address)
    }

    pub(crate) async fn listen(&self) {
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    fn link(
        script: Script,
        base: Option<Arc<Snapshot>>,
        store: FolderStore,
        address: SocketAddr,
    ) -> Self {
        let (publish, snapshots) = watch::channel(None);
        let (reports, for_link) = mpsc::channel(4096);
        let rounds = Rounds::default();
        let store = Arc::new(store);
        let config = LinkConfig {
            region_url: format!("http://{address}"),
            token: Secret::new(TOKEN),
            name: "rack-1".to_owned(),
            version: "1".to_owned(),
            epoch: 1_700_000_000_000_000,
            retry_first: Duration::from_millis(10),
            retry_max: Duration::from_millis(50),
        };
        let kept: Arc<FolderStore> = Arc::clone(&store);
        let (addresses, told) = watch::channel(vec!["10.77.0.1".to_owned()]);
        let (asks, requests) = mpsc::channel(4);
        let ends = Ends {
            base,
            snapshots: publish,
            reports: for_link,
            rounds: rounds.clone(),
            store: kept,
            addresses: told,
            alarms: watch::channel(Arc::default()).1,
            requests: asks,
        };
        tokio::spawn(run(config, ends));
        let mut script = script;
        if script.snapshot.is_null() {
            script.snapshot = full(1, &[]);
        }
        let log = Log { report_failures: script.report_failures, ..Log::default() };
        let region = Region(Arc::new(Mutex::new((script, log))));
        Self { region, address, snapshots, reports, rounds, store, addresses, requests }
    }

    fn serve(&self, listener: TcpListener) {
        let router = Router::new()
            .route("/graphql", post(execute))
            .route("/graphql/ws", get(subscribe))
            .route("/images/{sha256}", get(download))
            .route("/captures/{id}", put(keep_file))
            .with_state(self.region.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
    }

    pub(crate) fn log(&self) -> Log {
        self.region.lock().1.clone()
    }

    /// Waits for a snapshot of this generation.
    pub(crate) async fn snapshot_of(&mut self, generation: u64) -> Arc<Snapshot> {
        let is_it =
            |it: &Option<Arc<Snapshot>>| it.as_ref().is_some_and(|it| it.generation == generation);
        let found = timeout(PATIENCE, self.snapshots.wait_for(is_it)).await;
        let found = found.expect("it comes in time").unwrap();
        found.clone().unwrap()
    }

    /// Waits until the last snapshot seen is sent once more.
    pub(crate) async fn snapshot_again(&mut self) -> Arc<Snapshot> {
        timeout(PATIENCE, self.snapshots.changed()).await.expect("it comes in time").unwrap();
        self.snapshots.borrow().clone().unwrap()
    }

    /// Waits until the rack has registered with these addresses.
    pub(crate) async fn until_registered(&self, addresses: &[&str]) {
        let registered = async {
            while self.log().registered["addresses"] != json!(addresses) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, registered).await.expect("the rack registers in time");
    }

    pub(crate) async fn until_kept(&self, sha256: &str) {
        let kept = async {
            while !self.store.has(sha256) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, kept).await.expect("the file arrives in time");
    }

    /// Waits until a question was answered like this; the answer.
    pub(crate) async fn until_answered(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let answered = async {
            loop {
                if let Some(answer) = self.log().answers.into_iter().find(&fits) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, answered).await.expect("the rack answers in time")
    }

    /// Waits until so many entries were acknowledged; the batches that brought them.
    pub(crate) async fn until_reported(&self, entries: usize) -> Vec<Value> {
        let len = |batch: &Value, list: &str| batch[list].as_array().map_or(0, Vec::len);
        let reported = async {
            loop {
                let batches = self.log().reports;
                let counted = batches.iter().map(|it| len(it, "leases") + len(it, "bootEvents"));
                if entries <= counted.sum() {
                    return batches;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, reported).await.expect("the reports arrive in time")
    }
}

async fn execute(
    State(region): State<Region>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Response {
    let mut state = region.lock();
    let (script, log) = &mut *state;
    let bearer = headers[AUTHORIZATION].to_str().unwrap().to_owned();
    log.bearers.push(bearer);
    let query = request["query"].as_str().unwrap().to_owned();
    let input = request["variables"]["input"].clone();
    log.documents.push(query.clone());
    let data = if query.contains("mutation RackRegister") {
        log.registered = input;
        json!({ "rackRegister": { "rack": { "id": "UmFjazox" }, "userErrors": [] } })
    } else if query.contains("query RackSnapshot") {
        json!({ "rackSnapshot": script.snapshot })
    } else if query.contains("mutation RackAnswer") {
        log.answers.push(input);
        json!({ "rackAnswer": { "userErrors": [] } })
    } else if 0 < log.report_failures {
        log.report_failures -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    } else {
        log.reports.push(input.clone());
        json!({ "rackReport": { "sequence": input["sequence"], "userErrors": [] } })
    };
    Json(json!({ "data": data })).into_response()
}

async fn subscribe(State(region): State<Region>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["graphql-transport-ws"]).on_upgrade(async |socket| {
        // The link may hang up at any time; what matters is what it heard and said before.
        let _ = converse(region, socket).await;
    })
}

async fn converse(region: Region, mut socket: WebSocket) -> Option<()> {
    let init = hear(&mut socket).await?;
    assert_eq!(init["type"], "connection_init");
    assert_eq!(init["payload"]["Authorization"], format!("Bearer {TOKEN}"));
    say(&mut socket, &json!({ "type": "ping" })).await?;
    say(&mut socket, &json!({ "type": "connection_ack" })).await?;
    assert_eq!(hear(&mut socket).await?["type"], "pong");
    let subscribe = hear(&mut socket).await?;
    assert_eq!(subscribe["type"], "subscribe");
    let asked = subscribe["payload"]["query"].as_str()?.contains("rackRequests");
    let (field, items, is_last) = if asked {
        assert_eq!(subscribe["payload"]["variables"], json!({ "rackName": "rack-1" }));
        let mut state = region.lock();
        let lists = &mut state.0.requests;
        let list = if lists.is_empty() { vec![] } else { lists.remove(0) };
        ("rackRequests", vec![json!([]), Value::Array(list)], lists.is_empty())
    } else {
        let mut state = region.lock();
        let (script, log) = &mut *state;
        log.after.push(subscribe["payload"]["variables"]["after"].clone());
        let items = if script.deltas.is_empty() { vec![] } else { script.deltas.remove(0) };
        ("rackDeltas", items, script.deltas.is_empty())
    };
    for item in items {
        let payload = json!({ "data": { field: item } });
        let next = json!({ "id": subscribe["id"], "type": "next", "payload": payload });
        say(&mut socket, &next).await?;
    }
    if is_last {
        // Stays until the link goes.
        while hear(&mut socket).await.is_some() {}
    }
    Some(())
}

async fn say(socket: &mut WebSocket, message: &Value) -> Option<()> {
    socket.send(Message::text(message.to_string())).await.ok()
}

async fn hear(socket: &mut WebSocket) -> Option<Value> {
    match socket.recv().await?.ok()? {
        Message::Text(text) => serde_json::from_str(&text).ok(),
        _ => None,
    }
}

async fn download(
    State(region): State<Region>,
    Path(sha256): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut state = region.lock();
    let (script, log) = &mut *state;
    let range = headers.get(RANGE).map(|it| it.to_str().unwrap().to_owned());
    log.ranges.push(range.clone());
    let mut places = (0..).zip(&script.contents).filter(|(_, it)| it.0 == sha256);
    let Some((place, _)) = places.next() else { return StatusCode::NOT_FOUND.into_response() };
    let is_last = places.next().is_none();
    let content = script.contents[place].1.clone();
    let start = range.map_or(0, |it| it[6..it.len() - 1].parse().unwrap());
    let mut headers = HeaderMap::new();
    let status = match start {
        0 => StatusCode::OK,
        _ => {
            let len = content.len();
            let range = format!("bytes {start}-{}/{len}", len - 1);
            headers.insert(CONTENT_RANGE, range.parse().unwrap());
            StatusCode::PARTIAL_CONTENT
        }
    };
    if script.cuts.is_empty() {
        if !is_last {
            script.contents.remove(place);
        }
        return (status, headers, content[start..].to_vec()).into_response();
    }
    let until = script.cuts.remove(0);
    let part = Bytes::copy_from_slice(&content[start..until]);
    let cut = async {
        // What was said before the cut is sent only if the cut comes a little later.
        tokio::time::sleep(Duration::from_millis(10)).await;
        Err(std::io::Error::other("cut"))
    };
    let parts = stream::once(std::future::ready(Ok(part))).chain(stream::once(cut));
    (status, headers, Body::from_stream(parts)).into_response()
}

async fn keep_file(
    State(region): State<Region>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> StatusCode {
    assert_eq!(headers[AUTHORIZATION], format!("Bearer {TOKEN}"));
    region.lock().1.files.push((id, bytes.to_vec()));
    StatusCode::NO_CONTENT
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

pub(crate) fn file(name: &str, content: &[u8]) -> Value {
    json!({ "name": name, "sha256": digest(content), "sizeBytes": content.len() })
}

/// A whole snapshot without machines.
pub(crate) fn full(generation: u64, files: &[Value]) -> Value {
    json!({
        "generation": generation,
        "settings": { "enlist": true, "enlistKey": "ab".repeat(32), "ephemeral": null },
        "subnets": [{
            "id": "1", "cidr": "10.77.0.0/24", "gateway": "10.77.0.1", "dnsServers": [],
            "ntpServers": [], "domain": null, "mtu": null, "leaseSeconds": 600,
            "ranges": [{ "first": "10.77.0.200", "last": "10.77.0.250" }],
            "reservations": [],
        }],
        "machines": [],
        "files": files,
    })
}

/// A delta in which these machines changed.
pub(crate) fn delta(generation: u64, hostnames: &[&str]) -> Value {
    let machine = |hostname: &&str| {
        json!({
            "id": format!("id-{hostname}"), "hostname": hostname,
            "macAddresses": ["52:54:00:77:00:10"],
            "uuid": "0198c2a8-7b1e-7c55-9c1d-3a6f1f0e2b4d", "intent": "POWER_OFF",
            "attempt": 3, "bootKey": "cd".repeat(32), "kernelArgs": "",
        })
    };
    json!({
        "generation": generation, "settings": null, "subnets": null,
        "machinesChanged": hostnames.iter().map(machine).collect::<Vec<_>>(),
        "machinesRemoved": [], "files": null,
    })
}
