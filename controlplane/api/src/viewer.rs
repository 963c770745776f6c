//! Who is asking, and the tokens with which people ask.

mod token;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use ironherd_app::Actor;

pub(crate) use self::token::{UserTokenMutation, UserTokenQuery};
use crate::access;

/// The kind of token that a caller has.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ViewerKind {
    /// A person, or a program that acts for one.
    User,
    /// A rack.
    Rack,
    /// An agent on a machine.
    Agent,
}

/// Who is asking.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct Viewer {
    /// The name that shows up as the actor of events.
    name: String,
    /// The kind of token that the caller has.
    kind: ViewerKind,
}

#[derive(Debug, Default)]
pub(crate) struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// Who is asking.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        let actor = access::actor(ctx)?;
        let kind = match actor {
            Actor::User { .. } => ViewerKind::User,
            Actor::Rack { .. } => ViewerKind::Rack,
            Actor::Agent(_) => ViewerKind::Agent,
            // No token makes this one: it never comes from outside.
            Actor::System(_) => return Err(access::forbidden()),
        };
        Ok(Viewer { name: actor.label(), kind })
    }
}
