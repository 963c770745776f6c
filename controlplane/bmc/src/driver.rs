//! The border between the pool and the protocols.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::ipmi::IpmiDriver;
use crate::redfish::RedfishDriver;
use crate::{BmcError, Protocol, Target};

/// Whether a machine draws power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    On,
    Off,
    /// The BMC is between the two, or does not say.
    Unknown,
}

/// One command to the power button, without any check of its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    On,
    Off,
    /// Off and on again in one command. Many BMCs refuse it while the power is off.
    Cycle,
    /// The reset line: the power stays on.
    Reset,
    /// Asks the operating system to shut down.
    SoftOff,
}

/// What a machine boots from next, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootDevice {
    Network,
    Disk,
}

/// A boot device and the firmware it is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    pub device: BootDevice,
    /// The machine starts by UEFI. Without the bit, some firmware falls back to a legacy boot.
    pub efi: bool,
}

/// The future of one call to a BMC.
pub type BmcFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BmcError>> + Send + 'a>>;

/// Opens connections. The pool holds one driver; tests bring their own.
pub trait Driver: Send + Sync + fmt::Debug {
    /// Logs in. Bounded in time by the driver.
    fn connect<'a>(&'a self, target: &'a Target) -> BmcFuture<'a, Box<dyn Connection>>;
}

/// A logged-in session with one BMC. Every call is bounded in time by the driver.
pub trait Connection: Send + fmt::Debug {
    fn power_state(&mut self) -> BmcFuture<'_, PowerState>;
    fn control(&mut self, control: Control) -> BmcFuture<'_, ()>;
    /// Sets what the next boot, and only that, starts from.
    fn boot_once(&mut self, boot: Boot) -> BmcFuture<'_, ()>;
    /// Logs out, so that the BMC's few session slots stay free. Errors are of no use to anyone.
    fn close(self: Box<Self>) -> BmcFuture<'static, ()>;
}

/// The real thing: IPMI and Redfish by the target's protocol.
#[derive(Debug, Default)]
pub struct Drivers {
    pub ipmi: IpmiDriver,
    pub redfish: RedfishDriver,
}

impl Driver for Drivers {
    fn connect<'a>(&'a self, target: &'a Target) -> BmcFuture<'a, Box<dyn Connection>> {
        match target.protocol {
            Protocol::Ipmi => self.ipmi.connect(target),
            Protocol::Redfish => self.redfish.connect(target),
        }
    }
}
