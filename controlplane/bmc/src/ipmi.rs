//! IPMI 2.0 over RMCP+, our own session: suites 17 and 3, retransmission, privilege, logout.
//!
//! [`packet`], [`suite`], [`login`] and [`session`] are pure; [`client`] owns the socket and the
//! clock. Commands are `ipmi-rs-core`'s where it has them and [`command`]'s where it has not.
//!
//! # Source
//! IPMI v2.0 rev. 1.1, chapter 13 (sessions), 22 (messaging) and 28 (chassis).

pub mod client;
pub mod command;
pub mod login;
pub mod packet;
pub mod session;
pub mod suite;

#[cfg(test)]
mod peer;
#[cfg(test)]
mod tests;

pub use client::{IpmiConfig, IpmiDriver};
