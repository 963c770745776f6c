use crate::text_enum::text_enum;

text_enum! {
    PowerProtocol, "power protocol" {
        /// A person presses the button; nothing can be asked.
        Manual = "MANUAL",
        Ipmi = "IPMI",
        Redfish = "REDFISH",
    }
}

text_enum! {
    PowerState, "power state" {
        On = "ON",
        Off = "OFF",
        Unknown = "UNKNOWN",
    }
}

text_enum! {
    PowerAction, "power action" {
        On = "ON",
        Off = "OFF",
        Cycle = "CYCLE",
        Query = "QUERY",
    }
}

text_enum! {
    BootDevice, "boot device" {
        Network = "NETWORK",
        Disk = "DISK",
    }
}

text_enum! {
    /// What happens to the disks when a machine is given back.
    EraseMode, "erase mode" {
        None = "NONE",
        Quick = "QUICK",
    }
}
