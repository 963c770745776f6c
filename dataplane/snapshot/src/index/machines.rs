use std::collections::HashMap;

use crate::{Mac, Machine, Shared};

/// The machines of a snapshot by what they are told by.
#[derive(Debug, Default)]
pub(super) struct Machines {
    by_mac: HashMap<Mac, usize>,
    by_uuid: HashMap<[u8; 16], usize>,
    by_id: HashMap<String, usize>,
}

impl Machines {
    pub(super) fn of(machines: &[Shared<Machine>]) -> Self {
        let mut all = Self::default();
        for (at, machine) in machines.iter().enumerate() {
            for mac in &machine.macs {
                all.by_mac.entry(*mac).or_insert(at);
            }
            if let Some(uuid) = machine.uuid {
                all.by_uuid.entry(uuid).or_insert(at);
            }
            all.by_id.entry(machine.id.clone()).or_insert(at);
        }
        all
    }

    /// Whether the tables of the one list are those of the other, too.
    pub(super) fn stay(old: &[Shared<Machine>], new: &[Shared<Machine>]) -> bool {
        let alike = |(a, b): (&Shared<Machine>, &Shared<Machine>)| {
            a.is_same(b) || (&a.id, &a.macs, a.uuid) == (&b.id, &b.macs, b.uuid)
        };
        old.len() == new.len() && old.iter().zip(new).all(alike)
    }

    pub(super) fn find(&self, mac: Mac, uuid: Option<[u8; 16]>) -> Option<usize> {
        let by_uuid = || self.by_uuid.get(&uuid?);
        self.by_mac.get(&mac).or_else(by_uuid).copied()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }
}
