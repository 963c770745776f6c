//! From what the region stores to what the BMC pool takes.

use ironherd_app::PowerTarget;
use ironherd_bmc::{Credentials, Target, TargetError};
use ironherd_domain::{PowerProtocol, PowerState};

pub(crate) fn of(power: &PowerTarget) -> Result<Target, TargetError> {
    let credentials = Credentials::new(power.username.clone(), power.password.expose());
    match power.protocol {
        PowerProtocol::Redfish => Target::redfish(&power.address, credentials),
        // The app gives no target for manual power.
        PowerProtocol::Ipmi | PowerProtocol::Manual => Target::ipmi(&power.address, credentials),
    }
}

pub(crate) fn power_state(state: ironherd_bmc::PowerState) -> PowerState {
    match state {
        ironherd_bmc::PowerState::On => PowerState::On,
        ironherd_bmc::PowerState::Off => PowerState::Off,
        ironherd_bmc::PowerState::Unknown => PowerState::Unknown,
    }
}
