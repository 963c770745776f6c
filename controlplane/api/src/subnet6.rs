//! IPv6 networks, and what is kept in them.

mod input;
mod mutation;
mod object;
mod payload;
mod query;

pub(crate) use self::mutation::Subnet6Mutation;
pub(crate) use self::object::Subnet6;
pub(crate) use self::query::Subnet6Query;
