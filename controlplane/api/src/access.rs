//! Who is asking.

use async_graphql::{Context, Error, ErrorExtensions as _, Result};
use ironherd_app::Actor;

/// The caller of one request, as its bearer token proves. Put one into every request's data.
#[derive(Clone, Debug)]
pub struct Caller(pub Option<Actor>);

/// The caller, of whatever kind.
///
/// # Errors
/// `UNAUTHENTICATED` if the request carries no token; so for all of these.
pub(crate) fn actor<'c>(ctx: &'c Context<'_>) -> Result<&'c Actor> {
    match ctx.data::<Caller>() {
        Ok(Caller(Some(actor))) => Ok(actor),
        _ => Err(unauthenticated()),
    }
}

/// The caller, who must be a person. The app checks again: this one comes before the arguments
/// are looked at, so that a stranger learns nothing from them.
///
/// # Errors
/// `FORBIDDEN` for other tokens.
pub(crate) fn user<'c>(ctx: &'c Context<'_>) -> Result<&'c Actor> {
    let actor = actor(ctx)?;
    actor.must_be_user().map(|()| actor).map_err(|_| forbidden())
}

/// The caller, which must be a rack.
///
/// # Errors
/// `FORBIDDEN` for other tokens.
pub(crate) fn rack<'c>(ctx: &'c Context<'_>) -> Result<&'c Actor> {
    let actor = actor(ctx)?;
    actor.must_be_rack().map(|()| actor).map_err(|_| forbidden())
}

/// The caller, which must be an agent.
///
/// # Errors
/// `FORBIDDEN` for other tokens.
pub(crate) fn agent<'c>(ctx: &'c Context<'_>) -> Result<&'c Actor> {
    let actor = actor(ctx)?;
    actor.must_be_agent().map(|_| actor).map_err(|_| forbidden())
}

pub(crate) fn unauthenticated() -> Error {
    Error::new("This needs a token: send the header `Authorization: Bearer …`.")
        .extend_with(|_, extensions| extensions.set("code", "UNAUTHENTICATED"))
}

pub(crate) fn forbidden() -> Error {
    Error::new("This token does not allow that.")
        .extend_with(|_, extensions| extensions.set("code", "FORBIDDEN"))
}
