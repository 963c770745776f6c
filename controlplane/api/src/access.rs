//! Who is asking.

use async_graphql::{Context, Error, ErrorExtensions as _, Result};
use ironherd_app::Actor;

/// The caller of one request, as its bearer token proves. Put one into every request's data.
#[derive(Clone, Debug)]
pub struct Caller(pub Option<Actor>);

/// The caller, for a field that needs one.
///
/// # Errors
/// `UNAUTHENTICATED` if the request carries no token.
pub(crate) fn actor<'c>(ctx: &'c Context<'_>) -> Result<&'c Actor> {
    match ctx.data::<Caller>() {
        Ok(Caller(Some(actor))) => Ok(actor),
        _ => Err(unauthenticated()),
    }
}

pub(crate) fn unauthenticated() -> Error {
    Error::new("This needs a token: send the header `Authorization: Bearer …`.")
        .extend_with(|_, extensions| extensions.set("code", "UNAUTHENTICATED"))
}

pub(crate) fn forbidden() -> Error {
    Error::new("This token does not allow that.")
        .extend_with(|_, extensions| extensions.set("code", "FORBIDDEN"))
}
