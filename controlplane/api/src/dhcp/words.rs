use async_graphql::Enum;
use ironherd_snapshot as snapshot;

/// DHCPv4 or DHCPv6: their option numbers have nothing to do with each other.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::IpFamily")]
pub(crate) enum IpFamily {
    /// DHCPv4.
    V4,
    /// DHCPv6.
    V6,
}

/// Where options can be set. The narrower scope wins, option by option.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::OptionScope")]
pub(crate) enum OptionScope {
    /// Every network.
    Global,
    /// Everything in a fabric.
    Fabric,
    /// Everything on a VLAN.
    Vlan,
    /// Everything in a subnet.
    Subnet,
    /// Clients that are served from a range.
    Range,
    /// Members of a client class.
    Class,
    /// One machine, or the client of one reservation.
    Host,
}

/// What DHCP does on a VLAN.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::DhcpMode")]
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
#[graphql(remote = "ironherd_domain::MatchOperator")]
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

impl From<snapshot::DhcpMode> for DhcpMode {
    fn from(it: snapshot::DhcpMode) -> Self {
        match it {
            snapshot::DhcpMode::Full => Self::Full,
            snapshot::DhcpMode::Proxy => Self::Proxy,
            snapshot::DhcpMode::Auto => Self::Auto,
            snapshot::DhcpMode::Off => Self::Off,
        }
    }
}

impl From<snapshot::MatchOperator> for MatchOperator {
    fn from(it: snapshot::MatchOperator) -> Self {
        match it {
            snapshot::MatchOperator::Present => Self::Present,
            snapshot::MatchOperator::Equals => Self::Equals,
            snapshot::MatchOperator::StartsWith => Self::StartsWith,
            snapshot::MatchOperator::Contains => Self::Contains,
        }
    }
}
