//! The rack: shards, sockets, journal and the gateway for agents.
//!
//! It answers from what it holds on its own disk; the region may be gone for days. Shard threads
//! carry DHCP, TFTP and HTTP; a tokio runtime beside them carries all that may wait.

mod advertise;
mod ask;
mod cache;
mod cards6;
mod clock;
mod cold;
mod config;
pub mod doctor;
mod error;
mod faults;
mod gateway;
mod holders;
mod keeper;
mod metrics;
mod probe;
mod rack;
mod recovery;
mod shard;
mod shards;
mod view;
mod watch;

pub use config::{Durability, Ports, RackConfig, Services};
pub use error::RackError;
pub use faults::DiskFaults;
pub use ironherd_link::Secret;
pub use rack::{Rack, RackHandle};
pub use shard::BoundPorts;

/// Runs a rack until `shutdown` is over.
///
/// # Errors
/// What keeps it from starting, or ended it: see [`RackError`].
pub async fn run(config: RackConfig, shutdown: impl Future<Output = ()>) -> Result<(), RackError> {
    Rack::start(config).await?.run_until(shutdown).await
}
