use std::io::Write as _;

use super::date::push_date;

/// The statuses that boot files and images are answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Status {
    Ok = 200,
    PartialContent = 206,
    NotModified = 304,
    BadRequest = 400,
    Forbidden = 403,
    NotFound = 404,
    MethodNotAllowed = 405,
    PreconditionFailed = 412,
    RangeNotSatisfiable = 416,
    HeadTooLarge = 431,
    Unavailable = 503,
}

impl Status {
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::PartialContent => "Partial Content",
            Self::NotModified => "Not Modified",
            Self::BadRequest => "Bad Request",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::PreconditionFailed => "Precondition Failed",
            Self::RangeNotSatisfiable => "Range Not Satisfiable",
            Self::HeadTooLarge => "Request Header Fields Too Large",
            Self::Unavailable => "Service Unavailable",
        }
    }
}

/// The `Content-Range` of a 206 or a 416.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// `start..end` of `len` bytes; the end is not part of it.
    Part { start: u64, end: u64, len: u64 },
    /// Nothing of `len` bytes.
    Outside { len: u64 },
}

/// Everything a response head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHead<'a> {
    pub status: Status,
    /// Bytes of the body; for HEAD and 304, of the body that a GET would have.
    pub content_bytes: u64,
    pub content_type: Option<&'a str>,
    /// A strong entity tag without its quotes; it comes with `Accept-Ranges`.
    pub tag: Option<&'a str>,
    pub content_range: Option<ContentRange>,
    /// The content is made for one client and one moment.
    pub no_store: bool,
    pub retry_after_seconds: Option<u32>,
    pub connection: Connection,
    pub unix_seconds: u64,
}

/// What the response says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// HTTP/1.1: it stays, and nothing needs saying.
    Stays,
    /// HTTP/1.0: it stays because the client asked so.
    KeepAlive,
    Close,
}

impl ResponseHead<'_> {
    /// Appends the head with its empty line.
    ///
    /// Header names have their canonical case and one space: GRUB compares them so. There is
    /// always a `Content-Length`: EDK2 buffers anything else in small pieces.
    pub fn push(&self, out: &mut Vec<u8>) {
        // Writing to a `Vec` cannot fail.
        let _ = write!(out, "HTTP/1.1 {} {}\r\n", self.status as u16, self.status.reason());
        out.extend_from_slice(b"Date: ");
        push_date(out, self.unix_seconds);
        let _ = write!(out, "\r\nContent-Length: {}\r\n", self.content_bytes);
        if let Some(kind) = self.content_type {
            let _ = write!(out, "Content-Type: {kind}\r\n");
        }
        if let Some(tag) = self.tag {
            let _ = write!(out, "ETag: \"{tag}\"\r\nAccept-Ranges: bytes\r\n");
        }
        match self.content_range {
            Some(ContentRange::Part { start, end, len }) => {
                let last = end.saturating_sub(1);
                let _ = write!(out, "Content-Range: bytes {start}-{last}/{len}\r\n");
            }
            Some(ContentRange::Outside { len }) => {
                let _ = write!(out, "Content-Range: bytes */{len}\r\n");
            }
            None => {}
        }
        if self.no_store {
            out.extend_from_slice(b"Cache-Control: no-store\r\n");
        }
        if self.status == Status::MethodNotAllowed {
            out.extend_from_slice(b"Allow: GET, HEAD\r\n");
        }
        if let Some(seconds) = self.retry_after_seconds {
            let _ = write!(out, "Retry-After: {seconds}\r\n");
        }
        out.extend_from_slice(match self.connection {
            Connection::Stays => b"\r\n".as_slice(),
            Connection::KeepAlive => b"Connection: keep-alive\r\n\r\n",
            Connection::Close => b"Connection: close\r\n\r\n",
        });
    }
}
