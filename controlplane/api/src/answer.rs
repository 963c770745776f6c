//! From what the app says to what GraphQL answers.

use async_graphql::{Context, Error, ErrorExtensions as _, Result};
use ironherd_app::{Answer, App, CommandError};
use ironherd_domain::Refusal;

use crate::access;
use crate::user_error::{Payload, code_from_name};

/// The region's state. Every schema is built with one.
pub(crate) fn app<'c>(ctx: &'c Context<'_>) -> &'c App {
    ctx.data_unchecked::<App>()
}

/// Answers a query: there, whatever goes wrong is an error of the field.
pub(crate) fn query<T>(answer: Answer<T>) -> Result<T> {
    answer.map_err(|error| match error {
        CommandError::Refused(refusals) => {
            let first = refusals.into_iter().next();
            first.map_or_else(|| with_code("Refused.", "REFUSED"), |it| refusal_error(&it))
        }
        other => transport_error(&other),
    })
}

/// Answers a mutation: what the caller can mend goes into the payload.
pub(crate) fn mutation<T, P: Payload>(answer: Answer<T>, done: impl FnOnce(T) -> P) -> Result<P> {
    match answer {
        Ok(value) => Ok(done(value)),
        Err(CommandError::Refused(refusals)) => {
            let mut reasons = Vec::new();
            for it in refusals {
                let Some(code) = code_from_name(it.code) else {
                    // The schema lacks a code that the app has: say as much as is known.
                    tracing::warn!(event = "undeclared_code", code = it.code, message = it.message);
                    return Err(refusal_error(&it));
                };
                reasons.push((code, it.field, it.message));
            }
            Ok(P::refused(reasons))
        }
        Err(other) => Err(transport_error(&other)),
    }
}

fn refusal_error(it: &Refusal) -> Error {
    with_code(&it.message, it.code)
}

fn transport_error(error: &CommandError) -> Error {
    match error {
        CommandError::Unauthenticated => access::unauthenticated(),
        CommandError::Forbidden => access::forbidden(),
        // The app logged the cause under this id; outside only the id is shown.
        CommandError::Fault(fault) => internal(&fault.id.to_string()),
        CommandError::Refused(_) => with_code(&error.to_string(), "REFUSED"),
    }
}

fn internal(id: &str) -> Error {
    let message = format!("Something went wrong on our side; its id is {id}.");
    Error::new(message).extend_with(|_, extensions| {
        extensions.set("code", "INTERNAL");
        extensions.set("id", id);
    })
}

fn with_code(message: &str, code: &str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}
