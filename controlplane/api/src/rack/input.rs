//! What racks send.

use async_graphql::InputObject;

use super::LeaseState;
use crate::machine::state::BootStage;
use crate::scalar::Long;

/// A rack introduces itself.
#[derive(InputObject, Debug)]
pub(crate) struct RackRegisterInput {
    /// Its name; registering it again updates the same rack.
    pub(crate) name: String,
    /// The program's version.
    pub(crate) version: String,
    /// The IPv4 addresses it answers on.
    pub(crate) addresses: Vec<String>,
}

/// What a rack has seen since its last report. Sending one twice does no harm.
#[derive(InputObject, Debug)]
pub(crate) struct RackReportInput {
    /// Which life of the rack's journal `sequence` counts in.
    pub(crate) epoch: Long,
    /// Number of this report within the epoch; grows by one with each.
    pub(crate) sequence: Long,
    /// The generation of the snapshot that the rack answers from.
    pub(crate) snapshot_generation: Long,
    /// Leases that changed, each in its newest state.
    pub(crate) leases: Vec<RackLeaseInput>,
    /// Network boots seen, oldest first.
    pub(crate) boot_events: Vec<RackBootEventInput>,
}

/// One lease in its newest state.
#[derive(InputObject, Debug)]
pub(crate) struct RackLeaseInput {
    /// The IPv4 address.
    pub(crate) address: String,
    /// The network card that holds it.
    pub(crate) mac_address: String,
    /// The name that the client gave itself.
    pub(crate) hostname: Option<String>,
    /// Whether it still holds.
    pub(crate) state: LeaseState,
    /// When it began, in seconds since 1970.
    pub(crate) started_at: Long,
    /// When it ends, in seconds since 1970.
    pub(crate) expires_at: Long,
}

/// One step of a network boot.
#[derive(InputObject, Debug)]
pub(crate) struct RackBootEventInput {
    /// When, in milliseconds since 1970.
    pub(crate) at: Long,
    /// The network card that boots.
    pub(crate) mac_address: String,
    /// How far it has come.
    pub(crate) stage: BootStage,
    /// What exactly was asked for, for a person to read.
    pub(crate) detail: String,
}
