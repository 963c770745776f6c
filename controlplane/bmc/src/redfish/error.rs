//! One error for the HTTP client, and its way into [`BmcError`].

use std::error::Error as StdError;
use std::time::Duration;

use nv_redfish::core::{ActionError, BmcError as RedfishError, BmcErrorClass, DecodeError};
use nv_redfish_bmc_http::{
    CacheableError, ModificationDecodeError, RejectedUriReferenceError, RequestError,
};
use reqwest::StatusCode;

use crate::BmcError;

/// How much of an answer's text a message quotes.
const QUOTED_CHARS_MAX: usize = 300;

/// Why a request to a Redfish service gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("no answer within {} s: {detail}", .after.as_secs_f32())]
    Silent { after: Duration, detail: String },
    #[error("TLS: {0}")]
    Certificate(String),
    #[error("HTTP {status}: {text}")]
    Status { status: StatusCode, text: String },
    #[error("{0}")]
    Decode(DecodeError),
    #[error("{0}")]
    Answer(String),
    #[error("{0} is not offered")]
    NotOffered(&'static str),
}

impl HttpError {
    /// Sorts what reqwest met: silence, distrust, or an answer that breaks the protocol.
    pub(super) fn from_transport(error: &reqwest::Error, after: Duration) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        let mut detail = String::new();
        while let Some(it) = cause {
            if let Some(tls) = tls_error(it) {
                return match tls {
                    rustls::Error::InvalidCertificate(why) => Self::Certificate(format!("{why:?}")),
                    other => Self::Certificate(other.to_string()),
                };
            }
            detail = it.to_string(); // The innermost cause says most.
            cause = it.source();
        }
        if error.is_decode() || error.is_body() {
            return Self::Answer(detail);
        }
        Self::Silent { after, detail }
    }

    pub(super) fn status(status: StatusCode, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        Self::Status { status, text: text.chars().take(QUOTED_CHARS_MAX).collect() }
    }
}

/// TLS errors hide inside I/O errors, which may hide in each other.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    const NESTED_MAX: usize = 8;
    let mut error = error;
    for _ in 0..NESTED_MAX {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        error = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    }
    None
}

impl From<ModificationDecodeError> for HttpError {
    fn from(error: ModificationDecodeError) -> Self {
        match error {
            ModificationDecodeError::InvalidResponse { status, text, .. } => {
                Self::status(status, text.as_bytes())
            }
            ModificationDecodeError::Decode(error) => Self::Decode(error),
            other => Self::Answer(other.to_string()),
        }
    }
}

impl RedfishError for HttpError {
    fn error_class(&self) -> BmcErrorClass {
        match self {
            Self::Status { status, .. } => BmcErrorClass::HttpResponse { status: status.as_u16() },
            Self::Decode(_) | Self::Answer(_) => BmcErrorClass::ResponseParse,
            Self::Silent { .. } | Self::Certificate(_) => BmcErrorClass::Transport,
            Self::NotOffered(_) => BmcErrorClass::Other,
        }
    }

    fn response_body(&self) -> Option<&str> {
        match self {
            Self::Status { text, .. } => Some(text),
            _ => None,
        }
    }

    fn into_decode_error(self) -> Result<DecodeError, Self> {
        match self {
            Self::Decode(error) => Ok(error),
            other => Err(other),
        }
    }
}

impl ActionError for HttpError {
    fn not_supported() -> Self {
        Self::NotOffered("this action")
    }
}

/// The library's cache stays off: the power state must be the one of now.
impl CacheableError for HttpError {
    fn is_cached(&self) -> bool {
        false
    }

    fn cache_miss() -> Self {
        Self::NotOffered("a cached answer")
    }

    fn cache_error(reason: String) -> Self {
        Self::Answer(reason)
    }
}

impl RequestError for HttpError {
    fn rejected_uri_reference(error: RejectedUriReferenceError) -> Self {
        Self::Answer(error.reason)
    }
}

impl From<HttpError> for BmcError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Silent { after, detail } => {
                tracing::debug!(%detail, "Redfish service silent");
                Self::Unreachable { after }
            }
            HttpError::Certificate(detail) => Self::CertificateRefused { detail },
            HttpError::Status { status: StatusCode::UNAUTHORIZED, .. } => Self::WrongPassword,
            HttpError::Status { status: StatusCode::FORBIDDEN, .. } => Self::PrivilegeTooLow,
            HttpError::Status { .. } | HttpError::NotOffered(_) => Self::refused(error.to_string()),
            HttpError::Decode(_) | HttpError::Answer(_) => Self::protocol(error.to_string()),
        }
    }
}
