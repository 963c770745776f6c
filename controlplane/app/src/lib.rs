//! One function a command: authorize, load, decide, store, queue effects.
//!
//! [`App`] is the only door to the region's state. Every command takes the [`Actor`] who gives it,
//! decides with the rules of `domain`, and stores state, event and effects in one transaction.

mod access;
mod actor;
mod address;
mod agent;
mod app;
mod ask;
mod ask_input;
mod captures;
mod client_class;
mod deploy;
mod desk;
mod dhcp_option;
mod enlist;
mod error;
mod fabric;
mod feed;
mod hardware;
mod image;
mod input;
mod lease;
mod machine_act;
mod machine_edit;
mod machine_read;
mod output;
mod page;
mod power;
mod query;
mod rack;
mod rack_alarm;
mod range;
mod reservation;
mod seal;
mod secret;
mod settings;
mod snapshot;
mod step;
mod subnet;
mod subnet6;
mod upload;
mod work;
mod worker;

pub use actor::{Actor, AgentSession};
pub use app::{App, Clock, OpenError};
pub use ask::Explained;
pub use ask_input::{DhcpCapture, DhcpExplain};
pub use captures::Capture;
pub use desk::{RackAnswer, RackInbox, RackRequest};
pub use error::{CommandError, Fault};
pub use feed::ChangeFeed;
pub use hardware::{Disk, Firmware, Hardware, NicHardware, PciDevice, System};
pub use input::{
    AgentEnlist, AgentFinished, AgentHello, AgentProgress, BmcCredentialSet, BmcFound,
    ClientClassCreate, ClientClassUpdate, DhcpOptionSet, FabricCreate, FabricUpdate, ImageCreate,
    MachineCreate, MachineDeploy, MachinePower, MachineRelease, MachineUpdate, PowerInput,
    RackAlarmReport, RackBootEvent, RackLease, RackRegister, RackReport, RangeCreate, RangeUpdate,
    Reservation6Create, Reservation6Update, ReservationCreate, ReservationUpdate, SettingsUpdate,
    Subnet6Create, Subnet6Update, SubnetCreate, SubnetUpdate, VlanCreate, VlanUpdate,
};
pub use lease::{LeaseHistoryQuery, LeaseNetwork, LeaseQuery};
pub use output::{
    AgentDeploy, AgentTask, AgentWelcome, BmcCredentialView, Change, DhcpOptionKnown,
    DhcpOptionView, Overdue, PageRequest, Paged, PowerTarget, RackReported, RangeUpdated, Settings,
    Started, TokenMade,
};
pub use rack_alarm::{RackAlarm, rack_alarms};
pub use secret::Secret;
pub use upload::ImageUpload;
pub use worker::effect_is_moot;

/// What a command gives.
pub type Answer<T> = Result<T, CommandError>;

pub use ironherd_snapshot::ask::CAPTURE_BYTES_MAX;
pub use ironherd_store::{
    ClientClass, Effect, EffectKind, Event, Fabric, Image, Lease, LeaseSpan, Machine,
    MachineFilter, Operation, OperationStep, Rack, Range, Reservation, Reservation6, StoreError,
    Subnet, Subnet6, Token, TokenKind, Vlan,
};
