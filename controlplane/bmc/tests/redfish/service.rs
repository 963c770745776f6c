//! A Redfish service of one machine, small enough to be read and to misbehave on demand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

pub(crate) const PASSWORD: &str = "correct-horse";
const TOKEN: &str = "a-token";
/// `admin:correct-horse`
const BASIC: &str = "Basic YWRtaW46Y29ycmVjdC1ob3JzZQ==";

/// How the service behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
    pub(crate) no_sessions: bool,
    /// The user may read and nothing else.
    pub(crate) read_only: bool,
    /// Refuses Pxe: its firmware boots the network by HTTP alone.
    pub(crate) http_boot_only: bool,
    /// Refuses every boot source.
    pub(crate) no_boot_choice: bool,
    /// Takes a write with the right ETag only, and no `If-Match: *`.
    pub(crate) strict_etag: bool,
    /// Says yes to a reset and does nothing.
    pub(crate) dead_button: bool,
}

#[derive(Debug, Default)]
struct Machine {
    behaviour: Behaviour,
    on: bool,
    version: u32,
    sessions: i32,
    log: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    machine: Shared,
    task: Arc<JoinHandle<()>>,
}

type Shared = Arc<Mutex<Machine>>;

impl Service {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let machine = Shared::new(Mutex::new(Machine { behaviour, ..Machine::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = router(Arc::clone(&machine));
        let serve = async move { axum::serve(listener, router).await.unwrap() };
        Self { address, machine, task: Arc::new(tokio::spawn(serve)) }
    }

    /// What was changed, in order.
    pub(crate) fn log(&self) -> Vec<String> {
        self.machine.lock().unwrap().log.clone()
    }

    pub(crate) fn open_sessions(&self) -> i32 {
        self.machine.lock().unwrap().sessions
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn router(machine: Shared) -> Router {
    const SYSTEM: &str = "/redfish/v1/Systems/node";
    let reset_path = format!("{SYSTEM}/Actions/ComputerSystem.Reset");
    let inside = Router::new()
        .route("/redfish/v1/Systems", get(async || Json(collection())))
        .route(SYSTEM, get(system).patch(patch))
        .route(&reset_path, post(reset))
        .route("/redfish/v1/SessionService/Sessions/1", delete(log_out))
        .layer(from_fn_with_state(Arc::clone(&machine), authenticate));
    Router::new()
        .route("/redfish/v1", get(async || Json(root())))
        .route("/redfish/v1/SessionService/Sessions", post(log_in))
        .merge(inside)
        .with_state(machine)
}

async fn authenticate(State(machine): State<Shared>, request: Request, next: Next) -> Response {
    if allowed(request.headers(), machine.lock().unwrap().behaviour.no_sessions) {
        next.run(request).await
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

fn allowed(headers: &HeaderMap, basic: bool) -> bool {
    let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    header("x-auth-token") == Some(TOKEN) || (basic && header("authorization") == Some(BASIC))
}

async fn log_in(State(machine): State<Shared>, Json(request): Json<Value>) -> Response {
    let mut machine = machine.lock().unwrap();
    if machine.behaviour.no_sessions {
        return StatusCode::NOT_FOUND.into_response();
    }
    if request != json!({"UserName": "admin", "Password": PASSWORD}) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    machine.sessions += 1;
    let location = "/redfish/v1/SessionService/Sessions/1";
    let body = json!({
        "@odata.id": location, "@odata.type": "#Session.v1_5_0.Session",
        "Id": "1", "Name": "Session", "UserName": "admin",
    });
    let headers = [("x-auth-token", TOKEN), ("location", location)];
    (StatusCode::CREATED, headers, Json(body)).into_response()
}

async fn log_out(State(machine): State<Shared>) -> StatusCode {
    machine.lock().unwrap().sessions -= 1;
    StatusCode::NO_CONTENT
}

async fn system(State(machine): State<Shared>) -> Response {
    let machine = machine.lock().unwrap();
    let etag = format!("\"{}\"", machine.version);
    let body = json!({
        "@odata.id": "/redfish/v1/Systems/node",
        "@odata.type": "#ComputerSystem.v1_20_0.ComputerSystem",
        "Id": "node", "Name": "node",
        "PowerState": if machine.on { "On" } else { "Off" },
        "Boot": {"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None"},
        "Actions": {"#ComputerSystem.Reset": {
            "target": "/redfish/v1/Systems/node/Actions/ComputerSystem.Reset",
        }},
    });
    ([(header::ETAG, HeaderValue::from_str(&etag).unwrap())], Json(body)).into_response()
}

async fn patch(
    State(machine): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> StatusCode {
    let mut machine = machine.lock().unwrap();
    let etag = format!("\"{}\"", machine.version);
    let if_match = headers.get(header::IF_MATCH).and_then(|it| it.to_str().ok());
    let any = !machine.behaviour.strict_etag && if_match == Some("*");
    if !any && if_match != Some(&etag) {
        machine.log.push("stale".to_owned());
        return StatusCode::PRECONDITION_FAILED;
    }
    let text = |name: &str| body["Boot"][name].as_str().unwrap_or("-").to_owned();
    let target = text("BootSourceOverrideTarget");
    if machine.behaviour.read_only {
        return StatusCode::FORBIDDEN;
    }
    let behaviour = machine.behaviour;
    if behaviour.no_boot_choice || (behaviour.http_boot_only && target == "Pxe") {
        return StatusCode::BAD_REQUEST;
    }
    let (enabled, mode) = (text("BootSourceOverrideEnabled"), text("BootSourceOverrideMode"));
    machine.log.push(format!("boot {target} {enabled} {mode}"));
    machine.version += 1;
    StatusCode::NO_CONTENT
}

async fn reset(State(machine): State<Shared>, Json(body): Json<Value>) -> StatusCode {
    let mut machine = machine.lock().unwrap();
    if machine.behaviour.read_only {
        return StatusCode::FORBIDDEN;
    }
    let kind = body["ResetType"].as_str().unwrap_or("-").to_owned();
    machine.on = match kind.as_str() {
        _ if machine.behaviour.dead_button => machine.on,
        "On" => true,
        "ForceOff" | "GracefulShutdown" => false,
        _ => machine.on,
    };
    machine.log.push(format!("reset {kind}"));
    StatusCode::NO_CONTENT
}

fn root() -> Value {
    json!({
        "@odata.id": "/redfish/v1", "@odata.type": "#ServiceRoot.v1_15_0.ServiceRoot",
        "Id": "RootService", "Name": "Root Service", "RedfishVersion": "1.18.0",
        "Systems": {"@odata.id": "/redfish/v1/Systems"},
        "Links": {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}},
    })
}

fn collection() -> Value {
    json!({
        "@odata.id": "/redfish/v1/Systems",
        "@odata.type": "#ComputerSystemCollection.ComputerSystemCollection",
        "Name": "Systems", "Members@odata.count": 1,
        "Members": [{"@odata.id": "/redfish/v1/Systems/node"}],
    })
}
