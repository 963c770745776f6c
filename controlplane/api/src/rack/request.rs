//! What people ask racks, and what racks answer.

use async_graphql::{ID, InputObject, SimpleObject};
use ironherd_app as app;

use crate::scalar::Long;

/// One question to a rack.
#[derive(SimpleObject, Debug)]
pub(crate) struct RackRequest {
    /// Names it in the answer.
    id: ID,
    /// The question as JSON; its `kind` says which.
    question: String,
    /// So many milliseconds from now somebody still waits for the answer.
    within_ms: Long,
}

/// A rack's answer.
#[derive(InputObject, Debug)]
pub(crate) struct RackAnswerInput {
    /// The question's id.
    pub(crate) id: ID,
    /// The answer as JSON, in the shape that the question asks for.
    pub(crate) answer: Option<String>,
    /// Instead: why there is none, as JSON with `code` and `message`.
    pub(crate) refusal: Option<String>,
}

impl From<app::RackRequest> for RackRequest {
    fn from(it: app::RackRequest) -> Self {
        let within = u64::try_from(it.within.as_millis()).unwrap_or(u64::MAX);
        Self { id: ID(it.id.to_string()), question: it.question, within_ms: Long::from(within) }
    }
}

impl From<RackAnswerInput> for app::RackAnswer {
    fn from(it: RackAnswerInput) -> Self {
        Self { id: it.id.to_string(), answer: it.answer, refusal: it.refusal }
    }
}
