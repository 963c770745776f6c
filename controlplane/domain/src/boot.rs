use crate::text_enum::text_enum;

text_enum! {
    /// What a machine shall do at its next network boot.
    BootIntent, "boot intent" {
        Local = "LOCAL",
        Enlist = "ENLIST",
        Commission = "COMMISSION",
        Test = "TEST",
        Deploy = "DEPLOY",
        Rescue = "RESCUE",
        Erase = "ERASE",
        Ephemeral = "EPHEMERAL",
        PowerOff = "POWER_OFF",
    }
}

text_enum! {
    /// The last thing that was seen of a machine's current boot, in the order of a boot.
    BootStage, "boot stage" {
        Dhcp = "DHCP",
        Tftp = "TFTP",
        Http = "HTTP",
        Script = "SCRIPT",
        Agent = "AGENT",
        Installed = "INSTALLED",
    }
}

text_enum! {
    FirmwareKind, "firmware kind" {
        Bios = "BIOS",
        Uefi = "UEFI",
    }
}

text_enum! {
    /// What the agent was booted for.
    AgentTaskKind, "agent task" {
        Enlist = "ENLIST",
        Commission = "COMMISSION",
        Deploy = "DEPLOY",
        Erase = "ERASE",
    }
}

text_enum! {
    /// What the agent shall do after it has reported.
    AgentNext, "agent answer" {
        Continue = "CONTINUE",
        /// The task is no longer wanted: stop at once and change nothing more.
        Stop = "STOP",
        PowerOff = "POWER_OFF",
        Reboot = "REBOOT",
    }
}
