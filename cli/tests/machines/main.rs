//! Whole machines: real firmware, real BMC protocols, real operating systems, in a private lab.

mod crash;
mod demo;
mod firmware;
mod house;
mod lab;
