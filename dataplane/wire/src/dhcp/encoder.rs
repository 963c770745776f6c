use std::net::Ipv4Addr;

use super::message::{OVERLOAD_FILE, OVERLOAD_SNAME};
use super::value::Value;
use super::{COOKIE, FIXED_BYTES, MESSAGE_BYTES_MIN, Message, code, field};

/// The longest value of one option; more is split (RFC 3396).
const PIECE_BYTES_MAX: usize = 255;

/// The fixed fields of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 1 from a client, 2 from a server.
    pub op: u8,
    pub hardware_type: u8,
    pub hardware_len: u8,
    pub hops: u8,
    pub xid: u32,
    pub secs: u16,
    pub flags: u16,
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub siaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub chaddr: [u8; 16],
}

impl Header {
    /// The header of a client's message from an Ethernet card.
    #[must_use]
    pub fn request(mac: [u8; 6], xid: u32) -> Self {
        let mut chaddr = [0; 16];
        chaddr[..6].copy_from_slice(&mac);
        Self {
            op: 1,
            hardware_type: 1,
            hardware_len: 6,
            hops: 0,
            xid,
            secs: 0,
            flags: 0,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr,
        }
    }

    /// The header that answers `request`, without addresses of its own (RFC 2131 §4.3.1, table 3).
    #[must_use]
    pub fn reply_to(request: &Message<'_>) -> Self {
        Self {
            op: 2,
            hardware_type: request.hardware_type(),
            hardware_len: request.hardware_len(),
            hops: 0,
            xid: request.xid(),
            secs: 0,
            flags: request.flags(),
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: request.giaddr(),
            chaddr: request.chaddr(),
        }
    }
}

/// Appends one message to a buffer. What does not fit is left out whole; see [`Encoder::option`].
#[derive(Debug)]
pub struct Encoder<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
    bytes_max: usize,
    held_back: usize, // Bytes kept free for options that must come late.
    spill: Option<Spill>,
}

/// How far `file` and `sname` hold options (RFC 2132 §9.3), in the order in which they are read.
#[derive(Debug, Default)]
struct Spill {
    file: Option<usize>, // `None`: it holds the name of a file.
    sname: usize,
}

/// What option 52 takes.
const OVERLOAD_BYTES: usize = 3;

impl<'b> Encoder<'b> {
    /// Starts a message of at most `bytes_max` bytes behind what `out` already holds.
    pub fn new(out: &'b mut Vec<u8>, header: &Header, bytes_max: usize) -> Self {
        let start = out.len();
        out.resize(start + FIXED_BYTES, 0);
        let fixed = &mut out[start..];
        fixed[field::OP] = header.op;
        fixed[field::HTYPE] = header.hardware_type;
        fixed[field::HLEN] = header.hardware_len;
        fixed[field::HOPS] = header.hops;
        let mut put = |at: usize, bytes: &[u8]| fixed[at..at + bytes.len()].copy_from_slice(bytes);
        put(field::XID, &header.xid.to_be_bytes());
        put(field::SECS, &header.secs.to_be_bytes());
        put(field::FLAGS, &header.flags.to_be_bytes());
        put(field::CIADDR, &header.ciaddr.octets());
        put(field::YIADDR, &header.yiaddr.octets());
        put(field::SIADDR, &header.siaddr.octets());
        put(field::GIADDR, &header.giaddr.octets());
        put(field::CHADDR, &header.chaddr);
        put(field::COOKIE.start, &COOKIE);
        Self { out, start, bytes_max: bytes_max.max(MESSAGE_BYTES_MIN), held_back: 0, spill: None }
    }

    /// Writes the `file` field with its NUL; says whether it fits.
    pub fn file(&mut self, name: &[u8]) -> bool {
        let at = self.start + field::FILE.start..self.start + field::FILE.end;
        match self.out[at].get_mut(..=name.len()) {
            Some(room) if self.spill.as_ref().is_none_or(|it| it.file == Some(0)) => {
                room[..name.len()].copy_from_slice(name);
                room[name.len()] = 0;
                if let Some(spill) = &mut self.spill {
                    spill.file = None;
                }
                true
            }
            _ => false,
        }
    }

    /// Keeps room for options that shall be written later with [`Self::option_held_back`].
    pub fn hold_back(&mut self, bytes: usize) {
        self.held_back += bytes;
    }

