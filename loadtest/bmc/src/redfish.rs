//! A Redfish BMC for one machine.
