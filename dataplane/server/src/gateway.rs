//! Where agents and installed systems reach the region: a relay that lets only their calls pass.

pub(crate) mod accept;

use std::sync::Arc;
use std::time::Duration;

use async_graphql_parser::parse_query;
use async_graphql_parser::types::{ExecutableDocument, OperationType, Selection};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::metrics::{Metrics, add};

#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    client: reqwest::Client,
    /// The region's `/graphql`; absent when the rack has no region.
    target: Option<Arc<str>>,
    relays: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

#[derive(Deserialize)]
struct Request {
    query: String,
}

/// Why a document is not relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// No GraphQL at all.
    Malformed,
    /// A field, or a kind of operation, that no agent needs.
    NotAnAgents,
}

/// An inventory with every PCI device of a large machine stays far below this.
const REQUEST_BYTES_MAX: usize = 2 << 20;
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// No agent's document is nested so deeply; the parser must not be made to recurse for ever.
const NESTING_MAX: usize = 32;
const RELAYS_MAX: usize = 512;
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(30);
const RETRY_AFTER_SECONDS: &str = "2";

impl Gateway {
    pub(crate) fn new(
        region_url: Option<&str>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, reqwest::Error> {
        // Fails only if the process has chosen one already, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none()) // The token goes to nobody else.
            .no_proxy()
            .build()?;
        let target =
            region_url.map(|it| Arc::from(format!("{}/graphql", it.trim_end_matches('/'))));
        Ok(Self { client, target, relays: Arc::new(Semaphore::new(RELAYS_MAX)), metrics })
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/graphql", post(relay))
            .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
            .with_state(self)
    }

    fn unavailable(&self) -> Response {
        add(&self.metrics.gateway_unavailable, 1);
        let message = "the region cannot be reached from this rack; ask again in 2 seconds";
        let code = "REGION_UNAVAILABLE";
        let retry = [(RETRY_AFTER, RETRY_AFTER_SECONDS)];
        (StatusCode::SERVICE_UNAVAILABLE, retry, error_body(code, message)).into_response()
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        add(&self.metrics.gateway_refused, 1);
        match refusal {
            Refusal::Malformed => {
                let message = "the body is no GraphQL request: {\"query\": \"…\"}";
                (StatusCode::BAD_REQUEST, error_body("BAD_REQUEST", message)).into_response()
            }
            Refusal::NotAnAgents => {
                let message = "this gateway relays the calls of agents and installed systems only";
                (StatusCode::FORBIDDEN, error_body("FORBIDDEN", message)).into_response()
            }
        }
    }

    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> Option<Response> {
        let target = self.target.as_deref()?;
        let _permit = self.relays.try_acquire().ok()?;
        let mut request = self.client.post(target).header(CONTENT_TYPE, "application/json");
        if let Some(bearer) = headers.get(AUTHORIZATION) {
            request = request.header(AUTHORIZATION, bearer);
        }
        let mut answer = request.body(body).send().await.ok()?;
        let status = answer.status();
        if matches!(status.as_u16(), 502..=504) {
            return None;
        }
        let kind = answer.headers().get(CONTENT_TYPE).cloned();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.ok()? {
            if ANSWER_BYTES_MAX < bytes.len() + chunk.len() {
                return None;
            }
            bytes.extend_from_slice(&chunk);
        }
        add(&self.metrics.gateway_relayed, 1);
        let mut response = (status, bytes).into_response();
        if let Some(kind) = kind {
            response.headers_mut().insert(CONTENT_TYPE, kind);
        }
        Some(response)
    }
}

async fn relay(State(gateway): State<Gateway>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Request>(&body) else {
        return gateway.refuse(Refusal::Malformed);
    };
    if let Err(refusal) = check(&request.query) {
        return gateway.refuse(refusal);
    }
    match gateway.forward(&headers, body).await {
        Some(response) => response,
        None => gateway.unavailable(),
    }
}

fn error_body(code: &str, message: &str) -> Json<serde_json::Value> {
    Json(json!({ "errors": [{ "message": message, "extensions": { "code": code } }] }))
}

/// Lets a document pass if all it asks for, in every operation, is an agent's.
fn check(query: &str) -> Result<(), Refusal> {
    if NESTING_MAX < nesting(query) {
        return Err(Refusal::Malformed);
    }
    let document: ExecutableDocument = parse_query(query).map_err(|_| Refusal::Malformed)?;
    for (_, operation) in document.operations.iter() {
        if operation.node.ty == OperationType::Subscription {
            return Err(Refusal::NotAnAgents);
        }
        for selection in &operation.node.selection_set.node.items {
            // A fragment could hide a field, and no agent uses one at the root.
            let Selection::Field(field) = &selection.node else {
                return Err(Refusal::NotAnAgents);
            };
            let name = field.node.name.node.as_str();
            if !name.starts_with("agent") && name != "systemReady" {
                return Err(Refusal::NotAnAgents);
            }
        }
    }
    Ok(())
}

/// How deep brackets go at most, outside of strings and comments. A string without an end counts
/// as endless depth: where the parser would go on cannot be told, and it is not GraphQL.
fn nesting(query: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = query.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            b'#' => {
                let end = rest.iter().position(|it| matches!(it, b'\n' | b'\r'));
                rest = end.and_then(|end| rest.get(end..)).unwrap_or_default();
            }
            b'"' => {
                let behind = match rest.strip_prefix(b"\"\"") {
                    Some(block) => behind_block_string(block),
                    None => behind_string(rest),
                };
                let Some(behind) = behind else { return usize::MAX };
                rest = behind;
            }
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// What follows a string that has begun; `None` if it does not end on its line.
fn behind_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\n' | b'\r', ..] | [] => return None,
            [b'\\', _, after @ ..] | [_, after @ ..] => after,
        };
    }
}

