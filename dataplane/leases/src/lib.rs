//! Address pools, the lease table and the journal that survives a crash.
//!
//! Each shard of a rack has a [`Table`] and a journal of its own; the addresses are shared through
//! [`Claims`], which take no lock. The table is pure: the caller owns the file and the clock. A
//! change is in memory at once, so that nobody else gets the address, and is promised to its client
//! only when the journal [`Position`] it returned has been committed. Times are seconds since 1970,
//! for they must outlive a restart.

mod calendar;
mod claims;
mod clients;
mod crc32c;
mod journal;
mod places;
mod pool;
mod record;
mod shards;
mod slice;
mod table;
pub mod v6;

pub use claims::{Claims, Usage};
pub use journal::{Position, Recovery, Replay};
pub use record::{Lease, State};
pub use shards::{Joined, image, join, shift_times};
pub use slice::Slice;
pub use table::{Ask, Change, Choice, ChoiceReason, Grant, Refusal, Table};
