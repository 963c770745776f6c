//! Making captures.

use async_graphql::{Context, Object, Result};

use super::input::DhcpCaptureInput;
use super::object::DhcpCapture;
use super::payload::DhcpCapturePayload;
use crate::answer::app;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct AskMutation;

#[Object]
impl AskMutation {
    /// Collects the DHCP packets that racks keep in memory, as one pcap file.
    async fn dhcp_capture(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which packets.")] input: DhcpCaptureInput,
    ) -> Result<DhcpCapturePayload> {
        let actor = access::user(ctx)?;
        let captured = async { app(ctx).dhcp_capture(actor, input.parse()?).await };
        answer::mutation(captured.await, |it| DhcpCapturePayload::done(DhcpCapture(it)))
    }
}
