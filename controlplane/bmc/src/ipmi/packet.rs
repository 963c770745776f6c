//! RMCP and session framing: bytes to datagrams and back. No keys, no clock.

use ipmi_rs_core::connection::Message;

/// RMCP version 1.0, no acknowledgement asked, class IPMI (IPMI §13.1.3).
const RMCP_HEADER: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
const AUTH_NONE: u8 = 0x00;
const AUTH_RMCP_PLUS: u8 = 0x06;
/// The BMC's and the remote console's addresses on the virtual bus (IPMI §5.5).
const ADDRESS_BMC: u8 = 0x20;
const ADDRESS_CONSOLE: u8 = 0x81;

/// What an RMCP+ packet carries (IPMI §13.27.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadType {
    Ipmi,
    OpenSessionRequest,
    OpenSessionResponse,
    Rakp1,
    Rakp2,
    Rakp3,
    Rakp4,
}

impl PayloadType {
    const ALL: [Self; 7] = [
        Self::Ipmi,
        Self::OpenSessionRequest,
        Self::OpenSessionResponse,
        Self::Rakp1,
        Self::Rakp2,
        Self::Rakp3,
        Self::Rakp4,
    ];

    const fn code(self) -> u8 {
        match self {
            Self::Ipmi => 0x00,
            Self::OpenSessionRequest => 0x10,
            Self::OpenSessionResponse => 0x11,
            Self::Rakp1 => 0x12,
            Self::Rakp2 => 0x13,
            Self::Rakp3 => 0x14,
            Self::Rakp4 => 0x15,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }
}

/// Why a datagram is not one of ours. The caller goes on waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    #[error("shorter than its headers say")]
    Truncated,
    #[error("not an RMCP packet of class IPMI")]
    NotIpmi,
    #[error("an authentication or payload type that was not negotiated")]
    Type,
    #[error("a checksum does not match")]
    Checksum,
    #[error("the integrity code does not match")]
    Integrity,
    #[error("the decrypted padding is wrong")]
    Padding,
    #[error("it belongs to another session")]
    OtherSession,
    #[error("its sequence number was seen before")]
    Replayed,
    #[error("it answers another request")]
    OtherRequest,
}

/// A packet inside an IPMI 2.0 session, or on the way to one (session id and sequence 0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub payload_type: PayloadType,
    pub encrypted: bool,
    pub authenticated: bool,
    pub session_id: u32,
    pub sequence: u32,
    pub payload: &'a [u8],
    /// The bytes under the integrity code: from the authentication type to the next header.
    pub covered: &'a [u8],
    /// The integrity code, empty unless `authenticated`.
    pub code: &'a [u8],
}

/// Frames one payload without integrity: the way until the session stands.
#[must_use]
pub fn encode_plain(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    let mut out = RMCP_HEADER.to_vec();
    header(&mut out, payload_type.code(), 0, 0, payload);
    out
}

/// Frames one encrypted payload; `sign` gets the bytes to cover and answers the integrity code.
#[must_use]
pub fn encode_sealed(
    session_id: u32,
    sequence: u32,
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    const ENCRYPTED_AND_AUTHENTICATED: u8 = 0xc0;
    const NEXT_HEADER: u8 = 0x07;
    let mut out = RMCP_HEADER.to_vec();
    let code = ENCRYPTED_AND_AUTHENTICATED | PayloadType::Ipmi.code();
    header(&mut out, code, session_id, sequence, payload);
    // The covered bytes, pad length and next header included, fill whole 32-bit words.
    let unpadded = out.len() - RMCP_HEADER.len() + 2;
    let pad = unpadded.next_multiple_of(4) - unpadded;
    out.extend(std::iter::repeat_n(0xff, pad));
    out.push(u8::try_from(pad).unwrap_or(0)); // At most 3.
    out.push(NEXT_HEADER);
    let code = sign(&out[RMCP_HEADER.len()..]);
    out.extend(code);
    out
}

