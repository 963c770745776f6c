//! GraphQL over HTTP: what is asked, as whom, and which status the answer has.
//!
//! # Source
//! <https://graphql.github.io/graphql-over-http/draft/>. Ours: 401 and 403 as statuses, so that
//! clients and proxies see a refused token without reading the body.

mod accept;
mod request;

use async_graphql::{ErrorExtensionValues, Response as Answer, ServerError, Value};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use ironherd_api::Caller;

use self::accept::{MediaType, negotiate};
use self::request::RequestError;
use crate::bearer::{self, Bearer};
use crate::routes::Region;

/// The query text and variables of one request, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 4 << 20;

pub(crate) async fn get(State(region): State<Region>, headers: HeaderMap, uri: Uri) -> Response {
    let parsed = request::from_query(&uri);
    answer(region, &headers, &Method::GET, parsed).await
}

pub(crate) async fn post(
    State(region): State<Region>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let parsed = match body {
        Ok(body) => request::from_body(&headers, &body),
        Err(rejection) => {
            Err(RequestError { status: rejection.status(), message: rejection.body_text() })
        }
    };
    answer(region, &headers, &Method::POST, parsed).await
}

async fn answer(
    region: Region,
    headers: &HeaderMap,
    method: &Method,
    parsed: Result<async_graphql::Request, RequestError>,
) -> Response {
    let Some(media_type) = negotiate(headers) else {
        let message = "This answers application/graphql-response+json or application/json.";
        return refusal(StatusCode::NOT_ACCEPTABLE, MediaType::Json, message, None);
    };
    let mut request = match parsed {
        Ok(request) => request,
        Err(it) => return refusal(it.status, media_type, &it.message, None),
    };
    if method == Method::GET && request::is_mutation(&mut request) {
        let message = "A mutation must be sent with POST.";
        let mut response = refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            media_type,
            message,
            Some("METHOD_NOT_ALLOWED"),
        );
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if request::is_subscription(&mut request) {
        let message = "A subscription needs the WebSocket at /graphql/ws.";
        return refusal(StatusCode::BAD_REQUEST, media_type, message, None);
    }
    let caller = match bearer::from_headers(headers) {
        Bearer::Absent => Caller(None),
        Bearer::Malformed => return unauthenticated(media_type),
        Bearer::Token(token) => match region.authenticate(token).await {
            Ok(Some(actor)) => Caller(Some(actor)),
            Ok(None) => return unauthenticated(media_type),
            Err(fault) => {
                let message = format!("Something went wrong on our side; its id is {fault}.");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                return refusal(status, media_type, &message, Some("INTERNAL"));
            }
        },
    };
    let answer = region.schema.execute(request.data(caller)).await;
    let status = status(&answer, media_type);
    region.metrics.graphql_answered(!answer.errors.is_empty());
    write(status, media_type, &answer)
}

/// Whether nothing was executed: then the answer holds no `data` at all, not even null.
pub(crate) fn is_request_error(answer: &Answer) -> bool {
    answer.data == Value::Null
        && !answer.errors.is_empty()
        && answer.errors.iter().all(|error| error.path.is_empty())
}

fn status(answer: &Answer, media_type: MediaType) -> StatusCode {
    for error in &answer.errors {
        match code(error) {
            Some("UNAUTHENTICATED") => return StatusCode::UNAUTHORIZED,
            Some("FORBIDDEN") => return StatusCode::FORBIDDEN,
            _ => {}
        }
    }
    match media_type {
        MediaType::GraphqlResponse if is_request_error(answer) => StatusCode::BAD_REQUEST,
        MediaType::GraphqlResponse | MediaType::Json => StatusCode::OK,
    }
}

fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

fn unauthenticated(media_type: MediaType) -> Response {
    let message = "The token is not known, or no longer valid.";
    refusal(StatusCode::UNAUTHORIZED, media_type, message, Some("UNAUTHENTICATED"))
}

fn refusal(
    status: StatusCode,
    media_type: MediaType,
    message: &str,
    code: Option<&str>,
) -> Response {
    let mut error = ServerError::new(message, None);
    if let Some(code) = code {
        error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", code);
    }
    write(status, media_type, &Answer::from_errors(vec![error]))
}

fn write(status: StatusCode, media_type: MediaType, answer: &Answer) -> Response {
    let body = if is_request_error(answer) {
        serde_json::to_vec(&serde_json::json!({ "errors": answer.errors }))
    } else {
        serde_json::to_vec(answer)
    };
    let Ok(body) = body else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response(); // Our values always serialize.
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type.header()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
