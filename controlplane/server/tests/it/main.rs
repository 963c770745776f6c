//! The region's HTTP side, over real sockets.

mod assets;
mod captures;
mod graphql;
mod harness;
mod images;
mod metrics;
mod setup;
mod shutdown;
mod websocket;
