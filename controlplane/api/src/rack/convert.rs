//! From the snapshot to its GraphQL form, and from two snapshots to their difference.

mod network;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use async_graphql::ID;
use ironherd_snapshot as snapshot;
use ironherd_snapshot::{Shared, Snapshot};

use super::network::RackSubnet;
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
            subnets: all_shared(&it.subnets),
            subnets6: all_shared(&it.subnets6),
            classes: all(&it.classes),
            machines: all_shared(&it.machines),
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
            subnets_changed: it.subnets,
            subnets_removed: vec![ID::from(ALL_OTHERS)],
            reservations: Vec::new(),
            subnets6: Some(it.subnets6),
            classes: Some(it.classes),
            machines_changed: it.machines,
            machines_removed: vec![ID::from(ALL_OTHERS)],
            files: Some(it.files),
        }
    }

    /// What a rack that has `old` needs to have `new`.
    pub(crate) fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let machines = Changes::between(&old.machines, &new.machines, |it| &it.id);
        let subnets = Changes::between(&old.subnets, &new.subnets, |it| &it.id);
        let (mut subnets_changed, mut reservations) = (Vec::new(), Vec::new());
        for (old, new) in subnets.changed {
            let (subnet, of_subnet) = match old {
                Some(old) => RackSubnet::between(old, new),
                None => (Some(RackSubnet::from(new)), None),
            };
            subnets_changed.extend(subnet);
            reservations.extend(of_subnet);
        }
        Self {
            generation: new.generation.into(),
            settings: (old.settings != new.settings).then(|| (&new.settings).into()),
            fabrics: changed_list(&old.fabrics, &new.fabrics),
            vlans: changed_list(&old.vlans, &new.vlans),
            subnets_changed,
            subnets_removed: subnets.removed,
            reservations,
            subnets6: (old.subnets6 != new.subnets6).then(|| all_shared(&new.subnets6)),
            classes: changed_list(&old.classes, &new.classes),
            machines_changed: machines.changed.into_iter().map(|(_, it)| it.into()).collect(),
            machines_removed: machines.removed,
            files: changed_list(&old.files, &new.files),
        }
    }
}

/// What changed from one list to another.
struct Changes<'a, T> {
    /// What it was, if it was there, and what it is.
    changed: Vec<(Option<&'a T>, &'a T)>,
    removed: Vec<ID>,
}

impl<'a, T: PartialEq> Changes<'a, T> {
    fn between(old: &'a [Shared<T>], new: &'a [Shared<T>], id: fn(&T) -> &str) -> Self {
        let (old, new) = differing(old, new);
        let known: HashMap<&str, &Shared<T>> = old.iter().map(|it| (id(it), it)).collect();
        let kept: HashSet<&str> = new.iter().map(|it| id(it)).collect();
        let change = |it: &'a Shared<T>| {
            let old = known.get(id(it)).copied();
            (old != Some(it)).then_some((old.map(|it| &**it), &**it))
        };
        let removed = old.iter().map(|it| id(it)).filter(|it| !kept.contains(it));
        Self {
            changed: new.iter().filter_map(change).collect(),
            removed: removed.map(ID::from).collect(),
        }
    }
}

/// Both lists without what they begin and end with in common: of one change among thousands, that
/// one remains.
fn differing<'a, T>(
    old: &'a [Shared<T>],
    new: &'a [Shared<T>],
) -> (&'a [Shared<T>], &'a [Shared<T>]) {
    let same = |(a, b): &(&Shared<T>, &Shared<T>)| a.is_same(b);
    let head = old.iter().zip(new).take_while(same).count();
    let (old, new) = (&old[head..], &new[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    (&old[..old.len() - tail], &new[..new.len() - tail])
}

fn all_shared<'a, A, B: From<&'a A>>(list: &'a [Shared<A>]) -> Vec<B> {
    list.iter().map(|it| B::from(&**it)).collect()
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
