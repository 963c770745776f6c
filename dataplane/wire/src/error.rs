use std::fmt;

/// Why bytes are no DHCPv4 message that anyone could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DhcpError {
    /// Shorter than the fixed part and the magic cookie.
    Truncated,
    /// The magic cookie is absent: plain BOOTP or noise.
    Cookie,
}

impl fmt::Display for DhcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the message ends inside its fixed part",
            Self::Cookie => "the magic cookie is absent",
        })
    }
}

impl std::error::Error for DhcpError {}

/// Why bytes are no DHCPv6 message that anyone could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dhcp6Error {
    /// The message, or what a relay wrapped around it, ends inside its fixed part.
    Truncated,
    /// A type that is none between client and server.
    MessageType,
    /// A relay's message without one inside.
    EmptyEnvelope,
    /// More relays than a message may pass.
    TooDeep,
}

impl fmt::Display for Dhcp6Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the message ends inside its fixed part",
            Self::MessageType => "the message is none between client and server",
            Self::EmptyEnvelope => "a relay's message holds no message",
            Self::TooDeep => "the message passed more relays than it may",
        })
    }
}

impl std::error::Error for Dhcp6Error {}
