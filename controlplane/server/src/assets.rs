//! Files that are part of the program: the console and GraphiQL.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// One embedded file.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    etag: OnceLock<String>,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! asset {
    ($name:literal, $content_type:expr, $path:literal) => {
        Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!($path),
            etag: OnceLock::new(),
        }
    };
}

static CONSOLE: [Asset; 3] = [
    asset!("index.html", HTML, "../../console/dist/index.html"),
    asset!("app.js", SCRIPT, "../../console/dist/app.js"),
    asset!("style.css", STYLE, "../../console/dist/style.css"),
];

static GRAPHIQL: [Asset; 7] = [
    asset!("index.html", HTML, "../assets/graphiql/index.html"),
    asset!("start.js", SCRIPT, "../assets/graphiql/start.js"),
    asset!("start.css", STYLE, "../assets/graphiql/start.css"),
    asset!("graphiql.min.js", SCRIPT, "../assets/graphiql/graphiql.min.js"),
    asset!("graphiql.min.css", STYLE, "../assets/graphiql/graphiql.min.css"),
    asset!("react.production.min.js", SCRIPT, "../assets/graphiql/react.production.min.js"),
    asset!("react-dom.production.min.js", SCRIPT, "../assets/graphiql/react-dom.production.min.js"),
];

/// Only our own files, and no page of anyone else around ours.
const CONSOLE_POLICY: &str =
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";
/// GraphiQL's editor writes style elements, and its font comes as data.
const GRAPHIQL_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    font-src 'self' data:; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

pub(crate) async fn console_index(headers: HeaderMap) -> Response {
    serve(&CONSOLE, CONSOLE_POLICY, "index.html", &headers)
}

pub(crate) async fn console_file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&CONSOLE, CONSOLE_POLICY, &name, &headers)
}

pub(crate) async fn graphiql_index(headers: HeaderMap) -> Response {
    serve(&GRAPHIQL, GRAPHIQL_POLICY, "index.html", &headers)
}

pub(crate) async fn graphiql_file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&GRAPHIQL, GRAPHIQL_POLICY, &name, &headers)
}

fn serve(
    files: &'static [Asset],
    policy: &'static str,
    name: &str,
    headers: &HeaderMap,
) -> Response {
    let Some(file) = files.iter().find(|file| file.name == name) else {
        return (StatusCode::NOT_FOUND, "There is no such page.\n").into_response();
    };
    let etag = file.etag.get_or_init(|| format!("\"{:x}\"", sum(file.bytes)));
    let known =
        headers.get(header::IF_NONE_MATCH).is_some_and(|it| it.as_bytes() == etag.as_bytes());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { file.bytes.into_response() };
    let out = response.headers_mut();
    let text = |text: &'static str| HeaderValue::from_static(text);
    out.insert(header::CONTENT_TYPE, text(file.content_type));
    // Ask every time, fetch only what changed: names carry no version.
    out.insert(header::CACHE_CONTROL, text("no-cache"));
    out.insert(header::CONTENT_SECURITY_POLICY, text(policy));
    out.insert(header::X_CONTENT_TYPE_OPTIONS, text("nosniff"));
    out.insert(header::REFERRER_POLICY, text("no-referrer"));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        out.insert(header::ETAG, etag);
    }
    response
}

/// FNV-1a: enough to tell two builds of one file apart.
fn sum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
