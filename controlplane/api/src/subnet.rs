//! Networks, and the addresses in them.

mod input;
mod mutation;
mod object;
mod payload;
mod query;

pub(crate) use self::input::vlan;
pub(crate) use self::mutation::SubnetMutation;
pub(crate) use self::object::Subnet;
pub(crate) use self::query::SubnetQuery;
