//! Files of captured packets: in from racks, out to people.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::images::{actor, answer, refusal};
use crate::routes::Region;

/// Takes the file that a rack was asked for.
pub(crate) async fn upload(
    State(region): State<Region>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let taken = async {
        let actor = actor(&region, &headers).await?;
        region.app.capture_receive(&actor, &id, body.to_vec()).await.map_err(refusal)
    };
    match taken.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal,
    }
}

/// Gives a capture out. The path is no secret: it opens nothing without a user's token.
pub(crate) async fn download(
    State(region): State<Region>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let actor = actor(&region, &headers).await?;
        let file = region.app.capture_file(&actor, &id).await.map_err(refusal)?;
        file.ok_or_else(|| {
            let why = "There is no such capture, or its time is over: ask for a new one.";
            answer(StatusCode::NOT_FOUND, "NOT_FOUND", why)
        })
    };
    let file = match found.await {
        Ok(file) => file,
        Err(refusal) => return refusal,
    };
    let mut response = Bytes::from_owner(file).into_response();
    let named = "attachment; filename=\"dhcp.pcap\"";
    for (name, value) in [
        (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap"),
        (header::CONTENT_DISPOSITION, named),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
