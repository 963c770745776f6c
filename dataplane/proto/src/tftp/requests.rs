//! From a read request to a transfer, or to an ERROR.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use ironherd_wire::name::Name;
use ironherd_wire::tftp::{Asked, DATA_HEAD_BYTES, ErrorCode, Granted, Mode, Request};

use super::ends::Ends;
use super::transfer::{Finish, Opening, Transfer};
use super::{Config, ERRORS_MAX, Refusal, Server};
use crate::{DropReason, Files, Made};

/// The most bytes that one UDP_SEGMENT send carries over IPv4.
const WINDOW_BYTES_MAX: usize = 65_507;
/// The most segments that every kernel with UDP_SEGMENT takes.
const SEGMENTS_MAX: u16 = 64;
/// The longest text that is sent as netascii: each transfer holds a copy of its own.
const NETASCII_BYTES_MAX: usize = 64 << 10;
/// How much longer an IPv6 header is than an IPv4 one.
const IPV6_MORE_BYTES: u16 = 20;

impl Server {
    pub(super) fn open(
        &mut self,
        files: &dyn Files,
        from: SocketAddr,
        local: IpAddr,
        payload: &[u8],
        request: &Request<'_>,
    ) -> Result<(), DropReason> {
        let request_hash = hash_of(payload);
        if let Some(slot) = self.by_peer.get(&from).copied()
            && self.take_repeat(slot, request_hash)?
        {
            return Ok(());
        }
        if request.mode == Mode::Other {
            return Err(DropReason::TftpModeRefused);
        }
        let name = Name::clean(request.name).ok_or(DropReason::TftpNotFound)?;
        let name = name.as_str();
        let mut file = find(files, name)?;
        if request.mode == Mode::Netascii {
            file = netascii(&file).ok_or(DropReason::TftpModeRefused)?;
        }
        if self.config.transfers_max <= self.by_peer.len() {
            return Err(DropReason::TftpFull);
        }
        let socket = self.socket_of(self.accepted);
        let granted = grant(&self.config, &request.asked, file.len() as u64, from.is_ipv6());
        let opening = Opening { file, ends: Ends::new(from, local), socket, request_hash, granted };
        let transfer = Transfer::new(opening, self.now)?;
        self.insert(transfer, name);
        Ok(())
    }

    /// Answers a repeat of a request; `false` if a new transfer takes the old one's place.
    fn take_repeat(&mut self, slot: usize, request_hash: u32) -> Result<bool, DropReason> {
        let at = &mut self.slots[slot];
        let Some(transfer) = &mut at.transfer else { return Ok(false) };
        if transfer.request_hash != request_hash && !transfer.may_be_replaced() {
            return Err(DropReason::TftpRequestRepeated);
        }
        if transfer.request_hash == request_hash && !transfer.handle_repeated_request()? {
            self.ready.push(slot, at.order);
            return Ok(true);
        }
        self.finish(slot, Finish::Replaced);
        Ok(false)
    }

    fn insert(&mut self, transfer: Transfer, name: &str) {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(super::Slot::default());
            self.slots.len() - 1
        });
        self.by_peer.insert(transfer.ends.peer(), slot);
        self.names.insert(slot, name.into());
        self.slots[slot] = super::Slot { transfer: Some(transfer), order: self.accepted };
        self.ready.push(slot, self.accepted);
        self.accepted += 1;
    }

    /// Queues the ERROR that goes with a refusal, if one does.
    pub(super) fn refuse(
        &mut self,
        to: SocketAddr,
        local: IpAddr,
        reason: DropReason,
    ) -> DropReason {
        let (code, message) = match reason {
            DropReason::TftpWriteRefused => (ErrorCode::AccessViolation, "files are read-only"),
            DropReason::TftpModeRefused => {
                (ErrorCode::IllegalOperation, "ask in octet (binary) mode")
            }
            DropReason::TftpNotFound => (ErrorCode::NotFound, "no such file"),
            DropReason::TftpNotHolder => {
                (ErrorCode::AccessViolation, "this script is for another machine than yours")
            }
            DropReason::TftpArriving => {
                (ErrorCode::Undefined, "the file is on its way to this server: ask again")
            }
            DropReason::TftpTooLarge => {
                (ErrorCode::Undefined, "the file has too many blocks: ask for larger ones")
            }
            DropReason::TftpFull => {
                (ErrorCode::Undefined, "too many transfers at the moment: ask again")
            }
            _ => return reason,
        };
        if self.errors.len() < ERRORS_MAX {
            self.errors.push_back(Refusal { to, local, code, message });
        }
        reason
    }

    /// Requests take the pool's sockets in turn.
    pub(super) fn socket_of(&self, order: u64) -> u16 {
        u16::try_from(order % u64::from(self.config.sockets.max(1))).unwrap_or_default()
    }
}

/// The bytes that a clean name stands for.
fn find(files: &dyn Files, name: &str) -> Result<Bytes, DropReason> {
    if let Some(file) = files.open(name) {
        return Ok(file.bytes);
    }
    match files.made(name) {
        Some(Made::Script { script, .. }) => Ok(script.body.into()),
        Some(Made::NotHolder) => Err(DropReason::TftpNotHolder),
        None if files.is_arriving(name) => Err(DropReason::TftpArriving),
        None => Err(DropReason::TftpNotFound),
    }
}

/// A text with the line ends of netascii (RFC 764, by RFC 1350): CR LF, and CR NUL for a lone CR.
/// `None`: it is longer than any script, and a binary file would come out broken.
fn netascii(file: &Bytes) -> Option<Bytes> {
    if NETASCII_BYTES_MAX < file.len() || file.contains(&0) {
        return None;
    }
    if !file.iter().any(|it| matches!(it, b'\n' | b'\r')) {
        return Some(file.clone());
    }
    let mut text = Vec::with_capacity(file.len() + file.len() / 16);
    for byte in file {
        match byte {
            b'\n' => text.extend_from_slice(b"\r\n"),
            b'\r' => text.extend_from_slice(b"\r\0"),
            other => text.push(*other),
        }
    }
    Some(text.into())
}

/// Grants what was asked, within our bounds; an option that was not asked stays absent.
fn grant(config: &Config, asked: &Asked, file_bytes: u64, over_ipv6: bool) -> Granted {
    // An IPv6 header is 20 bytes longer, and nobody on the way may cut what does not fit.
    let longer = if over_ipv6 { IPV6_MORE_BYTES } else { 0 };
    let block_max = config.block_bytes_max.saturating_sub(longer).max(8);
    let block_bytes = asked.block_bytes.map(|it| it.min(block_max));
    let segment_bytes = DATA_HEAD_BYTES + usize::from(block_bytes.unwrap_or(512));
    let fit = u16::try_from(WINDOW_BYTES_MAX / segment_bytes).unwrap_or(SEGMENTS_MAX);
    let window_max = fit.min(SEGMENTS_MAX).min(config.window_blocks_max).max(1);
    Granted {
        block_bytes,
        timeout_seconds: asked.timeout_seconds, // RFC 2349: echoed as it is.
        transfer_bytes: asked.transfer_bytes.map(|_| file_bytes),
        window_blocks: asked.window_blocks.map(|it| it.min(window_max)),
    }
}

/// Tells a repeat from another request. No secret hangs on it, so fixed keys do.
#[expect(clippy::cast_possible_truncation, reason = "32 bits tell two requests of a port apart")]
fn hash_of(payload: &[u8]) -> u32 {
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    hasher.finish() as u32
}
