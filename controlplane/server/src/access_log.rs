//! A request id on every answer, one log line and one count a request.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use crate::routes::Region;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers and query strings stay out of the log: both can hold tokens.
pub(crate) async fn layer(State(region): State<Region>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = uuid::Uuid::now_v7().simple().to_string();
    let span =
        tracing::info_span!("request", id, method = %request.method(), path = request.uri().path());
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    let took = begun.elapsed();
    region.metrics.http_answered(response.status(), took);
    span.in_scope(|| {
        tracing::debug!(status = response.status().as_u16(), ?took, "Answered.");
    });
    response
}
