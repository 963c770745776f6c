//! Questions that racks answer: what a client would get, and which packets were seen.

mod explain;
mod input;
mod mutation;
mod object;
mod payload;
mod query;

pub(crate) use self::mutation::AskMutation;
pub(crate) use self::query::AskQuery;
