//! From a request to the bytes of its response.

use std::net::IpAddr;

use bytes::Bytes;
use ironherd_wire::http::{
    Connection, ContentRange, Method, Request, ResponseHead, Status, Verdict, Wanted, wanted,
};

use super::routes::{Found, find};
use super::{Context, SMALL_BYTES_MAX};
use crate::{BootStage, DropReason, Event, FileRef, Link, Now};

/// Seconds after which a file on its way is worth asking for again.
const RETRY_AFTER_SECONDS: u32 = 2;

/// A response as it is sent: `head`, then `body` as a slice of the file itself.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) head: Bytes,
    pub(super) body: Bytes,
    /// The connection closes behind it.
    pub(super) last: bool,
    pub(super) event: Option<Event>,
    /// Why the connection ends with this response, if it is the request's fault.
    pub(super) refused: Option<DropReason>,
    /// How much of a file's content goes out, and from where; `None` if nothing does.
    content: Option<(u64, u64)>,
}

impl Response {
    /// A client that resumes or seeks has told the region of its start already.
    fn starts_file(&self) -> bool {
        matches!(self.content, Some((0, _)))
    }
}

/// What a response needs beside its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) method: Method,
    pub(super) connection: Connection,
    pub(super) now: Now,
}

impl Manner {
    /// For bytes that are no request: there is nothing more to be understood.
    pub(super) fn broken(now: Now) -> Self {
        Self { method: Method::Get, connection: Connection::Close, now }
    }

    pub(super) fn of(request: &Request<'_>, now: Now) -> Self {
        // A body would be taken for the next request.
        let stays = request.keep_alive && !request.has_body;
        let connection = match (stays, request.old) {
            (true, true) => Connection::KeepAlive,
            (true, false) => Connection::Stays,
            (false, _) => Connection::Close,
        };
        Self { method: request.method, connection, now }
    }

    fn head(self, status: Status) -> ResponseHead<'static> {
        ResponseHead {
            status,
            content_bytes: 0,
            content_type: None,
            tag: None,
            content_range: None,
            no_store: false,
            retry_after_seconds: None,
            connection: self.connection,
            unix_seconds: self.now.wall.0,
        }
    }

    fn finish(self, head: &ResponseHead<'_>, body: Bytes) -> Response {
        let body = if self.method == Method::Head { Bytes::new() } else { body };
        let mut bytes = Vec::with_capacity(384 + body.len().min(SMALL_BYTES_MAX));
        head.push(&mut bytes);
        // A small body rides in the head's segment instead of costing a send of its own.
        let body = if body.len() <= SMALL_BYTES_MAX {
            bytes.extend_from_slice(&body);
            Bytes::new()
        } else {
            body
        };
        let last = self.connection == Connection::Close;
        Response { head: bytes.into(), body, last, event: None, refused: None, content: None }
    }

    /// A refusal, with a line for whoever looks at it with curl.
    pub(super) fn refuse(self, status: Status, text: &'static str) -> Response {
        let content_type = Some("text/plain");
        let content_bytes = text.len() as u64;
        let retry_after_seconds = (status == Status::Unavailable).then_some(RETRY_AFTER_SECONDS);
        let no_store = true;
        let head = ResponseHead {
            content_bytes,
            content_type,
            no_store,
            retry_after_seconds,
            ..self.head(status)
        };
        self.finish(&head, Bytes::from_static(text.as_bytes()))
    }

    /// A refusal that ends the connection and is counted.
    fn end(self, status: Status, text: &'static str, reason: DropReason) -> Response {
        let manner = Self { connection: Connection::Close, ..self };
        Response { refused: Some(reason), ..manner.refuse(status, text) }
    }
}

pub(super) fn answer(
    context: &mut Context<'_>,
    link: &Link,
    peer: IpAddr,
    request: &Request<'_>,
    now: Now,
) -> Response {
    let manner = Manner::of(request, now);
    let body_refused = request.has_body.then_some(DropReason::HttpBodyRefused);
    if request.method == Method::Other {
        let text = "only GET and HEAD are served\n";
        let refusal = manner.refuse(Status::MethodNotAllowed, text);
        return Response { refused: body_refused, ..refusal };
    }
    if let Some(reason) = body_refused {
        return manner.end(Status::BadRequest, "a request here has no body\n", reason);
    }
    let name = request.name();
    let Some(name) = name.as_ref().map(|it| it.as_str()) else {
        return manner.refuse(Status::NotFound, "no file can have this name\n");
    };
    match find(context, link, peer, name) {
        Found::File { file, content_type } => {
            let response = answer_file(manner, request, &file, content_type);
            let event = response.starts_file().then(|| file_event(peer, name, &response));
            Response { event, ..response }
        }
        Found::Script { body, event } => {
            let head = ResponseHead {
                content_bytes: body.len() as u64,
                content_type: Some("text/plain"),
                no_store: true,
                ..manner.head(Status::Ok)
            };
            let event = (request.method == Method::Get).then_some(event);
            Response { event, ..manner.finish(&head, body) }
        }
        Found::NotHolder => {
            let text = "this script is for another machine than yours\n";
            manner.end(Status::Forbidden, text, DropReason::HttpNotHolder)
        }
        Found::Arriving => {
            manner.refuse(Status::Unavailable, "the file is on its way to this rack: ask again\n")
        }
        Found::Missing => manner.refuse(Status::NotFound, "no such file\n"),
    }
}

fn answer_file(
    manner: Manner,
    request: &Request<'_>,
    file: &FileRef,
    content_type: &'static str,
) -> Response {
    let len = file.bytes.len() as u64;
    let whole = ResponseHead {
        content_bytes: len,
        content_type: Some(content_type),
        tag: Some(&file.sha256),
        ..manner.head(Status::Ok)
    };
    let may_range = match request.conditions.judge(&file.sha256) {
        Verdict::Failed => {
            return manner.refuse(Status::PreconditionFailed, "the file has changed\n");
        }
        Verdict::NotModified => {
            let head = ResponseHead { status: Status::NotModified, ..whole };
            return manner.finish(&head, Bytes::new());
        }
        // A range means something for GET only (RFC 9110 §14.2).
        Verdict::Go { range } => range && request.method == Method::Get,
    };
    let range = request.range.filter(|_| may_range);
    let (head, start, end) = match range.map_or(Wanted::Whole, |header| wanted(header, len)) {
        Wanted::Whole => (whole, 0, len),
        Wanted::Part { start, end } => {
            let status = Status::PartialContent;
            let content_range = Some(ContentRange::Part { start, end, len });
            let content_bytes = end - start;
            (ResponseHead { status, content_range, content_bytes, ..whole }, start, end)
        }
        Wanted::Nothing => {
            let status = Status::RangeNotSatisfiable;
            let content_range = Some(ContentRange::Outside { len });
            let head = ResponseHead { status, content_range, content_bytes: 0, ..whole };
            return manner.finish(&head, Bytes::new());
        }
    };
    // Both ends are at most the length of bytes in memory.
    let place = |at: u64| usize::try_from(at).unwrap_or(file.bytes.len());
    let response = manner.finish(&head, file.bytes.slice(place(start)..place(end)));
    let content = (request.method == Method::Get).then_some((start, end - start));
    Response { content, ..response }
}

fn file_event(peer: IpAddr, name: &str, response: &Response) -> Event {
    let bytes = response.content.map_or(0, |(_, bytes)| bytes);
    let (address, stage) = (peer.to_canonical(), BootStage::Http);
    Event::BootByAddress { address, stage, detail: format!("{name}, {bytes} bytes") }
}
