//! The listeners that tokio serves.

use tokio::net::TcpListener;

use crate::config::RackConfig;
use crate::error::RackError;
use crate::gateway::accept;
use crate::shard::BoundPorts;

/// A rack that cannot show its metrics serves all the same.
pub(super) fn bind_metrics(config: &RackConfig, ports: &mut BoundPorts) -> Option<TcpListener> {
    let address = config.metrics_listen?;
    match accept::listen_on(address) {
        Ok(listener) => {
            ports.metrics = listener.local_addr().map_or(0, |it| it.port());
            Some(listener)
        }
        Err(error) => {
            tracing::warn!(id = "rack.metrics.listen", %address, %error, "no metrics are shown");
            None
        }
    }
}

pub(super) fn bind_gateway(
    config: &RackConfig,
    ports: &mut BoundPorts,
) -> Result<Option<TcpListener>, RackError> {
    if !config.services.gateway {
        return Ok(None);
    }
    let port = config.ports.gateway;
    let listener = accept::listen(port).map_err(|it| RackError::port("gateway", port, it))?;
    ports.gateway = listener.local_addr().map_or(0, |it| it.port());
    Ok(Some(listener))
}
