//! The kernel: rings, buffers, sockets, mapped files. The only crate with unsafe code.
//!
//! [`Ring`] is one io_uring with the memory that the kernel reads and writes behind our back. All
//! of that memory belongs to the ring and is given out by handle, so callers stay in safe Rust.
//! Nothing here knows a protocol.

#![allow(unsafe_code, reason = "this crate is the border to the kernel; others may not have any")]

mod arp;
mod batch;
mod buffers;
mod error;
mod filter;
mod interface;
mod mapped;
mod ring;
mod slots;
pub mod socket;
mod token;
mod waker;

pub use arp::ArpSocket;
pub use batch::{ReceiveBatch, SendBatch};
pub use buffers::Buffer;
pub use error::RingError;
pub use interface::{Interface, interfaces};
pub use mapped::map_file;
pub use ring::datagram::{Datagram, Outgoing, SendRefused, SocketId, Source, Target};
pub use ring::setup::RingConfig;
pub use ring::stream::{ListenerId, StreamId};
pub use ring::{Done, Ring, RingCounters};
pub use waker::Waker;
