//! The commands of the region, on both engines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod access;
mod agent;
mod broken;
mod change;
mod enlist;
mod harness;
mod lifecycle;
mod machine;
mod network;
mod rack;
mod resync;
mod snapshot;
mod trouble;
