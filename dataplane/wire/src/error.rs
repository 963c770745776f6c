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
