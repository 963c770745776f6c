//! Rules without I/O, SQL or GraphQL: lifecycle, addresses, operations.
//!
//! Time is an argument everywhere; nothing here reads a clock or draws a number.

mod text_enum;

pub mod boot;
pub mod dhcp;
pub mod fleet;
pub mod hostname;
pub mod id;
pub mod instant;
pub mod ipam;
pub mod lease;
pub mod mac;
pub mod machine;
pub mod operation;
pub mod power;
pub mod rack_alarm;
pub mod refusal;

pub use boot::{AgentNext, AgentTaskKind, BootIntent, BootStage, FirmwareKind};
pub use dhcp::{
    ClassCondition, ClassField, DhcpMode, IpFamily, MatchOperator, OptionScope, ReservationKey,
    ReservationKey6, ScopeId,
};
pub use fleet::{ImageKind, ImageState, LeaseState};
pub use id::{
    ClassId, CredentialId, EffectId, FabricId, ImageId, LeaseId, MachineId, OperationId, RackId,
    RangeId, Reservation6Id, ReservationId, Subnet6Id, SubnetId, TokenId, VlanId,
};
pub use instant::UnixMicros;
pub use lease::{LeaseBlock, LeaseEnd};
pub use mac::Mac;
pub use machine::{Action, Event, MachineState};
pub use operation::{OperationKind, OperationState, Progress};
pub use power::{BootDevice, EraseMode, PowerAction, PowerProtocol, PowerState};
pub use rack_alarm::RackAlarmKind;
pub use refusal::{Refusal, Unknown};