fn header(out: &mut Vec<u8>, payload_type: u8, session_id: u32, sequence: u32, payload: &[u8]) {
    out.extend([AUTH_RMCP_PLUS, payload_type]);
    out.extend(session_id.to_le_bytes());
    out.extend(sequence.to_le_bytes());
    // Every payload we make is far below 64 KiB.
    out.extend(u16::try_from(payload.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(payload);
}

/// Splits an RMCP+ packet. `code_bytes` is the length of the session's integrity code.
///
/// # Errors
/// [`PacketError`] says what does not fit; nothing has been verified yet.
pub fn decode(datagram: &[u8], code_bytes: usize) -> Result<Packet<'_>, PacketError> {
    let rest = rmcp(datagram)?;
    let (head, body) = rest.split_at_checked(12).ok_or(PacketError::Truncated)?;
    if head[0] != AUTH_RMCP_PLUS {
        return Err(PacketError::Type);
    }
    let payload_type = PayloadType::from_code(head[1] & 0x3f).ok_or(PacketError::Type)?;
    let length = usize::from(u16::from_le_bytes([head[10], head[11]]));
    let payload = body.get(..length).ok_or(PacketError::Truncated)?;
    let authenticated = head[1] & 0x40 != 0;
    let (covered, code) = if authenticated {
        // Pad length and next header stand between the payload and the code.
        let end = rest.len().checked_sub(code_bytes).ok_or(PacketError::Truncated)?;
        if end < 12 + length + 2 {
            return Err(PacketError::Truncated);
        }
        rest.split_at(end)
    } else {
        (rest, &[][..])
    };
    Ok(Packet {
        payload_type,
        encrypted: head[1] & 0x80 != 0,
        authenticated,
        session_id: u32_at(head, 2)?,
        sequence: u32_at(head, 6)?,
        payload,
        covered,
        code,
    })
}

/// Frames a message outside any session in IPMI 1.5 format: how capabilities are asked.
#[must_use]
pub fn encode_sessionless(message: &[u8]) -> Vec<u8> {
    let mut out = RMCP_HEADER.to_vec();
    out.extend([AUTH_NONE, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.push(u8::try_from(message.len()).unwrap_or(u8::MAX)); // One short message only.
    out.extend(message);
    out
}

/// The message inside a sessionless IPMI 1.5 packet.
///
/// # Errors
/// [`PacketError`] if it is anything else.
pub fn decode_sessionless(datagram: &[u8]) -> Result<&[u8], PacketError> {
    let rest = rmcp(datagram)?;
    let (head, body) = rest.split_at_checked(10).ok_or(PacketError::Truncated)?;
    if head[0] != AUTH_NONE {
        return Err(PacketError::Type);
    }
    body.get(..usize::from(head[9])).ok_or(PacketError::Truncated)
}

fn rmcp(datagram: &[u8]) -> Result<&[u8], PacketError> {
    let (head, rest) = datagram.split_at_checked(4).ok_or(PacketError::Truncated)?;
    // Byte 1 is reserved and byte 2 a sequence number that some BMCs fill: both are ignored.
    let ours = head[0] == RMCP_HEADER[0] && head[3] == RMCP_HEADER[3];
    if ours { Ok(rest) } else { Err(PacketError::NotIpmi) }
}

/// Reads a little-endian number at `at`.
///
/// # Errors
/// [`PacketError::Truncated`] if the bytes end before it does.
pub fn u32_at(bytes: &[u8], at: usize) -> Result<u32, PacketError> {
    let field = bytes.get(at..at + 4).and_then(|it| it.try_into().ok());
    field.map(u32::from_le_bytes).ok_or(PacketError::Truncated)
}

/// The answer to one command: its completion code and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub netfn: u8,
    pub command: u8,
    /// The request's number, 0–63.
    pub request: u8,
    pub completion: u8,
    pub data: Vec<u8>,
}

/// Wraps a request for the bus behind the session (IPMI §13.8). `request` is 0–63.
#[must_use]
pub fn encode_request(message: &Message, request: u8) -> Vec<u8> {
    let mut out = vec![ADDRESS_BMC, message.netfn_raw() << 2];
    out.push(checksum(&out));
    let body = out.len();
    out.extend([ADDRESS_CONSOLE, request << 2, message.cmd()]);
    out.extend(message.data());
    out.push(checksum(&out[body..]));
    out
}

/// Unwraps the answer to a request.
///
/// # Errors
/// [`PacketError`] if it is too short or damaged.
pub fn decode_reply(bytes: &[u8]) -> Result<Reply, PacketError> {
    let (head, body) = bytes.split_at_checked(3).ok_or(PacketError::Truncated)?;
    // Address, sequence, command, completion code and the checksum are the least.
    let [_, request, command, completion, data @ .., _] = body else {
        return Err(PacketError::Truncated);
    };
    if checksum(head) != 0 || checksum(body) != 0 {
        return Err(PacketError::Checksum);
    }
    Ok(Reply {
        netfn: head[1] >> 2,
        command: *command,
        request: request >> 2,
        completion: *completion,
        data: data.to_vec(),
    })
}

/// Two's complement of the sum: bytes with their checksum sum up to zero.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use ipmi_rs_core::connection::NetFn;

    use super::*;

    #[test]
    fn capabilities_request_matches_a_capture() {
        // The first packet of `ipmitool -I lanplus`, but for its request number.
        let message = Message::new_request(NetFn::App, 0x38, vec![0x8e, 0x04]);
        let want = "0600ff07 00 00000000 00000000 09 2018c8 810038 8e04 b5";
        let got = encode_sessionless(&encode_request(&message, 0));
        assert_eq!(hex(&got), want.replace(' ', ""));
    }

    #[test]
    fn sealed_packets_fill_whole_words() {
        for length in 0..40 {
            let payload = vec![7; length];
            let bytes = encode_sealed(0x0102_0304, 9, &payload, |covered| {
                assert_eq!(covered.len() % 4, 0, "{length} bytes");
                vec![0xaa; 12]
            });
            let packet = decode(&bytes, 12).unwrap();
            assert_eq!((packet.payload, packet.code), (&payload[..], &[0xaa; 12][..]));
            assert_eq!((packet.session_id, packet.sequence), (0x0102_0304, 9));
            assert!(packet.encrypted && packet.authenticated);
        }
    }

    #[test]
    fn damaged_packets_are_named() {
        // Without pad bytes: those are only missed once the integrity code is checked.
        let good = encode_sealed(1, 1, &[1, 2], |_| vec![0; 16]);
        for end in 0..good.len() {
            assert!(decode(&good[..end], 16).is_err(), "cut to {end}");
        }
        let rows: [(&[u8], PacketError); 4] = [
            (b"", PacketError::Truncated),
            (b"\x06\x00\xff\x06\x00", PacketError::NotIpmi),
            (&[0x06, 0, 0xff, 7, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], PacketError::Type),
            (&[0x06, 0, 0xff, 7, 6, 0x3e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], PacketError::Type),
        ];
        for (bytes, want) in rows {
            assert_eq!(decode(bytes, 12), Err(want), "{bytes:02x?}");
        }
        let mut reply = vec![0x81, 0x1c, 0x63, 0x20, 0x04, 0x01, 0x00, 0xdb];
        assert_eq!(decode_reply(&reply).map(|it| (it.netfn, it.request)), Ok((7, 1)));
        reply[6] = 1;
        assert_eq!(decode_reply(&reply), Err(PacketError::Checksum));
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|it| format!("{it:02x}")).collect()
    }
}
