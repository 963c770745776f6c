//! Long-running requests.

use async_graphql::{Enum, ID, SimpleObject};

use crate::scalar::{At, Long};

/// How a long-running request stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::OperationState")]
pub(crate) enum OperationState {
    /// At work, or waiting; the machine's `waitReason` says for what.
    Running,
    /// Everything asked for was done.
    Done,
    /// It ended early; `error` says why.
    Failed,
    /// A person aborted it, or asked for something else.
    Cancelled,
}

/// One part of a long-running request.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct OperationStep {
    /// What is done in it, in a word or two.
    pub(crate) name: String,
    /// When it began.
    pub(crate) started_at: At,
    /// When it ended; absent while it runs.
    pub(crate) finished_at: Option<At>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

/// How far something has come, as the agent last said.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct Progress {
    /// What is being done, in a word or two.
    pub(crate) step: String,
    /// How much of the step is done, 0 to 100.
    pub(crate) percent: Option<i32>,
    /// Bytes done of this step.
    pub(crate) bytes_done: Option<Long>,
    /// Bytes that this step has in all.
    pub(crate) bytes_total: Option<Long>,
    /// A sentence for a person.
    pub(crate) message: Option<String>,
    /// When the agent said so.
    pub(crate) at: At,
}
