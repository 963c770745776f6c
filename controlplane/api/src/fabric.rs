//! Layer-2 worlds: fabrics, and the VLANs in them.

mod mutation;
mod object;
mod payload;
mod query;

pub(crate) use self::mutation::FabricMutation;
pub(crate) use self::object::{Fabric, Vlan};
pub(crate) use self::query::FabricQuery;
