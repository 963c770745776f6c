//! The rack among programs that others wrote: clients, relays and servers, each in a network
//! namespace of its own.
//!
//! There is no region in any of these: what is served comes from the snapshot on disk.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

mod direct;
mod lab;
#[path = "../support/machine.rs"]
#[allow(dead_code, reason = "each whole test needs its part")]
mod machine;
#[path = "../support/net.rs"]
#[allow(dead_code, reason = "each whole test needs its part")]
mod net;
#[path = "../support/process.rs"]
#[allow(dead_code, reason = "each whole test needs its part")]
mod process;
mod proxy;
mod relay;

/// Not a test: the rack that the tests start, in its own process so that it can be killed.
#[test]
fn rack_process() {
    process::run_if_asked();
}
