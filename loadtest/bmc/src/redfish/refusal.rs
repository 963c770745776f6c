//! How a Redfish service says no: a status, and messages of the Base registry.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use redfish_codegen::models::message::v1_1_2::Message;
use redfish_codegen::models::redfish;
use redfish_codegen::registries::base::v1_16_0::Base;

use crate::MachineError;

/// One refused request.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: Base,
    /// JSON pointer of the property at fault, if one is.
    property: Option<String>,
}

impl Refusal {
    pub(super) fn bad_request(message: Base) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message, property: None }
    }

    pub(super) fn unauthorized() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, message: Base::NoValidSession, property: None }
    }

    pub(super) fn not_found(message: Base) -> Self {
        Self { status: StatusCode::NOT_FOUND, message, property: None }
    }

    pub(super) fn not_allowed(message: Base) -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, message, property: None }
    }

    pub(super) fn precondition_failed() -> Self {
        let status = StatusCode::PRECONDITION_FAILED;
        Self { status, message: Base::PreconditionFailed, property: None }
    }

    pub(super) fn too_many_sessions() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, message: Base::SessionLimitExceeded, property: None }
    }

    pub(super) fn fault() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, message: Base::InternalError, property: None }
    }

    pub(super) fn of_property(mut self, pointer: impl Into<String>) -> Self {
        self.property = Some(pointer.into());
        self
    }
}

impl From<MachineError> for Refusal {
    fn from(error: MachineError) -> Self {
        if matches!(error, MachineError::Off) {
            let status = StatusCode::CONFLICT;
            return Self { status, message: Base::ResourceInStandby, property: None };
        }
        tracing::error!(%error, "the machine does not do as told");
        Self::fault()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut info: Message = self.message.into();
        info.related_properties = self.property.map(|it| vec![it]);
        let body = redfish::Error {
            error: redfish::RedfishError {
                code: info.message_id.clone(),
                message: info.message.clone().unwrap_or_default(),
                message_extended_info: Some(vec![info]),
            },
        };
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"Redfish\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
