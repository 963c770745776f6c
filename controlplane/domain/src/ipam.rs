//! Addresses of a subnet: what may be written down and which one is next.

mod cidr;
mod plan;

pub use cidr::{address, addresses, cidr, overlap};
pub use plan::{Plan, Span};
