//! Agents on machines, and the systems they install.

mod input;
mod mutation;
mod payload;
mod query;

pub(crate) use self::mutation::AgentMutation;
pub(crate) use self::query::AgentQuery;
