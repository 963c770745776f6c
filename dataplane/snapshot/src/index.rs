use std::collections::HashMap;
use std::net::Ipv4Addr;

use crate::{BootFile, Mac, Machine, Reservation, Snapshot, Subnet};

/// A snapshot with the look-up tables that make each answer O(1). Built once a generation.
#[derive(Debug, Default)]
pub struct Index {
    snapshot: Snapshot,
    machine_by_mac: HashMap<Mac, usize>,
    machine_by_uuid: HashMap<[u8; 16], usize>,
    machine_by_id: HashMap<String, usize>,
    reservation: HashMap<(usize, Mac), usize>, // (subnet, card) -> place in its reservations.
    reserved: HashMap<Ipv4Addr, Mac>,
    file_by_name: HashMap<String, usize>,
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
                index.reservation.entry((at, reservation.mac)).or_insert(place);
                index.reserved.entry(reservation.address).or_insert(reservation.mac);
            }
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

    /// The reservation of one card in the subnet at `subnet` (its place from [`Self::subnet_of`]).
    #[must_use]
    pub fn reservation(&self, subnet: usize, mac: Mac) -> Option<&Reservation> {
        let place = self.reservation.get(&(subnet, mac))?;
        self.snapshot.subnets.get(subnet)?.reservations.get(*place)
    }

    /// The card that an address is reserved for.
    #[must_use]
    pub fn reserved_for(&self, address: Ipv4Addr) -> Option<Mac> {
        self.reserved.get(&address).copied()
    }

    #[must_use]
    pub fn file(&self, name: &str) -> Option<&BootFile> {
        self.snapshot.files.get(*self.file_by_name.get(name)?)
    }
}
