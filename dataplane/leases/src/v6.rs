//! IPv6: addresses and delegated prefixes, who holds them, and a journal of their own.
//!
//! As in the IPv4 table, a change is in memory at once and is promised only when its
//! [`Position`](crate::Position) is committed. Two things differ. A client may hold several leases,
//! so its key is the association (DUID, IAID, kind), not the card. And a pool may be larger than
//! any memory: nothing is kept for who merely asks, and the number of records is bounded.

mod journal;
mod pool;
mod record;
mod table;

pub use record::{Association, Block, Kind, Lease6};
pub use table::{Ask6, Change6, Grant6, Refusal6, Table6};
