//! Address pools, the lease table and the journal that survives a crash.
//!
//! The table is pure: the caller owns the file and the clock. A change is in memory at once, so
//! that nobody else gets the address, and is promised to its client only when the journal
//! [`Position`] it returned has been committed. Times are seconds since 1970, for they must
//! outlive a restart.

mod calendar;
mod crc32c;
mod journal;
mod pool;
mod record;
mod table;

pub use journal::{Position, Recovery};
pub use record::{Lease, State};
pub use table::{Ask, Change, Choice, ChoiceReason, Grant, Refusal, Table};
