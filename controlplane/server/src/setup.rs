//! The one-time setup link: trades the token that the server printed for an administrator's.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use ironherd_app::CommandError;
use serde::Deserialize;
use serde_json::json;

use crate::routes::Region;

const NAME: &str = "admin";

#[derive(Deserialize)]
pub(crate) struct Setup {
    token: String,
    name: Option<String>,
}

/// POST only: a link that is merely looked at, by a mail filter for one, must not use the token up.
pub(crate) async fn redeem(State(region): State<Region>, Json(setup): Json<Setup>) -> Response {
    let name = setup.name.as_deref().unwrap_or(NAME);
    let (status, answer) = match region.app.setup_redeem(&setup.token, name).await {
        Ok(made) => {
            let token = made.text.expose();
            (StatusCode::OK, json!({ "name": made.token.name, "token": token }))
        }
        Err(CommandError::Fault(fault)) => {
            let message = format!("Something went wrong on our side; its id is {}.", fault.id);
            let answer = json!({ "code": "INTERNAL", "message": message });
            (StatusCode::INTERNAL_SERVER_ERROR, answer)
        }
        Err(CommandError::Refused(refusals)) => {
            let (code, message) = refusals
                .into_iter()
                .next()
                .map_or_else(|| ("REFUSED", String::new()), |it| (it.code, it.message));
            (StatusCode::FORBIDDEN, json!({ "code": code, "message": message }))
        }
        Err(CommandError::Unauthenticated | CommandError::Forbidden) => {
            let message = "The setup link is not valid, or was used already.";
            (StatusCode::FORBIDDEN, json!({ "code": "TOKEN_INVALID", "message": message }))
        }
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}
