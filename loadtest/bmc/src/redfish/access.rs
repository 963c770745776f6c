//! Who may ask: sessions with a token, or a name and a password with each request.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use redfish_codegen::models;
use redfish_codegen::models::session::v1_6_0::{Session, SessionTypes};
use redfish_codegen::models::session_collection::SessionCollection;
use redfish_codegen::registries::base::v1_16_0::Base;
use subtle::ConstantTimeEq as _;

use super::refusal::Refusal;
use super::resources::{link, name};
use super::{Bmc, ROOT, SESSIONS};
use crate::BmcConfig;

/// Real BMCs hold 4 to 64. A client that never logs out is to be found out here.
const SESSIONS_MAX: usize = 16;
pub(super) const SESSION_IDLE_MAX: Duration = Duration::from_secs(30 * 60);
const TOKEN_HEADER: &str = "x-auth-token";

#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    last_id: u64,
    open: BTreeMap<u64, Open>,
}

struct Open {
    token: String,
    used: Instant,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("used", &self.used).finish_non_exhaustive()
    }
}

impl Sessions {
    /// The table without what timed out.
    fn table(&self, now: Instant) -> MutexGuard<'_, Table> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.open.retain(|_, it| now.saturating_duration_since(it.used) < SESSION_IDLE_MAX);
        table
    }

    fn accept(&self, token: &[u8], now: Instant) -> bool {
        let mut table = self.table(now);
        let found = table.open.values_mut().find(|it| same(it.token.as_bytes(), token));
        found.map(|it| it.used = now).is_some()
    }
}

/// Lets a request through that says who it is, or that need not.
pub(super) async fn require(State(bmc): State<Bmc>, request: Request, next: Next) -> Response {
    let path = request.uri().path().trim_end_matches('/');
    let open = match *request.method() {
        // DSP0266 §13.3.1: the root, so that a client can find the login, and the login.
        Method::GET | Method::HEAD => {
            path == "/redfish" || path == ROOT || path.strip_prefix(ROOT) == Some("/odata")
        }
        Method::POST => path == SESSIONS,
        _ => false,
    };
    if open || is_known(&bmc, request.headers()) {
        return next.run(request).await;
    }
    Refusal::unauthorized().into_response()
}

fn is_known(bmc: &Bmc, headers: &HeaderMap) -> bool {
    if let Some(token) = headers.get(TOKEN_HEADER) {
        return bmc.sessions.accept(token.as_bytes(), Instant::now());
    }
    let Some(basic) = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok()) else {
        return false;
    };
    let Some((scheme, encoded)) = basic.split_once(' ') else { return false };
    let decoded = BASE64_STANDARD.decode(encoded.trim()).unwrap_or_default();
    let Ok(pair) = String::from_utf8(decoded) else { return false };
    let Some((user, password)) = pair.split_once(':') else { return false };
    scheme.eq_ignore_ascii_case("basic") && may_log_in(&bmc.machine.config().bmc, user, password)
}

fn may_log_in(bmc: &BmcConfig, user: &str, password: &str) -> bool {
    let user_fits = same(bmc.username.as_bytes(), user.as_bytes());
    user_fits & same(bmc.password.0.as_bytes(), password.as_bytes())
}

fn same(ours: &[u8], theirs: &[u8]) -> bool {
    ours.ct_eq(theirs).into()
}

pub(super) async fn create(State(bmc): State<Bmc>, body: Bytes) -> Result<Response, Refusal> {
    let login: Session = serde_json::from_slice(&body)
        .map_err(|_error| Refusal::bad_request(Base::MalformedJSON))?;
    let missing =
        |name: &str| Refusal::bad_request(Base::CreateFailedMissingReqProperties(name.to_owned()));
    let user = login.user_name.ok_or_else(|| missing("UserName"))?;
    let password = login.password.ok_or_else(|| missing("Password"))?;
    if !may_log_in(&bmc.machine.config().bmc, &user, &password) {
        return Err(Refusal::unauthorized());
    }
    let now = Instant::now();
    let token = random_token().map_err(|_error| Refusal::fault())?;
    let id = {
        let mut table = bmc.sessions.table(now);
        if SESSIONS_MAX <= table.open.len() {
            return Err(Refusal::too_many_sessions());
        }
        table.last_id += 1;
        let id = table.last_id;
        table.open.insert(id, Open { token: token.clone(), used: now });
        id
    };
    let headers = [(TOKEN_HEADER, token), ("location", format!("{SESSIONS}/{id}"))];
    Ok((StatusCode::CREATED, headers, Json(session(&bmc, id))).into_response())
}

pub(super) async fn list(State(bmc): State<Bmc>) -> Json<SessionCollection> {
    let members: Vec<_> = {
        let table = bmc.sessions.table(Instant::now());
        table.open.keys().map(|id| link(&format!("{SESSIONS}/{id}"))).collect()
    };
    Json(SessionCollection {
        odata_id: models::odata_v4::Id(SESSIONS.to_owned()),
        name: name("Sessions"),
        members_odata_count: models::odata_v4::Count(members.len().try_into().unwrap_or(0)),
        members,
        ..SessionCollection::default()
    })
}

pub(super) async fn show(
    State(bmc): State<Bmc>,
    Path(id): Path<String>,
) -> Result<Json<Session>, Refusal> {
    let number = id.parse().unwrap_or(0);
    let open = bmc.sessions.table(Instant::now()).open.contains_key(&number);
    open.then(|| Json(session(&bmc, number))).ok_or_else(|| unknown(id))
}

pub(super) async fn delete(
    State(bmc): State<Bmc>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let number: u64 = id.parse().unwrap_or(0);
    let closed = bmc.sessions.table(Instant::now()).open.remove(&number);
    closed.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| unknown(id))
}

fn session(bmc: &Bmc, id: u64) -> Session {
    Session {
        odata_id: models::odata_v4::Id(format!("{SESSIONS}/{id}")),
        id: models::resource::Id(id.to_string()),
        name: name("Session"),
        session_type: Some(SessionTypes::Redfish),
        user_name: Some(bmc.machine.config().bmc.username.clone()),
        ..Session::default()
    }
}

fn unknown(id: String) -> Refusal {
    Refusal::not_found(Base::ResourceNotFound("Session".to_owned(), id))
}

fn random_token() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex::encode(bytes))
}
