//! SQL: the same statements on SQLite and PostgreSQL, one file a noun.
//!
//! A command opens one [`Tx`], calls the functions of the nouns it touches and commits: state,
//! event and effects land together or not at all. Nothing here decides; `domain` does.

mod db;
mod row;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub mod boot_nonce;
pub mod client_class;
pub mod credential;
pub mod dhcp_option;
pub mod effect;
pub mod event;
pub mod fabric;
pub mod image;
pub mod lease;
pub mod lease_history;
pub mod lease_list;
pub mod machine;
pub mod nic;
pub mod operation;
pub mod rack;
pub mod range;
pub mod reservation;
pub mod reservation6;
pub mod setting;
pub mod snapshot_change;
pub mod subnet;
pub mod subnet6;
pub mod token;
pub mod vlan;

pub use db::{Db, StoreError, Tx};
pub use row::{Row, Value};

pub use client_class::ClientClass;
pub use credential::BmcCredential;
pub use dhcp_option::DhcpOption;
pub use effect::{Effect, EffectKind};
pub use event::{Event, NewEvent};
pub use fabric::Fabric;
pub use image::Image;
pub use lease::Lease;
pub use lease_history::{LeaseSpan, LeaseSubject};
pub use lease_list::LeaseFilter;
pub use machine::{Machine, MachineFilter};
pub use nic::Nic;
pub use operation::{Operation, OperationStep};
pub use rack::Rack;
pub use range::Range;
pub use reservation::Reservation;
pub use reservation6::Reservation6;
pub use snapshot_change::SnapshotChange;
pub use subnet::Subnet;
pub use subnet6::Subnet6;
pub use token::{Token, TokenKind};
pub use vlan::Vlan;
