//! TFTP packets: RFC 1350, options of RFC 2347, 2348 (blksize), 2349 (timeout, tsize) and 7440
//! (windowsize).
//!
//! Parsing allocates nothing and accepts what real firmware sends: any case, unknown options,
//! padding behind the last option.

mod options;

pub use options::{Asked, Granted};

/// Opcode and block number in front of every block.
pub const DATA_HEAD_BYTES: usize = 4;

/// Longest request that is read; RFC 2347 §4 allows 512 bytes.
pub const REQUEST_BYTES_MAX: usize = 1024;

/// One packet, borrowing from the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    ReadRequest(Request<'a>),
    WriteRequest(Request<'a>),
    Data { block: u16, payload: &'a [u8] },
    Ack { block: u16 },
    Error { code: u16, message: &'a [u8] },
    OptionAck(Asked),
}

/// A read or write request, its options already understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// As written by the client: see [`Name::clean`](crate::name::Name::clean).
    pub name: &'a [u8],
    pub mode: Mode,
    pub asked: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Octet,
    Netascii,
    /// `mail` or something never specified.
    Other,
}

/// Why a datagram is no TFTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    Truncated,
    UnknownOpcode(u16),
    /// A request without a terminated name and mode.
    RequestUnterminated,
    RequestTooLong,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("the packet is shorter than its fixed part"),
            Self::UnknownOpcode(opcode) => write!(f, "opcode {opcode} is not in 1..=6"),
            Self::RequestUnterminated => f.write_str("the request's name or mode has no end"),
            Self::RequestTooLong => write!(f, "the request is over {REQUEST_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for ParseError {}

/// Error codes of RFC 1350 §5 and RFC 2347 that a server sends or hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum ErrorCode {
    Undefined = 0,
    NotFound = 1,
    AccessViolation = 2,
    IllegalOperation = 4,
    UnknownTransfer = 5,
    /// A client that asked for the size only says so with this: not a failure.
    OptionsRefused = 8,
}

/// Reads one datagram.
///
/// # Errors
/// [`ParseError`] says what is wrong; options that make no sense are not errors but ignored.
pub fn parse(datagram: &[u8]) -> Result<Packet<'_>, ParseError> {
    let (opcode, rest) = take_u16(datagram)?;
    match opcode {
        1 => Ok(Packet::ReadRequest(parse_request(rest)?)),
        2 => Ok(Packet::WriteRequest(parse_request(rest)?)),
        3 => take_u16(rest).map(|(block, payload)| Packet::Data { block, payload }),
        4 => take_u16(rest).map(|(block, _)| Packet::Ack { block }),
        5 => {
            let (code, rest) = take_u16(rest)?;
            let message = rest.split(|byte| *byte == 0).next().unwrap_or_default();
            Ok(Packet::Error { code, message })
        }
        6 => Ok(Packet::OptionAck(Asked::parse(rest))),
        other => Err(ParseError::UnknownOpcode(other)),
    }
}

/// Appends the four bytes that go before a block's data.
pub fn push_data_head(out: &mut Vec<u8>, block: u16) {
    out.extend_from_slice(&3_u16.to_be_bytes());
    out.extend_from_slice(&block.to_be_bytes());
}

pub fn push_ack(out: &mut Vec<u8>, block: u16) {
    out.extend_from_slice(&4_u16.to_be_bytes());
    out.extend_from_slice(&block.to_be_bytes());
}

pub fn push_error(out: &mut Vec<u8>, code: ErrorCode, message: &str) {
    out.extend_from_slice(&5_u16.to_be_bytes());
    out.extend_from_slice(&(code as u16).to_be_bytes());
    out.extend_from_slice(message.as_bytes());
    out.push(0);
}

/// Appends a request as a client sends it.
pub fn push_read_request(out: &mut Vec<u8>, name: &str, asked: &Granted) {
    out.extend_from_slice(&1_u16.to_be_bytes());
    for text in [name, "octet"] {
        out.extend_from_slice(text.as_bytes());
        out.push(0);
    }
    asked.push_options(out);
}

/// Appends an OACK: the granted options only, no padding (some switches choke on it).
pub fn push_option_ack(out: &mut Vec<u8>, granted: &Granted) {
    out.extend_from_slice(&6_u16.to_be_bytes());
    granted.push_options(out);
}

fn take_u16(bytes: &[u8]) -> Result<(u16, &[u8]), ParseError> {
    match bytes {
        [high, low, rest @ ..] => Ok((u16::from_be_bytes([*high, *low]), rest)),
        _ => Err(ParseError::Truncated),
    }
}

fn parse_request(rest: &[u8]) -> Result<Request<'_>, ParseError> {
    if REQUEST_BYTES_MAX < rest.len() {
        return Err(ParseError::RequestTooLong);
    }
    let (name, rest) = take_text(rest).ok_or(ParseError::RequestUnterminated)?;
    let (mode, rest) = take_text(rest).ok_or(ParseError::RequestUnterminated)?;
    let mode = match mode {
        text if text.eq_ignore_ascii_case(b"octet") => Mode::Octet,
        text if text.eq_ignore_ascii_case(b"netascii") => Mode::Netascii,
        _ => Mode::Other,
    };
    Ok(Request { name, mode, asked: Asked::parse(rest) })
}

/// Splits off a text that a NUL ends.
fn take_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

#[cfg(test)]
mod tests;
