//! DHCPv4 (RFC 2131, 2132): a bounded view of one message, and an encoder for replies.
//!
//! # Source
//! Options: RFC 2132, 3004 (user class), 3046 (relay agent), 3396 (long options), 4578 (PXE).
//! Never indexing by `hlen`, and reading on after a bad option, are our answers to real packets.

pub mod catalog;
pub mod code;

mod encoder;
mod message;
mod options;
mod value;

pub use encoder::{Encoder, Header};
pub use message::{Message, MessageType};
pub use value::{Value, sub_option};

/// Length of everything before the options: BOOTP's fixed fields and the magic cookie.
pub const FIXED_BYTES: usize = 240;

/// Shortest message sent: BOOTP relays and clients drop less (RFC 1542 §2.1).
pub const MESSAGE_BYTES_MIN: usize = 300;

/// What every client takes when it asks for nothing else (RFC 2131 §2): 576 less the headers.
pub const MESSAGE_BYTES_DEFAULT: usize = 548;

/// Longest message sent: one Ethernet frame, and what EDK2 stores of an offer.
pub const MESSAGE_BYTES_MAX: usize = 1472;

pub(crate) const COOKIE: [u8; 4] = [99, 130, 83, 99];

pub(crate) mod field {
    //! Offsets of the fixed fields.
    use std::ops::Range;

    pub(crate) const OP: usize = 0;
    pub(crate) const HTYPE: usize = 1;
    pub(crate) const HLEN: usize = 2;
    pub(crate) const HOPS: usize = 3;
    pub(crate) const XID: usize = 4;
    pub(crate) const SECS: usize = 8;
    pub(crate) const FLAGS: usize = 10;
    pub(crate) const CIADDR: usize = 12;
    pub(crate) const YIADDR: usize = 16;
    pub(crate) const SIADDR: usize = 20;
    pub(crate) const GIADDR: usize = 24;
    pub(crate) const CHADDR: usize = 28;
    pub(crate) const SNAME: Range<usize> = 44..108;
    pub(crate) const FILE: Range<usize> = 108..236;
    pub(crate) const COOKIE: Range<usize> = 236..240;
}
