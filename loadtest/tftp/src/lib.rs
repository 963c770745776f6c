//! Plays many TFTP clients against a server and measures what they get.
//!
//! [`Client`] decides (what a packet means, what is sent, when to ask again) and knows neither
//! clock nor socket. [`run`] gives each client a socket of its own, for a server tells them by
//! their ports.

mod args;
mod client;
mod error;
mod plan;
mod report;
mod run;

pub use args::TftpLoadArgs;
pub use client::{Answer, Client, Tally, Wants};
pub use error::TftpLoadError;
pub use plan::{Downloads, Plan};
pub use report::{Progress, Report};
pub use run::run;
