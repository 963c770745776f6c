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
        /// At least one MAC address is needed.
        MacMissing,
        /// A MAC address cannot be read.
        MacInvalid,
        /// A MAC address belongs to somebody else already.
        MacTaken,
        /// The hostname is no DNS label.
        HostnameInvalid,
        /// The hostname belongs to another machine.
        HostnameTaken,
        /// The processor architecture is none that is supported.
        ArchitectureUnknown,
        /// The power control is incomplete, or does not fit its protocol.
        PowerInvalid,
        /// The system that carries the agent has not been uploaded.
        EphemeralMissing,
    }
}
payload! { "machineUpdate" => MachineUpdatePayload {
        /// The machine as it is now.
        machine: Machine,
    }
    MachineUpdateUserError MachineUpdateErrorCode {
        /// There is no such machine.
        NotFound,
        /// The hostname is no DNS label.
        HostnameInvalid,
        /// The hostname belongs to another machine.
        HostnameTaken,
        /// The power control is incomplete, or does not fit its protocol.
        PowerInvalid,
        /// The kernel arguments cannot be used as they are.
        KernelArgsInvalid,
        /// The boot file is neither a TFTP name nor a URL.
        BootFileInvalid,
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
        /// The machine's state does not allow it; `Machine.actions` says what it allows.
        IllegalTransition,
        /// The system that carries the agent has not been uploaded.
        EphemeralMissing,
        /// The `requestId` belongs to another command.
        RequestIdReused,
        /// The `requestId` is empty or too long.
        RequestIdInvalid,
        /// The disks hold the last owner's data; `machineRelease` erases them.
        DiskDirty,
    }
}
payload! { "machineAllocate" => MachineAllocatePayload {
        /// The machine as it is now.
        machine: Machine,
    }
    MachineAllocateUserError MachineAllocateErrorCode {
        /// There is no such machine.
        NotFound,
        /// The machine's state does not allow it; `Machine.actions` says what it allows.
        IllegalTransition,
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
        /// The machine's state does not allow it; `Machine.actions` says what it allows.
        IllegalTransition,
        /// There is no such image.
        ImageNotFound,
        /// The image's bytes have not arrived.
        ImageNotReady,
        /// The image is no disk image.
        ImageKindWrong,
        /// The image is for another processor architecture.
        ArchitectureMismatch,
        /// The system that carries the agent has not been uploaded.
        EphemeralMissing,
        /// No subnet has an address for the machine.
        NoAddress,
        /// Every address of the subnet is taken.
        SubnetFull,
        /// A key is no public SSH key.
        SshKeyInvalid,
        /// The user data is too large.
        UserDataTooLarge,
        /// The `requestId` belongs to another command.
        RequestIdReused,
        /// The `requestId` is empty or too long.
        RequestIdInvalid,
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
        /// The machine's state does not allow it; `Machine.actions` says what it allows.
        IllegalTransition,
        /// The `requestId` belongs to another command.
        RequestIdReused,
        /// The `requestId` is empty or too long.
        RequestIdInvalid,
    }
}
payload! { "machineAbort" => MachineAbortPayload {
        /// The machine as it is now.
        machine: Machine,
    }
    MachineAbortUserError MachineAbortErrorCode {
        /// There is no such machine.
        NotFound,
        /// The machine's state does not allow it; `Machine.actions` says what it allows.
        IllegalTransition,
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
        /// The machine's state does not allow it; `Machine.actions` says what it allows.
        IllegalTransition,
        /// The system that carries the agent has not been uploaded.
        EphemeralMissing,
        /// No subnet has an address for the machine.
        NoAddress,
        /// Every address of the subnet is taken.
        SubnetFull,
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
        /// The machine is switched on and off by hand.
        PowerManual,
        /// Something is in progress on the machine.
        MachineBusy,
    }
}
payload! { "machineMarkBroken" => MachineMarkBrokenPayload {
        /// The machine as it is now.
        machine: Machine,
    }
    MachineMarkBrokenUserError MachineMarkBrokenErrorCode {
        /// There is no such machine.
        NotFound,
        /// The machine's state does not allow it; `Machine.actions` says what it allows.
        IllegalTransition,
        /// The reason is empty.
        ReasonMissing,
    }
}
payload! { "machineMarkFixed" => MachineMarkFixedPayload {
        /// The machine as it is now.
        machine: Machine,
    }
    MachineMarkFixedUserError MachineMarkFixedErrorCode {
        /// There is no such machine.
        NotFound,
        /// The machine's state does not allow it; `Machine.actions` says what it allows.
        IllegalTransition,
        /// The disks hold the last owner's data; `machineRelease` erases them.
        DiskDirty,
    }
}
payload! { "machineDelete" => MachineDeletePayload {
        /// The machine that is gone.
        machine_id: ID,
    }
    MachineDeleteUserError MachineDeleteErrorCode {
        /// There is no such machine.
        NotFound,
        /// The machine is in use; `force` deletes it anyway.
        MachineInUse,
    }
}