    /// Lets options that do not fit among the others go into `file` and `sname` instead, as far as
    /// those are free. Ends with [`Self::end_overload`].
    pub fn allow_overload(&mut self) {
        self.spill = Some(Spill { file: Some(0), sname: 0 });
        self.hold_back(OVERLOAD_BYTES);
    }

    /// Says which of the two fields hold options, if any do. From here on nothing else goes there.
    pub fn end_overload(&mut self) {
        let Some(spill) = self.spill.take() else { return };
        let file = spill.file.is_some_and(|it| it != 0);
        let of = |is_used, field| if is_used { field } else { 0 };
        let fields = of(file, OVERLOAD_FILE) | of(spill.sname != 0, OVERLOAD_SNAME);
        self.held_back = self.held_back.saturating_sub(OVERLOAD_BYTES);
        if fields != 0 {
            self.option(code::OVERLOAD, &[fields]);
        }
    }

    /// Puts an option into `file` or `sname`, and an End behind it.
    fn spill(&mut self, code: u8, value: &[u8]) -> bool {
        let Some(spill) = &mut self.spill else { return false };
        let areas = [(field::FILE, spill.file.as_mut()), (field::SNAME, Some(&mut spill.sname))];
        for (area, used) in areas {
            let Some(used) = used else { continue };
            let end = *used + 2 + value.len();
            // None of the two is as long as one piece may be.
            let (true, Ok(len)) = (end < area.len(), u8::try_from(value.len())) else { continue };
            let at = self.start + area.start;
            let room = &mut self.out[at + *used..=at + end];
            room[..2].copy_from_slice(&[code, len]);
            room[2..2 + value.len()].copy_from_slice(value);
            room[2 + value.len()] = code::END;
            *used = end;
            return true;
        }
        false
    }

    /// What an option with a value of `len` bytes takes, heads of split pieces included.
    #[must_use]
    pub const fn option_bytes(len: usize) -> usize {
        let pieces = if len == 0 { 1 } else { len.div_ceil(PIECE_BYTES_MAX) };
        len + 2 * pieces
    }

    /// Appends an option, split as often as its length needs. `false`: it does not fit and is
    /// left out.
    pub fn option(&mut self, code: u8, value: &[u8]) -> bool {
        if self.room() < Self::option_bytes(value.len()) {
            return self.spill(code, value);
        }
        self.push_head(code, value.len());
        let (first, rest) = value.split_at(value.len().min(PIECE_BYTES_MAX));
        self.out.extend_from_slice(first);
        for piece in rest.chunks(PIECE_BYTES_MAX) {
            self.push_head(code, piece.len());
            self.out.extend_from_slice(piece);
        }
        true
    }

    /// Like [`Self::option`], but out of the room that was held back.
    pub fn option_held_back(&mut self, code: u8, value: &[u8]) -> bool {
        self.held_back = self.held_back.saturating_sub(Self::option_bytes(value.len()));
        self.option(code, value)
    }

    /// Echoes an option of a request as it came.
    pub fn echo_held_back(&mut self, code: u8, value: &Value<'_, '_>) -> bool {
        let held_back = value.echo_bytes();
        self.held_back = self.held_back.saturating_sub(held_back);
        if self.room() < held_back {
            return false;
        }
        for piece in value.pieces() {
            self.push_head(code, piece.len());
            self.out.extend_from_slice(piece);
        }
        true
    }

    pub fn address(&mut self, code: u8, address: Ipv4Addr) -> bool {
        self.option(code, &address.octets())
    }

    pub fn seconds(&mut self, code: u8, seconds: u32) -> bool {
        self.option(code, &seconds.to_be_bytes())
    }

    /// Ends the options and pads to the shortest message that every relay passes on.
    pub fn finish(mut self) {
        self.end_overload();
        self.out.push(code::END);
        let len_min = self.start + MESSAGE_BYTES_MIN;
        if self.out.len() < len_min {
            self.out.resize(len_min, code::PAD);
        }
    }

    /// Bytes left, with one kept for End.
    fn room(&self) -> usize {
        let used = self.out.len() - self.start + self.held_back + 1;
        self.bytes_max.saturating_sub(used)
    }

    fn push_head(&mut self, code: u8, len: usize) {
        let len = u8::try_from(len.min(PIECE_BYTES_MAX)).unwrap_or(u8::MAX);
        self.out.extend_from_slice(&[code, len]);
    }
}
