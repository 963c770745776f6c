//! From the snapshot to its GraphQL form, and from two snapshots to their difference.

mod network;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use async_graphql::ID;
use ironherd_snapshot as snapshot;
use ironherd_snapshot::Snapshot;

use super::snapshot::{
    BootIntent, RackDelta, RackEphemeral, RackFile, RackMachine, RackSettings, RackSnapshot,
};
use network::options;

/// Stands for every machine that is not named beside it.
const ALL_OTHERS: &str = "*";

impl From<&Snapshot> for RackSnapshot {
    fn from(it: &Snapshot) -> Self {
        Self {
            generation: it.generation.into(),
            settings: (&it.settings).into(),
            fabrics: all(&it.fabrics),
            vlans: all(&it.vlans),
            subnets: all(&it.subnets),
            subnets6: all(&it.subnets6),
            classes: all(&it.classes),
            machines: it.machines.iter().map(Into::into).collect(),
            files: it.files.iter().map(Into::into).collect(),
        }
    }
}

impl RackDelta {
    /// Everything, for a rack that has nothing, or something that we know nothing of.
    pub(crate) fn complete(it: &Snapshot) -> Self {
        let it = RackSnapshot::from(it);
        Self {
            generation: it.generation,
            settings: Some(it.settings),
            fabrics: Some(it.fabrics),
            vlans: Some(it.vlans),
            subnets: Some(it.subnets),
            subnets6: Some(it.subnets6),
            classes: Some(it.classes),
            machines_changed: it.machines,
            machines_removed: vec![ID::from(ALL_OTHERS)],
            files: Some(it.files),
        }
    }

    /// What a rack that has `old` needs to have `new`.
    pub(crate) fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let known: HashMap<&str, &snapshot::Machine> =
            old.machines.iter().map(|it| (it.id.as_str(), it)).collect();
        let kept: HashSet<&str> = new.machines.iter().map(|it| it.id.as_str()).collect();
        let changed = new.machines.iter().filter(|it| known.get(it.id.as_str()) != Some(it));
        let removed = old.machines.iter().filter(|it| !kept.contains(it.id.as_str()));
        Self {
            generation: new.generation.into(),
            settings: (old.settings != new.settings).then(|| (&new.settings).into()),
            fabrics: changed_list(&old.fabrics, &new.fabrics),
            vlans: changed_list(&old.vlans, &new.vlans),
            subnets: changed_list(&old.subnets, &new.subnets),
            subnets6: changed_list(&old.subnets6, &new.subnets6),
            classes: changed_list(&old.classes, &new.classes),
            machines_changed: changed.map(Into::into).collect(),
            machines_removed: removed.map(|it| ID::from(&it.id)).collect(),
            files: changed_list(&old.files, &new.files),
        }
    }
}

fn all<'a, A, B: From<&'a A>>(list: &'a [A]) -> Vec<B> {
    list.iter().map(B::from).collect()
}

/// The whole list, if anything in it changed.
fn changed_list<'a, A: PartialEq, B: From<&'a A>>(old: &[A], new: &'a [A]) -> Option<Vec<B>> {
    (old != new).then(|| all(new))
}

impl From<&snapshot::Settings> for RackSettings {
    fn from(it: &snapshot::Settings) -> Self {
        let ephemeral = it.ephemeral.as_ref().map(|it| RackEphemeral {
            kernel: it.kernel.clone(),
            initrd: it.initrd.clone(),
            kernel_args: it.kernel_args.clone(),
        });
        Self {
            enlist: it.enlist,
            enlist_key: hex(&it.enlist_key.0),
            ephemeral,
            conflict_probes: it.conflict_probes,
            options: options(&it.options),
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
            boot_file: it.boot_file.clone(),
            options: options(&it.options),
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
