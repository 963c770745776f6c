//! Long-running requests.

mod query;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

pub(crate) use self::query::OperationQuery;
use crate::id::{self, Kind};
use crate::loader::{self, MachineById, StepsOf};
use crate::machine::Machine;
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

/// A long-running request.
#[derive(Clone, Debug)]
pub(crate) struct Operation(pub(crate) ironherd_app::Operation);

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

/// A long-running request.
#[Object]
impl Operation {
    /// Global id.
    pub(crate) async fn id(&self) -> ID {
        id::encode(Kind::Operation, &self.0.id.to_text())
    }

    /// What was asked for: COMMISSION, DEPLOY, RELEASE or POWER.
    async fn kind(&self) -> &str {
        self.0.kind.as_str()
    }

    /// How it stands.
    async fn state(&self) -> OperationState {
        self.0.state.into()
    }

    /// The machine it is about; null once that is deleted.
    async fn machine(&self, ctx: &Context<'_>) -> Result<Option<Machine>> {
        Ok(loader::load(ctx, MachineById(self.0.machine_id)).await?.map(Machine))
    }

    /// The key that the caller gave.
    async fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// When it began.
    async fn created_at(&self) -> At {
        self.0.created.into()
    }

    /// When it ended; null while it runs.
    async fn finished_at(&self) -> Option<At> {
        self.0.finished.map(Into::into)
    }

    /// When its current state gives up; null once it has ended.
    async fn deadline(&self) -> Option<At> {
        self.0.deadline.map(Into::into)
    }

    /// Why it failed.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// Its parts so far, oldest first.
    async fn steps(&self, ctx: &Context<'_>) -> Result<Vec<OperationStep>> {
        let steps = loader::load(ctx, StepsOf(self.0.id)).await?.unwrap_or_default();
        Ok(steps.into_iter().map(Into::into).collect())
    }

    /// How far its current part has come.
    async fn progress(&self) -> Option<Progress> {
        self.0.progress.clone().map(Into::into)
    }
}

impl From<ironherd_app::OperationStep> for OperationStep {
    fn from(it: ironherd_app::OperationStep) -> Self {
        Self {
            name: it.name,
            started_at: it.started.into(),
            finished_at: it.finished.map(Into::into),
            error: it.error,
        }
    }
}

impl From<ironherd_domain::Progress> for Progress {
    fn from(it: ironherd_domain::Progress) -> Self {
        Self {
            step: it.step,
            percent: it.percent.map(i32::from),
            bytes_done: it.bytes_done.map(Into::into),
            bytes_total: it.bytes_total.map(Into::into),
            message: it.message,
            at: it.at.into(),
        }
    }
}
