use std::net::Ipv4Addr;

use ironherd_snapshot::Mac;

use crate::Position;

/// Where one address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nobody's. It still remembers its last client, who gets it again if it can.
    Free,
    /// Kept for a client for a short while; in memory only.
    Offered,
    Bound,
    /// A client found it in use by someone who never asked us.
    Quarantined,
}

/// One address of the table, as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub address: Ipv4Addr,
    /// Who holds it, or held it last.
    pub mac: Mac,
    pub state: State,
    /// End of the lease, offer or quarantine; of a free address, when it became free.
    pub expires: u64,
    /// Whether the address was reserved for the card, not taken from a pool.
    pub reserved: bool,
    /// Where the journal says so. Meaningless while only offered.
    pub position: Position,
}

pub(crate) const NO_SLOT: u32 = u32::MAX;

/// One address of the table, as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) expires: u64,
    pub(crate) position: u64,
    pub(crate) filed: u64, // The second the calendar will look at it; 0 = not in the calendar.
    pub(crate) address: u32,
    pub(crate) network: u32, // First address of the subnet: with `mac` the key of its client.
    pub(crate) mac: Mac,
    pub(crate) state: State,
    pub(crate) reserved: bool,
    pub(crate) pool: u32,  // On which pool's free list it is; NO_SLOT = on none.
    pub(crate) older: u32, // Neighbours on that list.
    pub(crate) newer: u32,
}

const _: () = assert!(size_of::<Record>() <= 64, "a million leases shall fit into 64 MB");

impl Record {
    pub(crate) fn new(address: u32) -> Self {
        Self {
            expires: 0,
            position: 0,
            filed: 0,
            address,
            network: 0,
            mac: Mac([0; 6]),
            state: State::Free,
            reserved: false,
            pool: NO_SLOT,
            older: NO_SLOT,
            newer: NO_SLOT,
        }
    }

    pub(crate) fn lease(&self) -> Lease {
        Lease {
            address: self.address.into(),
            mac: self.mac,
            state: self.state,
            expires: self.expires,
            reserved: self.reserved,
            position: Position(self.position),
        }
    }
}
