//! `ironherd fabric|vlan|range|reservation|subnet6 …`: what networks are made of.

pub(crate) mod fabric;
pub(crate) mod range;
pub(crate) mod reservation;
pub(crate) mod subnet6;
pub(crate) mod vlan;
