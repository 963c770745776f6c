//! Power and out-of-band management: IPMI 2.0 and Redfish, the one owner of BMC traffic.
//!
//! [`BmcPool`] is the front: it queues per BMC, spares dead ones and never repeats a refused
//! password by itself. Below it a [`Driver`] opens [`Connection`]s: [`ipmi`] or [`redfish`].

pub mod driver;
pub mod error;
pub mod ipmi;
pub mod pool;
pub mod redfish;
#[cfg(any(test, feature = "testing"))]
pub mod scripted;
pub mod target;

pub use driver::{BmcFuture, Boot, BootDevice, Connection, Control, Driver, Drivers, PowerState};
pub use error::BmcError;
pub use pool::{BmcPool, PoolConfig, PowerAction};
pub use target::{Credentials, Protocol, Secret, Target, TargetError, TlsTrust};
