use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use ironherd_snapshot::Mac;

use crate::{Position, State};

/// What an association is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Address,
    Prefix,
}

/// An address (128 bits long) or a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Block {
    pub address: Ipv6Addr,
    pub len: u8,
}

impl Block {
    #[must_use]
    pub const fn address(address: Ipv6Addr) -> Self {
        Self { address, len: 128 }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.len {
            128 => write!(f, "{}", self.address),
            len => write!(f, "{}/{len}", self.address),
        }
    }
}

/// One identity association of one client: what holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Association {
    /// At most 130 bytes.
    pub duid: Arc<[u8]>,
    pub iaid: u32,
    pub kind: Kind,
}

/// The longest DUID (RFC 9915 §11.1), type included.
pub(crate) const DUID_BYTES_MAX: usize = 130;

/// One address or prefix of the table, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease6 {
    pub block: Block,
    /// Who holds it, or held it last.
    pub holder: Association,
    /// The client's card, if it was known.
    pub mac: Option<Mac>,
    pub state: State,
    /// End of the lease or quarantine; of a free block, when it became free.
    pub expires: u64,
    pub reserved: bool,
    pub position: Position,
}

impl Lease6 {
    /// Whether this association may use it now.
    #[must_use]
    pub fn is_held_by(&self, holder: &Association) -> bool {
        self.state == State::Bound && self.holder == *holder
    }
}

/// One address or prefix of the table, as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) block: Block,
    pub(crate) holder: Association,
    pub(crate) network: u128, // First address of the subnet: with the holder the key of its client.
    pub(crate) mac: Option<Mac>,
    pub(crate) state: State,
    pub(crate) reserved: bool,
    pub(crate) listed: bool, // On its pool's list of free blocks.
    pub(crate) expires: u64,
    pub(crate) position: u64,
    pub(crate) filed: u64, // The second the calendar will look at it; 0 = not in the calendar.
}

impl Record {
    /// One that is not in the journal yet.
    pub(crate) fn free(block: Block, holder: Association) -> Self {
        Self {
            block,
            holder,
            network: 0,
            mac: None,
            state: State::Free,
            reserved: false,
            listed: false,
            expires: 0,
            position: 0,
            filed: 0,
        }
    }

    pub(crate) fn lease(&self) -> Lease6 {
        Lease6 {
            block: self.block,
            holder: self.holder.clone(),
            mac: self.mac,
            state: self.state,
            expires: self.expires,
            reserved: self.reserved,
            position: Position(self.position),
        }
    }
}
