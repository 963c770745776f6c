//! The DHCPv6 server, asked as clients ask: what each message gets, and what it does to leases.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod boot_answers;
mod lab;
mod options;
mod rates;
mod relays;
mod simulation;
mod states;
