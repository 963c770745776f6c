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
        /// A MAC address, hostname or other input cannot be used as it is.
        Invalid,
    }
}
payload! { "machineUpdate" => MachineUpdatePayload {
        /// The machine as it is now.
        machine: Machine,
    }
    MachineUpdateUserError MachineUpdateErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
payload! { "machineCommission" => MachineCommissionPayload {
        /// The machine as it is now.
        machine: Machine,
        /// The operation that has begun, or that had begun under this `requestId`.
        operation: Operation,
    }
    MachineCommissionUserError MachineCommissionErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
payload! { "machineAllocate" => MachineAllocatePayload {
        /// The machine as it is now.
        machine: Machine,
    }
    MachineAllocateUserError MachineAllocateErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
payload! { "machineDeploy" => MachineDeployPayload {
        /// The machine as it is now.
        machine: Machine,
        /// The operation that has begun, or that had begun under this `requestId`.
        operation: Operation,
    }
    MachineDeployUserError MachineDeployErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
payload! { "machineRelease" => MachineReleasePayload {
        /// The machine as it is now.
        machine: Machine,
        /// The operation that has begun, or that had begun under this `requestId`.
        operation: Operation,
    }
    MachineReleaseUserError MachineReleaseErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
payload! { "machineAbort" => MachineAbortPayload {
        /// The machine as it is now.
        machine: Machine,
    }
    MachineAbortUserError MachineAbortErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
payload! { "machineRetry" => MachineRetryPayload {
        /// The machine as it is now.
        machine: Machine,
        /// The operation that has begun.
        operation: Operation,
    }
    MachineRetryUserError MachineRetryErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
payload! { "machinePower" => MachinePowerPayload {
        /// The machine as it is now.
        machine: Machine,
        /// The operation that has begun.
        operation: Operation,
    }
    MachinePowerUserError MachinePowerErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
payload! { "machineMarkBroken" => MachineMarkBrokenPayload {
        /// The machine as it is now.
        machine: Machine,
    }
    MachineMarkBrokenUserError MachineMarkBrokenErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
payload! { "machineMarkFixed" => MachineMarkFixedPayload {
        /// The machine as it is now.
        machine: Machine,
    }
    MachineMarkFixedUserError MachineMarkFixedErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
payload! { "machineDelete" => MachineDeletePayload {
        /// The machine that is gone.
        machine_id: ID,
    }
    MachineDeleteUserError MachineDeleteErrorCode {
        /// There is no such machine.
        NotFound,
    }
}
