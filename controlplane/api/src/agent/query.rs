//! What an agent asks for.

use async_graphql::{Context, Object, Result};

use super::payload::{AgentDeploy, AgentTask};
use crate::answer::app;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct AgentQuery;

#[Object]
impl AgentQuery {
    /// What the calling agent shall do. Needs an agent's token.
    async fn agent_task(&self, ctx: &Context<'_>) -> Result<AgentTask> {
        let actor = access::agent(ctx)?;
        let task = answer::query(app(ctx).agent_task(actor).await)?;
        Ok(AgentTask { kind: task.kind.into(), deploy: task.deploy.map(Into::into) })
    }
}

impl From<ironherd_app::AgentDeploy> for AgentDeploy {
    fn from(it: ironherd_app::AgentDeploy) -> Self {
        Self {
            image_path: it.image_path,
            sha256: it.sha256,
            size_bytes: it.size_bytes.into(),
            format: it.format.into(),
            disk_bytes: it.disk_bytes.map(Into::into),
            meta_data: it.meta_data,
            user_data: it.user_data,
            vendor_data: it.vendor_data,
            network_config: it.network_config,
            phone_home_token: it.phone_home_token.expose().to_owned(),
        }
    }
}
