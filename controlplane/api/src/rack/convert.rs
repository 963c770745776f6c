//! From the snapshot to its GraphQL form, and from two snapshots to their difference.

use std::collections::{HashMap, HashSet};

use async_graphql::ID;
use ironherd_snapshot as snapshot;
use ironherd_snapshot::Snapshot;

use super::snapshot::{
    BootIntent, RackDelta, RackEphemeral, RackFile, RackMachine, RackRange, RackReservation,
    RackSettings, RackSnapshot, RackSubnet,
};

/// Stands for every machine that is not named beside it.
const ALL_OTHERS: &str = "*";

impl From<&Snapshot> for RackSnapshot {
    fn from(it: &Snapshot) -> Self {
        Self {
            generation: it.generation.into(),
            settings: (&it.settings).into(),
            subnets: it.subnets.iter().map(Into::into).collect(),
            machines: it.machines.iter().map(Into::into).collect(),
            files: it.files.iter().map(Into::into).collect(),
        }
    }
}

impl RackDelta {
    /// Everything, for a rack that has nothing, or something that we know nothing of.
    pub(crate) fn complete(it: &Snapshot) -> Self {
        let RackSnapshot { generation, settings, subnets, machines, files } = it.into();
        Self {
            generation,
            settings: Some(settings),
            subnets: Some(subnets),
            machines_changed: machines,
            machines_removed: vec![ID::from(ALL_OTHERS)],
            files: Some(files),
        }
    }

    /// What a rack that has `old` needs to have `new`.
    pub(crate) fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let known: HashMap<&str, &snapshot::Machine> =
            old.machines.iter().map(|it| (it.id.as_str(), it)).collect();
        let kept: HashSet<&str> = new.machines.iter().map(|it| it.id.as_str()).collect();
        let changed = new.machines.iter().filter(|it| known.get(it.id.as_str()) != Some(it));
        let removed = old.machines.iter().filter(|it| !kept.contains(it.id.as_str()));
        let subnets =
            (old.subnets != new.subnets).then(|| new.subnets.iter().map(Into::into).collect());
        let files = (old.files != new.files).then(|| new.files.iter().map(Into::into).collect());
        Self {
            generation: new.generation.into(),
            settings: (old.settings != new.settings).then(|| (&new.settings).into()),
            subnets,
            machines_changed: changed.map(Into::into).collect(),
            machines_removed: removed.map(|it| ID::from(&it.id)).collect(),
            files,
        }
    }
}

impl From<&snapshot::Settings> for RackSettings {
    fn from(it: &snapshot::Settings) -> Self {
        let ephemeral = it.ephemeral.as_ref().map(|it| RackEphemeral {
            kernel: it.kernel.clone(),
            initrd: it.initrd.clone(),
            kernel_args: it.kernel_args.clone(),
        });
        Self { enlist: it.enlist, enlist_key: hex(&it.enlist_key.0), ephemeral }
    }
}

impl From<&snapshot::Subnet> for RackSubnet {
    fn from(it: &snapshot::Subnet) -> Self {
        let range = |it: &snapshot::Range| RackRange {
            first: it.first.to_string(),
            last: it.last.to_string(),
        };
        let reservation = |it: &snapshot::Reservation| {
            Some(RackReservation {
                mac_address: it.mac()?.to_string(),
                address: it.address.to_string(),
                hostname: it.hostname.clone(),
            })
        };
        Self {
            id: ID::from(&it.id),
            cidr: it.cidr.to_string(),
            gateway: it.gateway.map(|it| it.to_string()),
            dns_servers: it.dns_servers.iter().map(ToString::to_string).collect(),
            ntp_servers: it.ntp_servers.iter().map(ToString::to_string).collect(),
            domain: it.domain.clone(),
            mtu: it.mtu.map(i32::from),
            lease_seconds: i32::try_from(it.lease_seconds).unwrap_or(i32::MAX),
            ranges: it.ranges.iter().map(range).collect(),
            reservations: it.reservations.iter().filter_map(reservation).collect(),
        }
    }
}

impl From<&snapshot::Machine> for RackMachine {
    fn from(it: &snapshot::Machine) -> Self {
        Self {
            id: ID::from(&it.id),
            hostname: it.hostname.clone(),
            mac_addresses: it.macs.iter().map(ToString::to_string).collect(),
            uuid: it.uuid.map(|it| uuid::Uuid::from_bytes(it).to_string()),
            intent: it.intent.into(),
            attempt: it.attempt.into(),
            boot_key: hex(&it.boot_key.0),
            kernel_args: it.kernel_args.clone(),
        }
    }
}

impl From<&snapshot::BootFile> for RackFile {
    fn from(it: &snapshot::BootFile) -> Self {
        Self { name: it.name.clone(), sha256: it.sha256.clone(), size_bytes: it.size_bytes.into() }
    }
}

impl From<snapshot::Intent> for BootIntent {
    fn from(it: snapshot::Intent) -> Self {
        match it {
            snapshot::Intent::Local => Self::Local,
            snapshot::Intent::Enlist => Self::Enlist,
            snapshot::Intent::Commission => Self::Commission,
            snapshot::Intent::Test => Self::Test,
            snapshot::Intent::Deploy => Self::Deploy,
            snapshot::Intent::Rescue => Self::Rescue,
            snapshot::Intent::Erase => Self::Erase,
            snapshot::Intent::Ephemeral => Self::Ephemeral,
            snapshot::Intent::PowerOff => Self::PowerOff,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(id: &str, attempt: u64) -> snapshot::Machine {
        snapshot::Machine {
            id: id.to_owned(),
            hostname: format!("node-{id}"),
            intent: snapshot::Intent::PowerOff,
            attempt,
            boot_key: snapshot::BootKey([7; 32]),
            ..snapshot::Machine::default()
        }
    }

    fn with(generation: u64, machines: Vec<snapshot::Machine>) -> Snapshot {
        Snapshot { generation, machines, ..Snapshot::default() }
    }

    #[test]
    fn a_difference_names_only_what_changed() {
        let old = with(7, vec![machine("a", 1), machine("b", 1), machine("c", 1)]);
        let new = with(9, vec![machine("d", 1), machine("b", 2), machine("a", 1)]);
        let delta = RackDelta::between(&old, &new);
        let changed: Vec<_> = delta.machines_changed.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(changed, ["d", "b"]);
        assert_eq!(delta.machines_removed, [ID::from("c")]);
        assert_eq!(delta.generation.0, 9);
        assert!(delta.subnets.is_none() && delta.files.is_none() && delta.settings.is_none());
    }

    #[test]
    fn a_complete_delta_names_everything() {
        let delta = RackDelta::complete(&with(7, vec![machine("a", 1)]));
        assert_eq!(delta.machines_changed.len(), 1);
        assert_eq!(delta.machines_removed, [ID::from("*")]);
        assert!(delta.subnets.is_some() && delta.files.is_some() && delta.settings.is_some());
    }
}
