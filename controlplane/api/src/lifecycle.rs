//! The table of a machine's life.

use async_graphql::{Object, Result, SimpleObject};
use ironherd_domain::machine::STEPS;

use crate::machine::state::MachineState;

/// One legal step in a machine's life. What is not in the table is refused.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct LifecycleStep {
    /// The state before.
    from: MachineState,
    /// What happens.
    event: String,
    /// The state after.
    to: MachineState,
}

#[derive(Debug, Default)]
pub(crate) struct LifecycleQuery;

#[Object]
impl LifecycleQuery {
    /// Every legal step in a machine's life.
    async fn lifecycle(&self, ctx: &async_graphql::Context<'_>) -> Result<Vec<LifecycleStep>> {
        crate::access::user(ctx)?;
        let step = |it: &ironherd_domain::machine::Step| LifecycleStep {
            from: it.from.into(),
            event: it.event.as_str().to_owned(),
            to: it.to.into(),
        };
        Ok(STEPS.iter().map(step).collect())
    }
}
