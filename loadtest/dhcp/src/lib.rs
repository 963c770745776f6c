//! Plays any number of DHCP clients against a server and measures what they get.
//!
//! [`Engine`] decides (what to send, what a reply means, what was lost) and knows neither clock nor
//! socket. [`run`] joins it to a network: as a relay, or as clients on the server's own link.

mod args;
mod engine;
mod error;
mod frames;
mod plan;
mod private;
mod report;
mod run;
mod wire;

pub use args::LoadArgs;
pub use engine::{Engine, Progress, Step, ToSend};
pub use error::LoadError;
pub use frames::{Path, Via};
pub use plan::{Plan, Shape};
pub use private::is_private;
pub use report::{Errors, Latency, Report};
pub use run::run;