/// What follows a block string that has begun; `None` if it has no end.
fn behind_block_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', b'"', b'"', after @ ..] => return Some(after),
            [b'\\', b'"', b'"', b'"', after @ ..] | [_, after @ ..] => after,
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_agents_calls_pass() {
        let deep = "{".repeat(100_000);
        let rows = [
            ("mutation { agentHello(input: {bootToken: \"x\"}) { sessionToken } }", Ok(())),
            ("query Task { agentTask { kind } }", Ok(())),
            ("mutation R($i: SystemReadyInput!) { systemReady(input: $i) { __typename } }", Ok(())),
            // An alias changes what the field is called in the answer, not what it is.
            ("{ agentTask: machines { nodes { id } } }", Err(Refusal::NotAnAgents)),
            ("{ mine: agentTask { kind } }", Ok(())),
            ("{ agentTask { kind } machines { nodes { id } } }", Err(Refusal::NotAnAgents)),
            (
                "query A { agentTask { kind } } query B { racks { nodes { id } } }",
                Err(Refusal::NotAnAgents),
            ),
            (
                "{ ...F } fragment F on Query { machines { nodes { id } } }",
                Err(Refusal::NotAnAgents),
            ),
            ("{ ... on Query { viewer { name } } }", Err(Refusal::NotAnAgents)),
            ("subscription { agentTask { kind } }", Err(Refusal::NotAnAgents)),
            ("{ __schema { types { name } } }", Err(Refusal::NotAnAgents)),
            ("mutation { systemReadyOther { id } }", Err(Refusal::NotAnAgents)),
            ("{ agentTask { kind }", Err(Refusal::Malformed)),
            ("", Err(Refusal::Malformed)),
            (deep.as_str(), Err(Refusal::Malformed)),
        ];
        for (query, want) in rows {
            assert_eq!(check(query), want, "{}", query.chars().take(80).collect::<String>());
        }
    }

    #[test]
    fn brackets_in_strings_and_comments_are_not_nesting() {
        let many = "{[(".repeat(40);
        let rows = [
            ("{ a(b: [1]) { c } }".to_owned(), 3),
            (format!("{{ a(b: \"{many}\") }}"), 2),
            (format!("{{ a(b: \"\\\"{many}\") }}"), 2),
            (format!("{{ a(b: \"\"\"\n{many} \\\"\"\" {many}\"\"\") }}"), 2),
            (format!("# \" {many}\n{{ a }}"), 1),
            ("{ a(b: \"#\", c: \"\") { d(e: \"\"\"\"\"\") } }".to_owned(), 3),
            // Closed quotes hide nothing that comes after them.
            (format!("{{ a(b: \"\") {many}"), 121),
            (format!("{{ a(b: \"\\\\\") {many}"), 121),
            (format!("# c\r{many}"), 120),
            // Without an end the parser may read on where a string seems to be.
            (format!("{{ a(b: [\"\"\" \" {many}"), usize::MAX),
            (format!("{{ a(b: \"\n{many}"), usize::MAX),
        ];
        for (query, want) in rows {
            assert_eq!(nesting(&query), want, "{query}");
        }
        let hello = format!("mutation {{ agentHello(input: {{note: \"{many}\"}}) {{ id }} }}");
        assert_eq!(check(&hello), Ok(()), "a message may hold any brackets");
    }

    #[tokio::test]
    async fn without_a_region_agents_are_told_to_ask_again() {
        let metrics = Arc::new(Metrics::new());
        // Port 1 of loopback: nobody listens there.
        for region in [None, Some("http://127.0.0.1:1")] {
            let gateway = Gateway::new(region, Arc::clone(&metrics)).unwrap();
            let body = r#"{"query":"{ agentTask { kind } }"}"#;
            let response = relay(State(gateway), HeaderMap::new(), Bytes::from(body)).await;
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "2");
            let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["errors"][0]["extensions"]["code"], "REGION_UNAVAILABLE");
        }
    }

    #[tokio::test]
    async fn a_call_is_relayed_with_its_bearer_and_its_status() {
        let region = Router::new().route(
            "/graphql",
            post(|headers: HeaderMap, body: String| async move {
                let bearer = headers.get(AUTHORIZATION).map(|it| it.to_str().unwrap().to_owned());
                (StatusCode::UNAUTHORIZED, Json(json!({ "bearer": bearer, "body": body })))
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, region).await });
        let gateway = Gateway::new(Some(&url), Arc::new(Metrics::new())).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Bearer abc".parse().unwrap());
        let body = r#"{"query":"{ agentTask { kind } }"}"#;
        let response = relay(State(gateway.clone()), headers, Bytes::from(body)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let answer = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer, json!({ "bearer": "Bearer abc", "body": body }));
        let refused = r#"{"query":"{ machines { nodes { id } } }"}"#;
        let response = relay(State(gateway), HeaderMap::new(), Bytes::from(refused)).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
}
