//! BMC simulators that power real QEMU machines: Redfish of our own, ipmi_sim's chassis hook.
