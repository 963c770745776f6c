use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use self::machines::Machines;
use self::networks::Networks;
use self::reservations::Reservations;
use self::v6::Networks6;
use crate::shared::all_same;
use crate::{
    BootFile, ClientClass, DhcpOption, Fabric, Mac, Machine, Range, Reservation, Snapshot, Subnet,
    Vlan,
};

mod machines;
mod networks;
mod reservations;
mod v6;

pub use reservations::Identity;

/// A snapshot with the look-up tables that make each answer O(1). Built once a generation; what a
/// change did not touch is taken over from the generation before.
#[derive(Debug, Default)]
pub struct Index {
    snapshot: Snapshot,
    machines: Arc<Machines>,
    networks: Networks,
    reservations: Vec<Arc<Reservations>>, // One for each subnet.
    wider: Vec<Vec<WiderOption>>,         // One list for each subnet.
    class_by_id: HashMap<String, usize>,
    vlan_by_id: HashMap<String, usize>,
    fabric_by_id: HashMap<String, usize>,
    file_by_name: HashMap<String, usize>,
    networks6: Arc<Networks6>,
}

/// A DHCPv4 option that a scope wider than the subnet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WiderOption {
    pub scope: WiderScope,
    pub option: DhcpOption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WiderScope {
    Vlan,
    Fabric,
    Global,
}

/// What a look-up by card found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    Known(&'a Machine),
    Unknown,
}

