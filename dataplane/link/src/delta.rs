use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::Ipv4Addr;

use ironherd_snapshot::{
    BootFile, ClientClass, Fabric, Machine, Reservation, Settings, Shared, Snapshot, Subnet,
    Subnet6, Vlan,
};

/// What changed since an earlier generation. An absent list is unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    pub generation: u64,
    pub settings: Option<Settings>,
    pub fabrics: Option<Vec<Fabric>>,
    pub vlans: Option<Vec<Vlan>>,
    pub subnets_changed: Vec<SubnetChange>,
    /// Ids; `*` stands for all that were there before. So for machines.
    pub subnets_removed: Vec<String>,
    /// Of subnets that are there once the others changed.
    pub reservations: Vec<ReservationsChange>,
    pub subnets6: Option<Vec<Subnet6>>,
    pub classes: Option<Vec<ClientClass>>,
    pub machines_changed: Vec<Machine>,
    pub machines_removed: Vec<String>,
    pub files: Option<Vec<BootFile>>,
}

/// A subnet that is new or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetChange {
    pub subnet: Subnet,
    /// Its reservations are what they were, whatever `subnet` says: there may be thousands.
    pub keeps_reservations: bool,
}

/// Single reservations of a subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservationsChange {
    /// Id of the subnet.
    pub subnet: String,
    /// In place of what their addresses were reserved for, if anything.
    pub changed: Vec<Reservation>,
    pub removed: Vec<Ipv4Addr>,
}

/// In the lists of what was removed: the region does not know our generation and sends everything.
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
    remove(&mut snapshot.machines, &delta.machines_removed, |it| &it.id);
    put(&mut snapshot.machines, delta.machines_changed, |it| it.id.as_str());
    remove(&mut snapshot.subnets, &delta.subnets_removed, |it| &it.id);
    put_subnets(&mut snapshot.subnets, delta.subnets_changed);
    for ReservationsChange { subnet, changed, removed } in delta.reservations {
        let Some(subnet) = snapshot.subnets.iter_mut().find(|it| it.id == subnet) else { continue };
        if !removed.is_empty() {
            let removed: HashSet<Ipv4Addr> = removed.into_iter().collect();
            subnet.reservations.retain(|it| !removed.contains(&it.address));
        }
        put(&mut subnet.reservations, changed, |it| &it.address);
    }
    if let Some(settings) = delta.settings {
        snapshot.settings = settings;
    }
    replace(&mut snapshot.fabrics, delta.fabrics);
    replace(&mut snapshot.vlans, delta.vlans);
    replace(&mut snapshot.subnets6, delta.subnets6);
    replace(&mut snapshot.classes, delta.classes);
    replace(&mut snapshot.files, delta.files);
    snapshot.generation = delta.generation;
    true
}

fn replace<A, B: From<A>>(list: &mut Vec<B>, new: Option<Vec<A>>) {
    if let Some(new) = new {
        *list = new.into_iter().map(B::from).collect();
    }
}

fn remove<T>(list: &mut Vec<Shared<T>>, ids: &[String], id: fn(&T) -> &str) {
    if ids.iter().any(|it| it == ALL) {
        list.clear();
    } else if !ids.is_empty() {
        let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
        list.retain(|it| !ids.contains(id(it)));
    }
}

/// Each in the place of the one with its key, or at the end. Nothing else is copied.
fn put<T, K: Eq + Hash + ?Sized>(list: &mut Vec<Shared<T>>, new: Vec<T>, key: fn(&T) -> &K) {
    if new.is_empty() {
        return;
    }
    let new: Vec<Shared<T>> = new.into_iter().map(Shared::from).collect();
    let by_key: HashMap<&K, &Shared<T>> = new.iter().map(|it| (key(it), it)).collect();
    let mut known: HashSet<&K> = HashSet::new();
    for place in list.iter_mut() {
        if let Some((key, new)) = by_key.get_key_value(key(place)) {
            known.insert(key);
            *place = (*new).clone();
        }
    }
    list.extend(new.iter().filter(|it| !known.contains(key(it))).cloned());
}

fn put_subnets(list: &mut Vec<Shared<Subnet>>, changes: Vec<SubnetChange>) {
    let kept = |SubnetChange { mut subnet, keeps_reservations }| {
        if keeps_reservations {
            let before = list.iter().find(|it| it.id == subnet.id);
            subnet.reservations = before.map(|it| it.reservations.clone()).unwrap_or_default();
        }
        subnet
    };
    let new = changes.into_iter().map(kept).collect();
    put(list, new, |it| it.id.as_str());
}

#[cfg(test)]
mod tests {
    use ironherd_snapshot::{BootKey, Intent, Mac};

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
            machines: vec![machine("a", 1).into(), machine("b", 1).into()],
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

    fn reservation(last: u8, hostname: &str) -> Reservation {
        let address = Ipv4Addr::new(10, 0, 0, last);
        Reservation::of_card(Mac([2, 0, 0, 0, 0, last]), address, Some(hostname.to_owned()))
    }

    fn subnet(id: &str, lease_seconds: u32, reservations: &[Reservation]) -> Subnet {
        let reservations = reservations.iter().cloned().map(Shared::from).collect();
        Subnet { id: id.to_owned(), lease_seconds, reservations, ..Subnet::default() }
    }

    #[test]
    fn single_reservations_change_and_the_rest_stays_in_memory() {
        let (one, two) = (reservation(1, "one"), reservation(2, "two"));
        let subnets = vec![subnet("a", 60, &[one, two]).into(), subnet("b", 60, &[]).into()];
        let mut snapshot = Snapshot { generation: 10, subnets, ..Snapshot::default() };
        let before = snapshot.clone();
        let delta = Delta {
            generation: 11,
            subnets_changed: vec![
                SubnetChange { subnet: subnet("a", 90, &[]), keeps_reservations: true },
                SubnetChange { subnet: subnet("c", 60, &[reservation(9, "nine")]), ..default() },
            ],
            subnets_removed: vec!["b".to_owned()],
            reservations: vec![
                ReservationsChange {
                    subnet: "a".to_owned(),
                    changed: vec![reservation(3, "three"), reservation(2, "zwei")],
                    removed: Vec::new(),
                },
                ReservationsChange {
                    subnet: "c".to_owned(),
                    changed: vec![reservation(8, "eight")],
                    removed: vec![Ipv4Addr::new(10, 0, 0, 9)],
                },
                ReservationsChange { subnet: "b".to_owned(), ..default() },
            ],
            ..Delta::default()
        };
        assert!(apply(&mut snapshot, delta));
        let told: Vec<_> = snapshot
            .subnets
            .iter()
            .map(|it| {
                let names = it.reservations.iter().map(|it| it.hostname.as_deref().unwrap());
                (it.id.as_str(), it.lease_seconds, names.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(told, [("a", 90, vec!["one", "zwei", "three"]), ("c", 60, vec!["eight"])]);
        assert!(before.subnets[0].reservations[0].is_same(&snapshot.subnets[0].reservations[0]));
        let names = before.subnets[0].reservations.iter().map(|it| it.hostname.as_deref());
        assert_eq!(names.collect::<Vec<_>>(), [Some("one"), Some("two")], "others keep theirs");
    }

    fn default<T: Default>() -> T {
        T::default()
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
