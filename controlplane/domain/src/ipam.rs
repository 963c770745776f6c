//! Addresses of a subnet: what may be written down and which one is next.

mod cidr;
mod plan;
mod six;

pub use cidr::{address, addresses, cidr, overlap};
pub use plan::{Plan, Span};
pub use six::{Plan6, PrefixPool, Span6, address6, addresses6, cidr6, pool6, prefix6};
