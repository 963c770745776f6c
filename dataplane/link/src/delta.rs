use std::collections::{HashMap, HashSet};

use ironherd_snapshot::{
    BootFile, ClientClass, Fabric, Machine, Settings, Snapshot, Subnet, Subnet6, Vlan,
};

/// What changed since an earlier generation. An absent list is unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    pub generation: u64,
    pub settings: Option<Settings>,
    pub fabrics: Option<Vec<Fabric>>,
    pub vlans: Option<Vec<Vlan>>,
    pub subnets: Option<Vec<Subnet>>,
    pub subnets6: Option<Vec<Subnet6>>,
    pub classes: Option<Vec<ClientClass>>,
    pub machines_changed: Vec<Machine>,
    /// Ids; `*` stands for all that were there before.
    pub machines_removed: Vec<String>,
    pub files: Option<Vec<BootFile>>,
}

/// In [`Delta::machines_removed`]: the region does not know our generation and sends everything.
const ALL: &str = "*";

/// Brings a snapshot forward. Answers whether it changed.
///
/// A delta that is not newer is an echo and changes nothing, unless it replaces everything: a
/// region whose database was restored counts from further back.
pub fn apply(snapshot: &mut Snapshot, delta: Delta) -> bool {
    let replaces_all = delta.machines_removed.iter().any(|it| it == ALL);
    if !replaces_all && delta.generation <= snapshot.generation {
        return false;
    }
    if replaces_all {
        snapshot.machines.clear();
    } else if !delta.machines_removed.is_empty() {
        let removed: HashSet<&str> = delta.machines_removed.iter().map(String::as_str).collect();
        snapshot.machines.retain(|it| !removed.contains(it.id.as_str()));
    }
    if !delta.machines_changed.is_empty() {
        let places: HashMap<String, usize> =
            (0..).zip(&snapshot.machines).map(|(at, it)| (it.id.clone(), at)).collect();
        for machine in delta.machines_changed {
            match places.get(&machine.id).and_then(|at| snapshot.machines.get_mut(*at)) {
                Some(place) => *place = machine,
                None => snapshot.machines.push(machine),
            }
        }
    }
    if let Some(settings) = delta.settings {
        snapshot.settings = settings;
    }
    replace(&mut snapshot.fabrics, delta.fabrics);
    replace(&mut snapshot.vlans, delta.vlans);
    replace(&mut snapshot.subnets, delta.subnets);
    replace(&mut snapshot.subnets6, delta.subnets6);
    replace(&mut snapshot.classes, delta.classes);
    replace(&mut snapshot.files, delta.files);
    snapshot.generation = delta.generation;
    true
}

fn replace<T>(list: &mut Vec<T>, new: Option<Vec<T>>) {
    if let Some(new) = new {
        *list = new;
    }
}

#[cfg(test)]
mod tests {
    use ironherd_snapshot::{BootKey, Intent};

    use super::*;

    fn machine(id: &str, attempt: u64) -> Machine {
        Machine {
            id: id.to_owned(),
            hostname: format!("host-{id}"),
            macs: Vec::new(),
            uuid: None,
            intent: Intent::Local,
            attempt,
            boot_key: BootKey::default(),
            ..Machine::default()
        }
    }

    fn file(name: &str) -> BootFile {
        BootFile { name: name.to_owned(), sha256: "0".repeat(64), size_bytes: 1 }
    }

    fn base() -> Snapshot {
        Snapshot {
            generation: 10,
            machines: vec![machine("a", 1), machine("b", 1)],
            files: vec![file("x")],
            ..Snapshot::default()
        }
    }

    #[test]
    fn deltas_bring_a_snapshot_forward() {
        let none: &[(&str, u64)] = &[];
        // Generation, changed, removed, files; then: applied, generation, machines, files.
        let rows = [
            (11, &[("b", 2)][..], &[][..], None, true, 11, &[("a", 1), ("b", 2)][..], &["x"][..]),
            (12, &[("c", 1)], &["a"], None, true, 12, &[("b", 1), ("c", 1)], &["x"]),
            (11, none, &["a", "b"], None, true, 11, none, &["x"]),
            (11, none, &[], Some(&["y", "z"][..]), true, 11, &[("a", 1), ("b", 1)], &["y", "z"]),
            (11, none, &["unknown"], Some(&[]), true, 11, &[("a", 1), ("b", 1)], &[]),
            // An echo, and one from before.
            (10, &[("b", 9)], &[], None, false, 10, &[("a", 1), ("b", 1)], &["x"]),
            (9, none, &["a"], None, false, 10, &[("a", 1), ("b", 1)], &["x"]),
            // Everything anew, even from a lower generation.
            (3, &[("c", 5)], &["*"], Some(&["z"]), true, 3, &[("c", 5)], &["z"]),
            // Removed and sent again in one delta: it stays.
            (11, &[("a", 4)], &["a"], None, true, 11, &[("b", 1), ("a", 4)], &["x"]),
        ];
        for (generation, changed, removed, files, applied, now_at, machines, now_files) in rows {
            let delta = Delta {
                generation,
                machines_changed: changed.iter().map(|(id, it)| machine(id, *it)).collect(),
                machines_removed: removed.iter().map(|it| (*it).to_owned()).collect(),
                files: files.map(|it: &[&str]| it.iter().map(|it| file(it)).collect()),
                ..Delta::default()
            };
            let label = format!("{delta:?}");
            let mut snapshot = base();
            assert_eq!(apply(&mut snapshot, delta), applied, "{label}");
            assert_eq!(snapshot.generation, now_at, "{label}");
            let got: Vec<_> =
                snapshot.machines.iter().map(|it| (it.id.as_str(), it.attempt)).collect();
            assert_eq!(got, machines, "{label}");
            let got: Vec<_> = snapshot.files.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(got, now_files, "{label}");
        }
    }

    #[test]
    fn settings_and_subnets_change_only_when_sent() {
        let mut snapshot = base();
        let settings = Settings { enlist: true, ..Settings::default() };
        let delta = Delta { generation: 11, settings: Some(settings.clone()), ..Delta::default() };
        assert!(apply(&mut snapshot, delta));
        assert!(apply(&mut snapshot, Delta { generation: 12, ..Delta::default() }));
        assert_eq!((snapshot.settings, snapshot.generation), (settings, 12));
    }
}
