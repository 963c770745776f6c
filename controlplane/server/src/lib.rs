//! The region: HTTP routes, access, configuration, workers.

mod access_log;
mod assets;
mod bearer;
mod captures;
mod config;
mod graphql;
mod health;
mod images;
mod metrics;
mod routes;
mod run;
mod setup;
mod websocket;

pub use config::RegionConfig;
pub use routes::router;
pub use run::{RunError, run};
