//! One function a command: authorize, load, decide, store, queue effects.
//!
//! [`App`] is the only door to the region's state. Every command takes the [`Actor`] who gives it,
//! decides with the rules of `domain`, and stores state, event and effects in one transaction.

mod actor;
mod error;
mod hardware;
mod input;
mod output;
mod secret;
mod stubs;

pub use actor::{Actor, AgentSession};
pub use error::{CommandError, Fault};
pub use hardware::{Disk, Firmware, Hardware, NicHardware, PciDevice, System};
pub use input::{
    AgentEnlist, AgentFinished, AgentHello, AgentProgress, BmcCredentialSet, BmcFound, ImageCreate,
    MachineCreate, MachineDeploy, MachinePower, MachineRelease, MachineUpdate, PowerInput,
    RackBootEvent, RackLease, RackRegister, RackReport, RangeCreate, ReservationCreate,
    SettingsUpdate, SubnetCreate, SubnetUpdate,
};
pub use output::{
    AgentDeploy, AgentTask, AgentWelcome, BmcCredentialView, Change, Overdue, PageRequest, Paged,
    PowerTarget, Settings, Started, TokenMade,
};
pub use secret::Secret;
pub use stubs::{Answer, App, ChangeFeed, ImageUpload, OpenError};

pub use ironherd_store::{
    Effect, EffectKind, Event, Image, Lease, Machine, MachineFilter, Operation, OperationStep,
    Rack, Range, Reservation, Subnet, Token, TokenKind,
};
