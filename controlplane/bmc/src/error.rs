//! What can go wrong between us and a BMC, by name.

use std::time::Duration;

use crate::PowerState;

/// Why a BMC did not do what it was asked. Carries no address: the caller knows whom it asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BmcError {
    #[error("no answer within {} s", .after.as_secs_f32())]
    Unreachable { after: Duration },
    #[error("the password was refused")]
    WrongPassword,
    #[error("the user name is unknown")]
    UnknownUser,
    #[error("the user may not control power (ADMINISTRATOR is needed)")]
    PrivilegeTooLow,
    #[error("cipher suites 17 and 3 were both refused")]
    CipherRefused,
    /// TLS failed for a reason that trying again does not mend.
    #[error("the TLS certificate is not trusted: {detail}")]
    CertificateRefused { detail: String },
    #[error("the answer breaks the protocol: {detail}")]
    Protocol { detail: String },
    /// The BMC understood and said no.
    #[error("the BMC refused the command: {detail}")]
    Refused { detail: String },
    #[error("still {seen:?} {} s after it was told to be {wanted:?}", .after.as_secs())]
    NotReached { wanted: PowerState, seen: PowerState, after: Duration },
    /// The circuit breaker is open: nothing was sent.
    #[error("not asked, since it did not answer before; next try in {} s", .retry_in.as_secs())]
    BackingOff { retry_in: Duration },
    /// The queue of this BMC is full: nothing was sent.
    #[error("too many requests wait for this BMC")]
    Busy,
}

impl BmcError {
    /// Whether the same request may succeed later although nobody changed anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::NotReached { .. }
            | Self::BackingOff { .. }
            | Self::Busy
            | Self::Protocol { .. }
            | Self::Refused { .. } => true,
            Self::WrongPassword
            | Self::UnknownUser
            | Self::PrivilegeTooLow
            | Self::CipherRefused
            | Self::CertificateRefused { .. } => false,
        }
    }

    /// Whether the BMC judged these credentials and refused them.
    #[must_use]
    pub fn is_credentials(&self) -> bool {
        matches!(self, Self::WrongPassword | Self::UnknownUser | Self::PrivilegeTooLow)
    }

    pub(crate) fn protocol(detail: impl Into<String>) -> Self {
        Self::Protocol { detail: detail.into() }
    }

    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        Self::Refused { detail: detail.into() }
    }
}
