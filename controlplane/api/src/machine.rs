//! Machines: what the whole thing is about.

pub(crate) mod hardware;
pub(crate) mod input;
mod mutation;
mod object;
pub(crate) mod payload;
mod query;
pub(crate) mod state;

pub(crate) use self::mutation::MachineMutation;
pub(crate) use self::object::Machine;
pub(crate) use self::query::{MachineQuery, machine_argument};
