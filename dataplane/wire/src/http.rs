//! The part of HTTP/1.1 that boot firmware, iPXE, GRUB and our agent speak: GET and HEAD of whole
//! files and single ranges (RFC 9110, RFC 9112). HTTP/1.0 clients are understood too.

mod conditions;
mod date;
mod range;
mod response;

pub use conditions::{Conditions, Verdict};
pub use range::{Wanted, wanted};
pub use response::{Connection, ContentRange, ResponseHead, Status};

use crate::name::Name;

/// Longest request head that is read.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
const HEADERS_MAX: usize = 64;
/// Longest path that is decoded; no name of ours comes near.
const PATH_BYTES_MAX: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Other,
}

/// One request head, borrowing from the connection's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub method: Method,
    /// As written: see [`Request::name`].
    pub target: &'a str,
    /// Whether the client expects to send more requests on this connection.
    pub keep_alive: bool,
    /// HTTP/1.0: a connection that stays must be announced.
    pub old: bool,
    /// Whether a body follows. Nothing here takes one.
    pub has_body: bool,
    pub range: Option<&'a [u8]>,
    pub conditions: Conditions<'a>,
    /// How much of the input the head takes.
    pub head_bytes: usize,
}

/// Why bytes are no request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    Malformed,
    /// Over [`HEAD_BYTES_MAX`], or too many header lines.
    TooLarge,
}

impl std::fmt::Display for HeadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed => f.write_str("the bytes are no HTTP/1 request"),
            Self::TooLarge => write!(f, "the request head is over {HEAD_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for HeadError {}

/// Reads the head at the start of `input`; `None` if it is not whole yet.
///
/// What it says depends on the bytes alone, not on how they came: only whole lines are looked at.
///
/// # Errors
/// [`HeadError`]; there is no telling where the next request starts then.
pub fn parse_request(input: &[u8]) -> Result<Option<Request<'_>>, HeadError> {
    let head = input.get(..HEAD_BYTES_MAX).unwrap_or(input);
    let lines = head.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head.get(..lines).unwrap_or_default()) {
        Ok(httparse::Status::Complete(head_bytes)) => Request::new(&parsed, head_bytes).map(Some),
        Ok(httparse::Status::Partial) if HEAD_BYTES_MAX < input.len() => Err(HeadError::TooLarge),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(HeadError::TooLarge),
        Err(_) => Err(HeadError::Malformed),
    }
}

impl<'a> Request<'a> {
    fn new(parsed: &httparse::Request<'_, 'a>, head_bytes: usize) -> Result<Self, HeadError> {
        let old = parsed.version == Some(0);
        let mut request = Self {
            method: match parsed.method {
                Some("GET") => Method::Get,
                Some("HEAD") => Method::Head,
                _ => Method::Other,
            },
            target: parsed.path.unwrap_or_default(),
            keep_alive: !old,
            old,
            has_body: false,
            range: None,
            conditions: Conditions::default(),
            head_bytes,
        };
        let mut hosts = 0;
        for header in parsed.headers.iter() {
            hosts += u8::from(header.name.eq_ignore_ascii_case("host")).min(u8::MAX - hosts);
            request.accept(header.name, header.value)?;
        }
        // RFC 9112 §3.2: HTTP/1.1 names the host exactly once.
        let host_fits = hosts == 1 || (old && hosts == 0);
        if host_fits { Ok(request) } else { Err(HeadError::Malformed) }
    }

    fn accept(&mut self, name: &str, value: &'a [u8]) -> Result<(), HeadError> {
        let is = |header: &str| name.eq_ignore_ascii_case(header);
        if is("connection") {
            for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if option.eq_ignore_ascii_case(b"close") {
                    self.keep_alive = false;
                } else if option.eq_ignore_ascii_case(b"keep-alive") && self.old {
                    self.keep_alive = true;
                }
            }
        } else if is("content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|it| it.trim().parse().ok());
            let length: u64 = length.ok_or(HeadError::Malformed)?;
            self.has_body |= length != 0;
        } else if is("transfer-encoding") {
            self.has_body = true;
        } else if is("range") {
            self.range = self.range.or(Some(value));
        } else {
            self.conditions.accept(name, value);
        }
        Ok(())
    }

    /// The name that the target asks for, decoded and cleaned; `None` if it can be none of ours.
    #[must_use]
    pub fn name(&self) -> Option<Name> {
        let path = path_of(self.target).as_bytes();
        let mut decoded = [0; PATH_BYTES_MAX];
        let mut len = 0;
        let mut rest = path;
        while let Some((byte, after)) = decode_one(rest) {
            *decoded.get_mut(len)? = byte;
            len += 1;
            rest = after;
        }
        if rest.is_empty() { Name::clean(decoded.get(..len)?) } else { None }
    }
}

/// The path of `/a/b?query` or of `http://host/a/b?query`.
fn path_of(target: &str) -> &str {
    let rest = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        _ => target,
    };
    rest.split(['?', '#']).next().unwrap_or_default()
}

/// Takes one byte off a percent-encoded text; `None` at its end or at a broken escape.
fn decode_one(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
    match text {
        [b'%', high, low, rest @ ..] => Some((digit(*high)? << 4 | digit(*low)?, rest)),
        [b'%', ..] | [] => None,
        [byte, rest @ ..] => Some((*byte, rest)),
    }
}

#[cfg(test)]
mod tests;
