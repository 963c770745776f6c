//! The commands of the region, on both engines.

mod access;
mod agent;
mod change;
mod harness;
mod lifecycle;
mod machine;
mod network;
mod rack;
mod trouble;
