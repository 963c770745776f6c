use async_graphql::Enum;
use ironherd_snapshot as snapshot;

/// DHCPv4 or DHCPv6: their option numbers have nothing to do with each other.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IpFamily {
    /// DHCPv4.
    V4,
    /// DHCPv6.
    V6,
}

/// What DHCP does on a VLAN.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "snapshot::DhcpMode")]
pub(crate) enum DhcpMode {
    /// Addresses and boot files.
    Full,
    /// Boot files alone, beside a foreign DHCP server.
    Proxy,
    /// As `FULL` while no foreign DHCP server is heard on the VLAN, else as `PROXY`.
    Auto,
    /// Nothing is answered.
    Off,
}

/// How a condition of a client class compares.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "snapshot::MatchOperator")]
pub(crate) enum MatchOperator {
    /// The client sends it, whatever it says.
    Present,
    /// It is the value.
    Equals,
    /// It begins with the value.
    StartsWith,
    /// The value is somewhere in it.
    Contains,
}
