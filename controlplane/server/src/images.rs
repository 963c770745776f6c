//! The bytes of images: in from people, out to racks and people.

mod range;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use ironherd_app::{Actor, CommandError, ImageUpload};
use serde_json::json;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, Take};

use self::range::Part;
use crate::bearer::{self, Bearer};
use crate::routes::Region;

const READ_BYTES: usize = 256 << 10;

/// Takes the bytes of an image that was made known, and checks their digest as they arrive.
pub(crate) async fn upload(
    State(region): State<Region>,
    Path(sha256): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match receive(&region, &sha256, &headers, body).await {
        Ok(()) => Json(json!({ "state": "READY" })).into_response(),
        Err(refusal) => refusal,
    }
}

async fn receive(
    region: &Region,
    sha256: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), Response> {
    let actor = actor(region, headers).await?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    let begun = region.app.image_upload_begin(&actor, sha256, length).await.map_err(refusal)?;
    let Some(mut upload) = begun else { return Ok(()) }; // The bytes are here already.
    fill(region, &mut upload, body).await?;
    upload.finish().await.map_err(refusal)
}

async fn fill(region: &Region, upload: &mut ImageUpload, body: Body) -> Result<(), Response> {
    let mut body = body.into_data_stream();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|error| {
            let message = format!("The upload was cut off: {error}.");
            answer(StatusCode::BAD_REQUEST, "UPLOAD_CUT_OFF", &message)
        })?;
        upload.write(&bytes).await.map_err(refusal)?;
        region.metrics.image_bytes_in.add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Gives the bytes of an image out, whole or in part.
pub(crate) async fn download(
    State(region): State<Region>,
    Path(sha256): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    match send(&region, &sha256, &method, &headers).await {
        Ok(response) | Err(response) => response,
    }
}

async fn send(
    region: &Region,
    sha256: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Response> {
    let actor = actor(region, headers).await?;
    let path = region.app.image_file(&actor, sha256).await.map_err(refusal)?;
    let path = path.ok_or_else(not_found)?;
    let mut file = File::open(path).await.map_err(|_| not_found())?;
    let len = file.metadata().await.map_err(|_| not_found())?.len();
    // The digest names the bytes: it is the strongest tag there can be.
    let etag = format!("\"{sha256}\"");
    if headers.get(header::IF_NONE_MATCH).is_some_and(|it| it.as_bytes() == etag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let (status, part) = match part(headers, &etag, len) {
        Part::Whole => (StatusCode::OK, 0..len),
        Part::Some(part) => (StatusCode::PARTIAL_CONTENT, part),
        Part::Unsatisfiable => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{len}"))];
            return Err((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
    };
    let bytes = part.end - part.start;
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        file.seek(std::io::SeekFrom::Start(part.start)).await.map_err(|_| not_found())?;
        region.metrics.image_bytes_out.add(bytes);
        Body::from_stream(chunks(file.take(bytes)))
    };
    let mut response = (status, [(header::ETAG, etag)], body).into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{len}", part.start, part.end - 1);
        out.extend(HeaderValue::from_str(&range).map(|it| (header::CONTENT_RANGE, it)));
    }
    Ok(response)
}

fn chunks(file: Take<File>) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold(file, |mut file| async {
        let mut chunk = BytesMut::with_capacity(READ_BYTES);
        let read = file.read_buf(&mut chunk).await?;
        Ok((0 < read).then(|| (chunk.freeze(), file)))
    })
}

/// Which part is wanted. `If-Range` with another tag wants the whole of what is here now.
fn part(headers: &HeaderMap, etag: &str, len: u64) -> Part {
    let same = headers.get(header::IF_RANGE).is_none_or(|it| it.as_bytes() == etag.as_bytes());
    let range = headers.get(header::RANGE).and_then(|it| it.to_str().ok());
    range.filter(|_| same).map_or(Part::Whole, |range| range::parse(range, len))
}

pub(crate) async fn actor(region: &Region, headers: &HeaderMap) -> Result<Actor, Response> {
    if let Bearer::Token(token) = bearer::from_headers(headers) {
        let known = region.authenticate(token).await.map_err(|id| fault(&id))?;
        if let Some(actor) = known {
            return Ok(actor);
        }
    }
    Err(refusal(CommandError::Unauthenticated))
}

pub(crate) fn refusal(error: CommandError) -> Response {
    match error {
        CommandError::Unauthenticated => {
            answer(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "This needs a valid token.")
        }
        CommandError::Forbidden => {
            answer(StatusCode::FORBIDDEN, "FORBIDDEN", "This token does not allow that.")
        }
        CommandError::Fault(it) => fault(&it.id),
        CommandError::Refused(refusals) => {
            let Some(first) = refusals.into_iter().next() else { return not_found() };
            let status = match first.code {
                "NOT_FOUND" => StatusCode::NOT_FOUND,
                "DISK_FULL" => StatusCode::INSUFFICIENT_STORAGE,
                "UPLOAD_RUNNING" => StatusCode::CONFLICT,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            answer(status, first.code, &first.message)
        }
    }
}

fn not_found() -> Response {
    answer(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such image.")
}

fn fault(id: &uuid::Uuid) -> Response {
    let message = format!("Something went wrong on our side; its id is {id}.");
    answer(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", &message)
}

pub(crate) fn answer(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "code": code, "message": message }))).into_response()
}
