//! Racks: what they ask for and what they report.

mod convert;
mod input;
mod lease;
mod lease_query;
mod mutation;
mod network;
mod object;
mod payload;
mod query;
mod request;
pub(crate) mod snapshot;
mod subscription;

pub(crate) use self::lease::LeaseState;
pub(crate) use self::mutation::RackMutation;
pub(crate) use self::object::Rack;
pub(crate) use self::query::RackQuery;
pub(crate) use self::subscription::RackSubscription;
