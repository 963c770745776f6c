//! DHCPv6 (RFC 9915, before it RFC 8415): a bounded view of one message, and an encoder for
//! replies.
//!
//! # Source
//! Options: RFC 9915, 3646 (DNS), 4649 (remote id), 5970 (network boot), 6939 (client's card),
//! 8357 (a relay's port). Reading on to the last whole option, and never past it, is our answer
//! to lengths that lie.

pub mod code;

mod duid;
mod encoder;
mod message;
mod options;
mod relay;

pub use duid::{DUID_BYTES_MAX, Duid, eui64_mac};
pub use encoder::Encoder;
pub use message::{Message, MessageType};
pub use options::{Ia, IaKind, Items, Options, Resource};
pub use relay::{Envelope, Relayed};

/// Servers and relays listen here.
pub const SERVER_PORT: u16 = 547;
/// Clients listen here.
pub const CLIENT_PORT: u16 = 546;

/// Relays that a message may have passed (HOP_COUNT_LIMIT).
pub const RELAYS_MAX: usize = 8;

/// Longest message to a client: one Ethernet frame, less the headers of IPv6 and UDP.
pub const MESSAGE_BYTES_MAX: usize = 1452;

/// "For ever", as seconds go on the wire.
pub const FOREVER: u32 = u32::MAX;
