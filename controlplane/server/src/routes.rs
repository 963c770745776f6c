//! Which path answers what.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post, put};
use ironherd_api::Schema;
use ironherd_app::{Actor, App, CAPTURE_BYTES_MAX, CommandError};
use tokio::sync::watch;
use uuid::Uuid;

use crate::metrics::Metrics;
use crate::{access_log, assets, captures, graphql, health, images, metrics, setup, websocket};

/// What every request needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Region {
    pub(crate) app: App,
    pub(crate) schema: Schema,
    pub(crate) metrics: Arc<Metrics>,
    /// Becomes true when the server stops: what is long-lived must end then.
    pub(crate) shutdown: watch::Receiver<bool>,
}

impl Region {
    /// Who holds a bearer token; `None` if nobody does.
    ///
    /// # Errors
    /// The id of a fault of ours, logged.
    pub(crate) async fn authenticate(&self, token: &str) -> Result<Option<Actor>, Uuid> {
        match self.app.actor(token).await {
            Ok(actor) => Ok(Some(actor)),
            Err(CommandError::Fault(fault)) => Err(fault.id),
            Err(_) => Ok(None),
        }
    }
}

/// Every route of the region over one app. Long-lived connections end once `shutdown` is true.
pub fn router(app: App, shutdown: watch::Receiver<bool>) -> Router {
    let schema = ironherd_api::schema(app.clone());
    let region = Region { app, schema, metrics: Arc::default(), shutdown };
    let limited = Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/graphql/ws", any(websocket::upgrade))
        .route("/setup", post(setup::redeem))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/graphiql", get(assets::graphiql_index))
        .route("/graphiql/{name}", get(assets::graphiql_file))
        .route("/", get(assets::console_index))
        .route("/{name}", get(assets::console_file))
        .layer(DefaultBodyLimit::max(graphql::BODY_BYTES_MAX));
    // Images are as large as disks; the app bounds them by the size that was promised.
    let unlimited = Router::new()
        .route("/images/{sha256}", put(images::upload).get(images::download))
        .layer(DefaultBodyLimit::disable());
    let captures = Router::new()
        .route("/captures/{id}", put(captures::upload).get(captures::download))
        .layer(DefaultBodyLimit::max(CAPTURE_BYTES_MAX));
    let log = axum::middleware::from_fn_with_state(region.clone(), access_log::layer);
    limited.merge(unlimited).merge(captures).layer(log).with_state(region)
}
