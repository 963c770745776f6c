use crate::UnixMicros;
use crate::text_enum::text_enum;

text_enum! {
    OperationKind, "operation kind" {
        Commission = "COMMISSION",
        Deploy = "DEPLOY",
        Release = "RELEASE",
        Power = "POWER",
    }
}

text_enum! {
    OperationState, "operation state" {
        Running = "RUNNING",
        Done = "DONE",
        Failed = "FAILED",
        Cancelled = "CANCELLED",
    }
}

/// How far the running step is, as its doer last said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub step: String,
    pub percent: Option<u8>,
    pub bytes_done: Option<u64>,
    pub bytes_total: Option<u64>,
    pub message: Option<String>,
    pub at: UnixMicros,
}

impl Progress {
    /// Nothing known yet but the time.
    #[must_use]
    pub fn none(at: UnixMicros) -> Self {
        let step = String::new();
        Self { step, percent: None, bytes_done: None, bytes_total: None, message: None, at }
    }
}
