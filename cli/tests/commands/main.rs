//! The program's commands, as people type them, against a region and a rack that run.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

mod asks;
mod networks;
mod world;
