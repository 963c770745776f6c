use ironherd_domain::Refusal;
use ironherd_store::StoreError;
use uuid::Uuid;

/// Why a command gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The caller can mend it: at least one reason, each with its field and remedy.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// No token, or one that is not known.
    #[error("a valid token is needed")]
    Unauthenticated,
    /// The token is good but not for this.
    #[error("this token does not allow that")]
    Forbidden,
    /// Our fault. It was logged with its id; outside only the id is shown.
    #[error("internal error {}", .0.id)]
    Fault(Fault),
}

/// A failure of ours, logged when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub id: Uuid,
}

impl Fault {
    /// Logs `cause` once under a fresh id.
    pub fn new(cause: &(dyn std::error::Error + 'static)) -> Self {
        let id = Uuid::now_v7();
        tracing::error!(event = "fault", fault_id = %id, cause = %cause, "an internal error");
        Self { id }
    }
}

impl CommandError {
    #[must_use]
    pub fn refused(code: &'static str, field: &[&str], message: impl Into<String>) -> Self {
        Self::Refused(vec![Refusal::new(code, field, message)])
    }

    /// The code of the first refusal, for callers that treat one code apart.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refusals) => refusals.first().map(|it| it.code),
            _ => None,
        }
    }
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal])
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::Fault(Fault::new(&error))
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        Self::Fault(Fault::new(&error))
    }
}
