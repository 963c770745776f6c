//! GraphQL, one file a noun.
//!
//! The API parses, calls one function of [`ironherd_app`], and answers. It decides nothing, knows
//! no SQL, and never shows more of our own faults than an id.

mod access;
mod agent;
mod answer;
mod ask;
mod bmc_credential;
mod dhcp;
mod event;
mod fabric;
mod id;
mod image;
mod lifecycle;
mod loader;
mod machine;
mod node;
mod operation;
mod page;
mod rack;
mod scalar;
mod schema;
mod settings;
mod stranger;
mod subnet;
mod subnet6;
mod user_error;
mod viewer;

pub use access::Caller;
pub use schema::{Mutation, Query, Schema, Subscription, builder, schema, sdl};
