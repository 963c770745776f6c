//! What racks send.

use async_graphql::InputObject;
use ironherd_app as app;
use ironherd_app::CommandError;

use super::LeaseState;
use super::object::RackAlarmKind;
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
    /// The name of the rack; absent: the one that registered last with this token.
    pub(crate) rack: Option<String>,
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
    /// Says that the reports of this epoch from this number on, this one included, have named every
    /// lease that the rack holds: what it reported before and has not named since is over.
    pub(crate) resynced_since: Option<Long>,
    /// All that the rack warns of now; absent: what it said last.
    pub(crate) alarms: Option<Vec<RackAlarmInput>>,
}

/// Something that is so at a rack.
#[derive(InputObject, Debug)]
pub(crate) struct RackAlarmInput {
    /// What kind of thing.
    pub(crate) kind: RackAlarmKind,
    /// What it is about; with the kind it names the alarm.
    pub(crate) subject: String,
    /// What to do, for a person to read.
    pub(crate) message: String,
}

/// One lease in its newest state.
#[derive(InputObject, Debug)]
pub(crate) struct RackLeaseInput {
    /// The address, or the IPv6 prefix that was delegated.
    pub(crate) address: String,
    /// The network card that holds it; absent where DHCPv6 was not shown one.
    pub(crate) mac_address: Option<String>,
    /// What else names the client: its DUID and IAID in DHCPv6.
    pub(crate) client: Option<String>,
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

impl From<RackRegisterInput> for app::RackRegister {
    fn from(it: RackRegisterInput) -> Self {
        Self { name: it.name, version: it.version, addresses: it.addresses }
    }
}

impl RackReportInput {
    pub(super) fn parse(self) -> app::Answer<app::RackReport> {
        let since = self.resynced_since.map(|it| count(it, "resyncedSince")).transpose()?;
        Ok(app::RackReport {
            rack: self.rack,
            epoch: count(self.epoch, "epoch")?,
            sequence: count(self.sequence, "sequence")?,
            snapshot_generation: count(self.snapshot_generation, "snapshotGeneration")?,
            leases: self.leases.into_iter().map(Into::into).collect(),
            boot_events: self.boot_events.into_iter().map(Into::into).collect(),
            resynced_since: since,
            alarms: self.alarms.map(|it| it.into_iter().map(Into::into).collect()),
        })
    }
}

fn count(number: Long, field: &str) -> app::Answer<u64> {
    let message = "This number is not negative.";
    number.count().ok_or_else(|| CommandError::refused("INVALID", &["input", field], message))
}

impl From<RackAlarmInput> for app::RackAlarmReport {
    fn from(it: RackAlarmInput) -> Self {
        Self { kind: it.kind.into(), subject: it.subject, message: it.message }
    }
}

impl From<RackLeaseInput> for app::RackLease {
    fn from(it: RackLeaseInput) -> Self {
        Self {
            address: it.address,
            mac_address: it.mac_address,
            client: it.client,
            hostname: it.hostname,
            state: it.state.into(),
            started_unix_seconds: it.started_at.0,
            expires_unix_seconds: it.expires_at.0,
        }
    }
}

impl From<RackBootEventInput> for app::RackBootEvent {
    fn from(it: RackBootEventInput) -> Self {
        Self {
            at_unix_ms: it.at.0,
            mac_address: it.mac_address,
            stage: it.stage.into(),
            detail: it.detail,
        }
    }
}
