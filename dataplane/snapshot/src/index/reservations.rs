use std::borrow::Cow;
use std::collections::HashMap;
use std::net::Ipv4Addr;

use crate::{Mac, Reservation, ReservationKey, Shared};

/// What a client shows of itself, as far as reservations go by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity<'a> {
    pub mac: Mac,
    pub client_id: Option<Cow<'a, [u8]>>,
    pub uuid: Option<[u8; 16]>,
    /// What the relay calls the port, sub-options 1 and 2 of option 82.
    pub circuit_id: Option<Cow<'a, [u8]>>,
    pub remote_id: Option<Cow<'a, [u8]>>,
}

impl Identity<'_> {
    #[must_use]
    pub fn of_card(mac: Mac) -> Self {
        Self { mac, ..Self::default() }
    }
}

/// One subnet's reservations, a table for each kind of key: an empty one costs no look-up, and
/// none needs a key that is made for it.
#[derive(Debug, Default)]
pub(super) struct Reservations {
    by_mac: HashMap<Mac, usize>,
    by_client_id: HashMap<Vec<u8>, usize>,
    by_uuid: HashMap<[u8; 16], usize>,
    by_circuit: HashMap<Vec<u8>, Vec<(Vec<u8>, usize)>>, // -> remote id, place.
    by_address: HashMap<Ipv4Addr, usize>,
}

impl Reservations {
    pub(super) fn of(reservations: &[Shared<Reservation>]) -> Self {
        let mut all = Self::default();
        for (place, reservation) in reservations.iter().enumerate() {
            all.by_address.entry(reservation.address).or_insert(place);
            match &reservation.key {
                ReservationKey::Mac(mac) => {
                    all.by_mac.entry(*mac).or_insert(place);
                }
                ReservationKey::ClientId(id) => {
                    all.by_client_id.entry(id.clone()).or_insert(place);
                }
                ReservationKey::Uuid(uuid) => {
                    all.by_uuid.entry(*uuid).or_insert(place);
                }
                ReservationKey::RelayPort(port) => {
                    let remotes = all.by_circuit.entry(port.circuit_id.clone()).or_default();
                    remotes.push((port.remote_id.clone(), place));
                }
            }
        }
        all
    }

    /// The strongest key that fits: card, client id, UUID, port of the relay.
    pub(super) fn find(&self, identity: &Identity<'_>) -> Option<usize> {
        let by_mac = || self.by_mac.get(&identity.mac);
        let by_client_id = || self.by_client_id.get(identity.client_id.as_deref()?);
        let by_uuid = || self.by_uuid.get(&identity.uuid?);
        let of_card = by_mac().or_else(by_client_id).or_else(by_uuid);
        of_card.copied().or_else(|| self.by_port(identity))
    }

    pub(super) fn at(&self, address: Ipv4Addr) -> Option<usize> {
        self.by_address.get(&address).copied()
    }

    /// A remote id that is named goes before one that may be anything.
    fn by_port(&self, identity: &Identity<'_>) -> Option<usize> {
        let remotes = self.by_circuit.get(identity.circuit_id.as_deref()?)?;
        let named = identity.remote_id.as_deref().unwrap_or_default();
        let of = |wanted: &[u8]| remotes.iter().find(|(remote, _)| remote == wanted);
        of(named).or_else(|| of(&[])).map(|(_, place)| *place)
    }
}
