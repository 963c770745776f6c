//! What the machine mutations answer.

use async_graphql::ID;

use super::Machine;
use crate::operation::Operation;
use crate::user_error::payload;

payload! { "machineCreate" => MachineCreatePayload {
        /// The new machine.
        machine: Machine,
    }
    MachineCreateUserError MachineCreateErrorCode {
        /// The hostname is not a DNS label, or another input cannot be used as it is.
        Invalid,
        /// The hostname belongs to another machine.
        HostnameTaken,
        /// A MAC address belongs to another machine.
        MacTaken,
    }
}
