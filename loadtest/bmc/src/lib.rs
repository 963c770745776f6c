//! Lab machines: real QEMU processes with real firmware, and the BMCs that power them.
//!
//! A machine is a folder (see [`Machine`]). Whoever holds the folder can press its buttons: the
//! Redfish emulator of this crate ([`redfish`]), OpenIPMI's `ipmi_sim` through the two programs it
//! calls ([`chassis_control`], [`lan_config`]), or a person through `ironherd lab power`.

pub mod chassis_control;
pub mod descriptors;
pub mod ipmi_sim;
pub mod lan_config;
pub mod machine;
pub mod namespace;
pub mod process;
pub mod redfish;
pub mod smbios;

pub use machine::boot::{BootEnabled, BootOverride, BootTarget};
pub use machine::config::{BmcConfig, BmcKind, DiskBus, Firmware, MachineConfig, Secret};
pub use machine::{Machine, MachineError, PowerState};
pub use process::ProcessRecord;

/// Every process of a lab carries this environment variable, set to the lab's name, so that what
/// a crash left behind can be told from other people's processes.
pub const LAB_MARKER: &str = "IRONHERD_LAB";
