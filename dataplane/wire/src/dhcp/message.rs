use std::net::Ipv4Addr;

use super::options::Walk;
use super::value::{Value, sub_option};
use super::{COOKIE, FIXED_BYTES, MESSAGE_BYTES_DEFAULT, MESSAGE_BYTES_MAX, code, field};
use crate::error::DhcpError;

pub(super) const OVERLOAD_FILE: u8 = 1;
pub(super) const OVERLOAD_SNAME: u8 = 2;
const BROADCAST_FLAG: u16 = 0x8000;

/// What a message is for (option 53).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,
    Inform = 8,
}

impl MessageType {
    #[must_use]
    pub const fn from_wire(wire: u8) -> Option<Self> {
        Some(match wire {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            _ => return None,
        })
    }
}

/// A view of one message. Parsing reads each option's head once and copies nothing.
///
/// An option whose value has the wrong form counts as absent: firmware sends garbage beside what
/// matters, and one bad option must not hide the good ones.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],      // Invariant: at least FIXED_BYTES long.
    first: [u16; 256],    // Where each option's first value starts; 0 = absent.
    first_len: [u8; 256], // How long that value is.
    split: [u64; 4],      // Bit set of the options that come in more than one piece.
    overload: u8,
}

impl<'a> Message<'a> {
    /// Reads the fixed part and finds the options.
    ///
    /// # Errors
    /// [`DhcpError`] if the fixed part is not whole or is no DHCP.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DhcpError> {
        if bytes.len() < FIXED_BYTES {
            return Err(DhcpError::Truncated);
        }
        // Offsets are kept in 16 bits; no UDP datagram is longer.
        let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX))];
        if bytes[field::COOKIE] != COOKIE {
            return Err(DhcpError::Cookie);
        }
        let mut message =
            Self { bytes, first: [0; 256], first_len: [0; 256], split: [0; 4], overload: 0 };
        message.find_options(FIXED_BYTES, &bytes[FIXED_BYTES..]);
        if let Some([overload]) = message.option(code::OVERLOAD).and_then(|it| it.array()) {
            message.overload = overload;
        }
        if message.overload & OVERLOAD_FILE != 0 {
            message.find_options(field::FILE.start, &bytes[field::FILE]);
        }
        if message.overload & OVERLOAD_SNAME != 0 {
            message.find_options(field::SNAME.start, &bytes[field::SNAME]);
        }
        Ok(message)
    }

    fn find_options(&mut self, area_start: usize, area: &[u8]) {
        for piece in Walk::new(area) {
            let code = usize::from(piece.code);
            if self.first[code] != 0 {
                self.split[code / 64] |= 1 << (code % 64);
                continue;
            }
            // Both fit: `bytes` is cut to 16 bits of length, and a length is one byte.
            self.first[code] = u16::try_from(area_start + piece.at).unwrap_or(0);
            self.first_len[code] = u8::try_from(piece.value.len()).unwrap_or(0);
        }
    }

    /// One option, joined from all its pieces.
    #[must_use]
    pub fn option(&self, code: u8) -> Option<Value<'_, 'a>> {
        let at = usize::from(code);
        let start = usize::from(self.first[at]);
        if start == 0 {
            return None;
        }
        let first = self.bytes.get(start..start + usize::from(self.first_len[at]))?;
        let split = self.split[at / 64] & (1 << (at % 64)) != 0;
        Some(Value { message: self, code, first, split })
    }

    pub(crate) fn pieces(&self, code: u8) -> impl Iterator<Item = &'a [u8]> {
        let file = (self.overload & OVERLOAD_FILE != 0).then(|| &self.bytes[field::FILE]);
        let sname = (self.overload & OVERLOAD_SNAME != 0).then(|| &self.bytes[field::SNAME]);
        let areas = [Some(&self.bytes[FIXED_BYTES..]), file, sname];
        let pieces = areas.into_iter().flatten().flat_map(Walk::new);
        pieces.filter(move |piece| piece.code == code).map(|piece| piece.value)
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[at..at + N]);
        array
    }

    #[must_use]
    pub fn is_request(&self) -> bool {
        self.bytes[field::OP] == 1
    }

    #[must_use]
    pub fn is_reply(&self) -> bool {
        self.bytes[field::OP] == 2
    }

    #[must_use]
    pub fn hardware_type(&self) -> u8 {
        self.bytes[field::HTYPE]
    }

    /// As claimed: anything up to 255. `chaddr` has 16 bytes whatever this says.
    #[must_use]
    pub fn hardware_len(&self) -> u8 {
        self.bytes[field::HLEN]
    }

    #[must_use]
    pub fn hops(&self) -> u8 {
        self.bytes[field::HOPS]
    }

    #[must_use]
    pub fn xid(&self) -> u32 {
        u32::from_be_bytes(self.array(field::XID))
    }

    #[must_use]
    pub fn secs(&self) -> u16 {
        u16::from_be_bytes(self.array(field::SECS))
    }

    #[must_use]
    pub fn flags(&self) -> u16 {
        u16::from_be_bytes(self.array(field::FLAGS))
    }

    #[must_use]
    pub fn wants_broadcast(&self) -> bool {
        self.flags() & BROADCAST_FLAG != 0
    }

    #[must_use]
    pub fn ciaddr(&self) -> Ipv4Addr {
        self.array::<4>(field::CIADDR).into()
    }

    #[must_use]
    pub fn yiaddr(&self) -> Ipv4Addr {
        self.array::<4>(field::YIADDR).into()
    }

    #[must_use]
    pub fn siaddr(&self) -> Ipv4Addr {
        self.array::<4>(field::SIADDR).into()
    }

    #[must_use]
    pub fn giaddr(&self) -> Ipv4Addr {
        self.array::<4>(field::GIADDR).into()
    }

    #[must_use]
    pub fn chaddr(&self) -> [u8; 16] {
        self.array(field::CHADDR)
    }

    /// The Ethernet address of the client's card; `None` for other hardware, for none at all and
    /// for a group address, which names no single card.
    #[must_use]
    pub fn ethernet(&self) -> Option<[u8; 6]> {
        let mac: [u8; 6] = self.array(field::CHADDR);
        let one_card = mac != [0; 6] && mac[0] & 1 == 0;
        (self.hardware_type() == 1 && self.hardware_len() == 6 && one_card).then_some(mac)
    }

    /// The `file` field up to its NUL; empty while it carries options.
    #[must_use]
    pub fn file(&self) -> &'a [u8] {
        self.text_field(field::FILE, OVERLOAD_FILE)
    }

    /// The `sname` field up to its NUL; empty while it carries options.
    #[must_use]
    pub fn sname(&self) -> &'a [u8] {
        self.text_field(field::SNAME, OVERLOAD_SNAME)
    }

    fn text_field(&self, at: std::ops::Range<usize>, overload: u8) -> &'a [u8] {
        if self.overload & overload != 0 {
            return &[];
        }
        let bytes = &self.bytes[at];
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        &bytes[..end]
    }

    #[must_use]
    pub fn message_type(&self) -> Option<MessageType> {
        let [wire] = self.option(code::MESSAGE_TYPE)?.array()?;
        MessageType::from_wire(wire)
    }

    #[must_use]
    pub fn requested_address(&self) -> Option<Ipv4Addr> {
        self.option(code::REQUESTED_ADDRESS)?.address()
    }

    #[must_use]
    pub fn server_id(&self) -> Option<Ipv4Addr> {
        self.option(code::SERVER_ID)?.address()
    }

    /// Whether the client asks for this option; a client without a list leaves the choice to us.
    ///
    /// A list may name what does not exist (EDK2 sends one uninitialised byte): it is never judged.
    #[must_use]
    pub fn wants(&self, code: u8) -> bool {
        match self.option(code::PARAMETERS) {
            Some(list) => list.read(|codes| codes.contains(&code)),
            None => true,
        }
    }

    /// The longest reply to send, in bytes of UDP payload.
    ///
    /// Option 57 counts the IP and UDP headers. Less than 576 is illegal and ignored; more than an
    /// Ethernet frame is capped: EDK2 asks for 65,280 and then drops what exceeds 1,472.
    #[must_use]
    pub fn reply_bytes_max(&self) -> usize {
        const HEADERS: usize = 28;
        let asked = self.option(code::MESSAGE_BYTES_MAX).and_then(|it| it.array());
        let asked = asked.map_or(0, |it| usize::from(u16::from_be_bytes(it)));
        asked.saturating_sub(HEADERS).clamp(MESSAGE_BYTES_DEFAULT, MESSAGE_BYTES_MAX)
    }

    /// Whether the client says it runs on this firmware architecture; it may name several.
    #[must_use]
    pub fn has_architecture(&self, wanted: u16) -> bool {
        self.option(code::ARCHITECTURE).is_some_and(|value| {
            value.read(|bytes| bytes.chunks_exact(2).any(|it| it == wanted.to_be_bytes()))
        })
    }

    /// Whether the client is of this user class, sent raw (iPXE) or in RFC 3004 form.
    #[must_use]
    pub fn has_user_class(&self, wanted: &[u8]) -> bool {
        let Some(value) = self.option(code::USER_CLASS) else { return false };
        value.read(|bytes| {
            let mut rest = bytes;
            while let Some((len, after)) = rest.split_first() {
                let Some((class, after)) = after.split_at_checked(usize::from(*len)) else { break };
                if class == wanted {
                    return true;
                }
                rest = after;
            }
            bytes == wanted
        })
    }

    /// The machine's SMBIOS UUID (option 97) in the byte order of its text form.
    ///
    /// `None` for all zeros and all ones, which boards without a UUID send.
    #[must_use]
    pub fn uuid(&self) -> Option<[u8; 16]> {
        let value: [u8; 17] = self.option(code::CLIENT_UUID)?.array()?;
        let [kind, a, b, c, d, e, f, g, h, rest @ ..] = value;
        // SMBIOS keeps the first three fields little-endian.
        let mut uuid = [d, c, b, a, f, e, h, g, 0, 0, 0, 0, 0, 0, 0, 0];
        uuid[8..].copy_from_slice(&rest);
        (kind == 0 && uuid != [0; 16] && uuid != [255; 16]).then_some(uuid)
    }

    /// Reads one sub-option of an encapsulating option (43, 82, 175).
    pub fn read_sub_option<R>(
        &self,
        option: u8,
        sub: u8,
        read: impl FnOnce(&[u8]) -> Option<R>,
    ) -> Option<R> {
        self.option(option)?.read(|bytes| sub_option(bytes, sub).and_then(read))
    }

    /// An address that a relay put into one sub-option of option 82.
    #[must_use]
    pub fn relay_address(&self, sub: u8) -> Option<Ipv4Addr> {
        let address = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok();
        self.read_sub_option(code::RELAY_AGENT, sub, address).map(Ipv4Addr::from)
    }
}