impl Index {
    /// Indexes a snapshot. The first of two entries with one key wins.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self::after(&Self::default(), snapshot)
    }

    /// Indexes a snapshot that follows another: just as [`Self::new`] does, but after a change of
    /// one machine or reservation in a fraction of the time.
    #[must_use]
    pub fn after(before: &Self, snapshot: Snapshot) -> Self {
        let mut index = Self::default();
        let old = &before.snapshot;
        index.machines = if Machines::stay(&old.machines, &snapshot.machines) {
            Arc::clone(&before.machines)
        } else {
            Arc::new(Machines::of(&snapshot.machines))
        };
        for (at, subnet) in snapshot.subnets.iter().enumerate() {
            let known = old.subnets.get(at).zip(before.reservations.get(at));
            let known = known.filter(|it| all_same(&it.0.reservations, &subnet.reservations));
            let table = match known {
                Some((_, table)) => Arc::clone(table),
                None => Arc::new(Reservations::of(&subnet.reservations)),
            };
            index.reservations.push(table);
        }
        for (at, vlan) in snapshot.vlans.iter().enumerate() {
            index.vlan_by_id.entry(vlan.id.clone()).or_insert(at);
        }
        for (at, fabric) in snapshot.fabrics.iter().enumerate() {
            index.fabric_by_id.entry(fabric.id.clone()).or_insert(at);
        }
        for (at, class) in snapshot.classes.iter().enumerate() {
            index.class_by_id.entry(class.id.clone()).or_insert(at);
        }
        index.networks = Networks::of(&snapshot.subnets);
        index.wider = snapshot.subnets.iter().map(|it| index.wider_of(&snapshot, it)).collect();
        for (at, file) in snapshot.files.iter().enumerate() {
            index.file_by_name.entry(file.name.clone()).or_insert(at);
        }
        index.networks6 = if all_same(&old.subnets6, &snapshot.subnets6) {
            Arc::clone(&before.networks6)
        } else {
            Arc::new(Networks6::of(&snapshot))
        };
        index.snapshot = snapshot;
        index
    }

    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The machine with this card, else the one with this SMBIOS UUID (option 97).
    ///
    /// The card goes first: some firmware sends a zero or shared UUID.
    #[must_use]
    pub fn machine(&self, mac: Mac, uuid: Option<[u8; 16]>) -> Lookup<'_> {
        let at = self.machines.find(mac, uuid);
        match at.and_then(|at| self.snapshot.machines.get(at)) {
            Some(machine) => Lookup::Known(machine),
            None => Lookup::Unknown,
        }
    }

    #[must_use]
    pub fn machine_by_id(&self, id: &str) -> Option<&Machine> {
        Some(self.snapshot.machines.get(self.machines.by_id(id)?)?)
    }

    /// The subnet that holds `address`, with its place; the longest prefix wins.
    #[must_use]
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<(usize, &Subnet)> {
        let at = self.networks.find(address)?;
        Some((at, self.snapshot.subnets.get(at)?))
    }

    /// The places of all subnets that share the link of the one at `subnet`, that one first.
    #[must_use]
    pub fn subnets_together(&self, subnet: usize) -> &[usize] {
        self.networks.together(subnet)
    }

    /// The reservation of one client in the subnet at `subnet` (its place from
    /// [`Self::subnet_of`]).
    #[must_use]
    pub fn reservation(&self, subnet: usize, identity: &Identity<'_>) -> Option<&Reservation> {
        let place = self.reservations.get(subnet)?.find(identity)?;
        Some(self.snapshot.subnets.get(subnet)?.reservations.get(place)?)
    }

    /// The reservation that holds an address, whichever of the subnets around it has it.
    #[must_use]
    pub fn reservation_at(&self, address: Ipv4Addr) -> Option<&Reservation> {
        self.networks.holding(address).find_map(|subnet| {
            let place = self.reservations.get(subnet)?.at(address)?;
            Some(&**self.snapshot.subnets.get(subnet)?.reservations.get(place)?)
        })
    }

    /// The VLAN a subnet is on; `None` while the region does not tell of any.
    #[must_use]
    pub fn vlan_of(&self, subnet: &Subnet) -> Option<&Vlan> {
        self.vlan(&subnet.vlan)
    }

    #[must_use]
    pub fn vlan(&self, id: &str) -> Option<&Vlan> {
        self.snapshot.vlans.get(*self.vlan_by_id.get(id)?)
    }

    #[must_use]
    pub fn fabric(&self, id: &str) -> Option<&Fabric> {
        self.snapshot.fabrics.get(*self.fabric_by_id.get(id)?)
    }

    /// The place and the class of this id.
    #[must_use]
    pub fn class(&self, id: &str) -> Option<(usize, &ClientClass)> {
        let at = *self.class_by_id.get(id)?;
        Some((at, self.snapshot.classes.get(at)?))
    }

    /// The range of a subnet that holds an address.
    #[must_use]
    pub fn range_of(&self, subnet: usize, address: Ipv4Addr) -> Option<&Range> {
        let ranges = &self.snapshot.subnets.get(subnet)?.ranges;
        ranges.iter().find(|it| (it.first..=it.last).contains(&address))
    }

    /// The DHCPv4 options that hold in a subnet unless it or anything narrower says otherwise: of
    /// each code the one of VLAN, fabric or global that is nearest.
    #[must_use]
    pub fn wider_options(&self, subnet: usize) -> &[WiderOption] {
        self.wider.get(subnet).map_or(&[], Vec::as_slice)
    }

    fn wider_of(&self, snapshot: &Snapshot, subnet: &Subnet) -> Vec<WiderOption> {
        let vlan = self.vlan_by_id.get(&subnet.vlan).and_then(|at| snapshot.vlans.get(*at));
        let fabric = vlan.and_then(|it| self.fabric_by_id.get(&it.fabric));
        let fabric = fabric.and_then(|at| snapshot.fabrics.get(*at));
        let scopes = [
            (WiderScope::Vlan, vlan.map(|it| &it.options)),
            (WiderScope::Fabric, fabric.map(|it| &it.options)),
            (WiderScope::Global, Some(&snapshot.settings.options)),
        ];
        let mut merged: Vec<WiderOption> = Vec::new();
        for (scope, options) in scopes {
            for option in options.iter().flat_map(|it| &it.v4) {
                if merged.iter().all(|it| it.option.code != option.code) {
                    merged.push(WiderOption { scope, option: option.clone() });
                }
            }
        }
        merged
    }

    #[must_use]
    pub fn file(&self, name: &str) -> Option<&BootFile> {
        self.snapshot.files.get(*self.file_by_name.get(name)?)
    }
}
