//! The API from outside: a document goes in, JSON comes out.

mod asks;
mod codes;
mod dhcp;
mod dhcp_refusals;
mod documents;
mod errors;
mod harness;
mod lifecycle;
mod leases;
mod lists;
mod policy;
mod schema;
mod subscriptions;
mod tokens;
