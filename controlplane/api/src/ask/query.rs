//! What a client would get.

use async_graphql::{Context, Object, Result};

use super::explain::DhcpExplanation;
use super::input::DhcpExplainInput;
use crate::answer::app;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct AskQuery;

#[Object]
impl AskQuery {
    /// What a DHCP client would get now, and why: answered by a connected rack, from the snapshot
    /// and the leases it has, by the code that answers real clients. Nothing is granted or kept.
    async fn dhcp_explain(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The client, as it would show itself.")] input: DhcpExplainInput,
    ) -> Result<DhcpExplanation> {
        let actor = access::user(ctx)?;
        let explained = async { app(ctx).dhcp_explain(actor, input.parse()?).await };
        Ok(DhcpExplanation(answer::query(explained.await)?))
    }
}
