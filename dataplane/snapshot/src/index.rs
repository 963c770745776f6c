use std::collections::HashMap;
use std::net::Ipv4Addr;

use crate::{
    BootFile, Fabric, Mac, Machine, RelayPort, Reservation, ReservationKey, Snapshot, Subnet, Vlan,
};

/// A snapshot with the look-up tables that make each answer O(1). Built once a generation.
#[derive(Debug, Default)]
pub struct Index {
    snapshot: Snapshot,
    machine_by_mac: HashMap<Mac, usize>,
    machine_by_uuid: HashMap<[u8; 16], usize>,
    machine_by_id: HashMap<String, usize>,
    reservation: HashMap<(usize, ReservationKey), usize>, // -> place in the subnet's reservations.
    reserved: HashMap<Ipv4Addr, (usize, usize)>,          // -> subnet, place.
    vlan_by_id: HashMap<String, usize>,
    fabric_by_id: HashMap<String, usize>,
    file_by_name: HashMap<String, usize>,
}

/// What a client shows of itself, as far as reservations go by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub mac: Mac,
    pub client_id: Option<Vec<u8>>,
    pub uuid: Option<[u8; 16]>,
    pub relay_port: Option<RelayPort>,
}

impl Identity {
    #[must_use]
    pub fn of_card(mac: Mac) -> Self {
        Self { mac, ..Self::default() }
    }

    /// The keys that fit it, the strongest first.
    fn keys(&self) -> impl Iterator<Item = ReservationKey> + '_ {
        let port = self.relay_port.iter();
        let any_remote = port.clone().filter(|it| !it.remote_id.is_empty());
        let any_remote = any_remote.map(|it| RelayPort { remote_id: Vec::new(), ..it.clone() });
        std::iter::once(ReservationKey::Mac(self.mac))
            .chain(self.client_id.iter().cloned().map(ReservationKey::ClientId))
            .chain(self.uuid.map(ReservationKey::Uuid))
            .chain(port.cloned().chain(any_remote).map(ReservationKey::RelayPort))
    }
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
        let mut index = Self::default();
        for (at, machine) in snapshot.machines.iter().enumerate() {
            for mac in &machine.macs {
                index.machine_by_mac.entry(*mac).or_insert(at);
            }
            if let Some(uuid) = machine.uuid {
                index.machine_by_uuid.entry(uuid).or_insert(at);
            }
            index.machine_by_id.entry(machine.id.clone()).or_insert(at);
        }
        for (at, subnet) in snapshot.subnets.iter().enumerate() {
            for (place, reservation) in subnet.reservations.iter().enumerate() {
                index.reservation.entry((at, reservation.key.clone())).or_insert(place);
                index.reserved.entry(reservation.address).or_insert((at, place));
            }
        }
        for (at, vlan) in snapshot.vlans.iter().enumerate() {
            index.vlan_by_id.entry(vlan.id.clone()).or_insert(at);
        }
        for (at, fabric) in snapshot.fabrics.iter().enumerate() {
            index.fabric_by_id.entry(fabric.id.clone()).or_insert(at);
        }
        for (at, file) in snapshot.files.iter().enumerate() {
            index.file_by_name.entry(file.name.clone()).or_insert(at);
        }
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
        let by_uuid = || self.machine_by_uuid.get(&uuid?);
        let at = self.machine_by_mac.get(&mac).or_else(by_uuid);
        match at.and_then(|at| self.snapshot.machines.get(*at)) {
            Some(machine) => Lookup::Known(machine),
            None => Lookup::Unknown,
        }
    }

    #[must_use]
    pub fn machine_by_id(&self, id: &str) -> Option<&Machine> {
        self.snapshot.machines.get(*self.machine_by_id.get(id)?)
    }

    /// The subnet that holds `address`, with its place; the longest prefix wins.
    #[must_use]
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<(usize, &Subnet)> {
        let holds = |(_, subnet): &(usize, &Subnet)| subnet.cidr.contains(&address);
        let subnets = self.snapshot.subnets.iter().enumerate();
        subnets.filter(holds).max_by_key(|(_, subnet)| subnet.cidr.prefix_len())
    }

    /// The reservation of one client in the subnet at `subnet` (its place from
    /// [`Self::subnet_of`]).
    #[must_use]
    pub fn reservation(&self, subnet: usize, identity: &Identity) -> Option<&Reservation> {
        let place = identity.keys().find_map(|key| self.reservation.get(&(subnet, key)))?;
        self.snapshot.subnets.get(subnet)?.reservations.get(*place)
    }

    /// The reservation that holds an address.
    #[must_use]
    pub fn reservation_at(&self, address: Ipv4Addr) -> Option<&Reservation> {
        let (subnet, place) = self.reserved.get(&address)?;
        self.snapshot.subnets.get(*subnet)?.reservations.get(*place)
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

    #[must_use]
    pub fn file(&self, name: &str) -> Option<&BootFile> {
        self.snapshot.files.get(*self.file_by_name.get(name)?)
    }
}
