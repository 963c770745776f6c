//! What tokio serves by HTTP: the agents' gateway, and the metrics.

use std::sync::Arc;

use ironherd_link::LinkError;
use tokio::net::TcpListener;

use super::Rack;
use crate::config::RackConfig;
use crate::error::RackError;
use crate::gateway::Gateway;
use crate::gateway::accept::{self, Limits};
use crate::metrics::{self, Metrics};
use crate::shard::BoundPorts;

/// Those that are on.
#[derive(Debug)]
pub(super) struct Listeners {
    gateway: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

impl Listeners {
    pub(super) fn bind(config: &RackConfig, ports: &mut BoundPorts) -> Result<Self, RackError> {
        let gateway = bind_gateway(config, ports)?;
        Ok(Self { gateway, metrics: bind_metrics(config, ports) })
    }
}

impl Rack {
    pub(super) fn serve(
        &mut self,
        listeners: Listeners,
        config: &RackConfig,
        metrics: &Arc<Metrics>,
    ) -> Result<(), RackError> {
        let Listeners { gateway, metrics: shown } = listeners;
        let mut all = Vec::new();
        if let Some(listener) = gateway {
            let region = config.region_url.as_deref();
            let gateway = Gateway::new(region, Arc::clone(metrics))
                .map_err(|it| RackError::Link(LinkError::Unreachable(it)))?;
            all.push((listener, gateway.router()));
        }
        all.extend(shown.map(|listener| (listener, metrics::router(metrics))));
        for (listener, router) in all {
            let metrics = Arc::clone(metrics);
            self.tasks.spawn(async move {
                accept::serve(listener, router, Limits::default(), metrics).await;
                Ok(())
            });
        }
        Ok(())
    }
}

/// A rack that cannot show its metrics serves all the same.
fn bind_metrics(config: &RackConfig, ports: &mut BoundPorts) -> Option<TcpListener> {
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

fn bind_gateway(
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
