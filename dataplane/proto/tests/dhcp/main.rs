//! The DHCP server from outside: datagrams in, replies out.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod addressing;
mod boot_answers;
mod captured;
mod classes;
mod explain;
mod lab;
mod modes;
mod options;
mod overload;
mod protocol;
mod reservations;
mod scopes;
mod simulation;
mod states;
mod worlds;
