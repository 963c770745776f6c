//! Decisions and protocol state machines, without I/O, clock or chance.
//!
//! Each protocol takes what happened (`handle_*`) and is then drained (`poll_*`). The caller owns
//! sockets, files and the clock, so nothing here can tell a kernel from a simulation. Every packet
//! is answered or refused with one named [`DropReason`].

pub mod alarms;
pub mod boot;
pub mod dhcp;
pub mod dhcp6;
pub mod http;
pub mod script;
pub mod tape;
pub mod tftp;
pub mod token;

mod drop_reason;
mod event;
mod files;
#[cfg(test)]
mod fixture;
mod link;
mod rate;
mod time;

pub use drop_reason::{DropCounters, DropReason};
pub use event::{BootStage, Event, LeaseChange, LeaseEvent};
pub use files::{FileRef, Files, Made};
pub use link::Link;
pub use rate::Rate;
pub use time::{Instant, Now, UnixSeconds};
