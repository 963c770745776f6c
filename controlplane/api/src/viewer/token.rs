//! The tokens with which people ask.

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, InputObject, Object, Result};

use crate::answer::app;
use crate::id::{self, Kind};
use crate::page;
use crate::scalar::At;
use crate::user_error::payload;
use crate::{access, answer};

/// A token of a person or of a program. Its text was shown once, when it was made.
#[derive(Clone, Debug)]
pub(crate) struct UserToken(ironherd_app::Token);

/// A token of a person or of a program. Its text was shown once, when it was made.
#[Object]
impl UserToken {
    /// Global id.
    async fn id(&self) -> ID {
        id::encode(Kind::UserToken, &self.0.id.to_text())
    }

    /// Who uses it; shows up as the actor of events.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was made.
    async fn created_at(&self) -> At {
        self.0.created.into()
    }
}

/// A token to be made.
#[derive(InputObject, Debug)]
pub(crate) struct UserTokenCreateInput {
    /// Who will use it; shows up as the actor of events.
    name: String,
}

payload! { "userTokenCreate" => UserTokenPayload {
        /// The new token.
        user_token: UserToken,
        /// Its text. It is shown this once.
        token: String,
    }
    UserTokenCreateUserError UserTokenCreateErrorCode {
        /// The name cannot be used as it is.
        NameInvalid,
        /// The name is taken.
        NameTaken,
    }
}
payload! { "userTokenDelete" => UserTokenDeletePayload {
        /// The token that is gone.
        user_token_id: ID,
    }
    UserTokenDeleteUserError UserTokenDeleteErrorCode {
        /// There is no such token.
        NotFound,
    }
}

#[derive(Debug, Default)]
pub(crate) struct UserTokenQuery;

#[Object]
impl UserTokenQuery {
    /// The tokens of people and programs, oldest first.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn user_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
    ) -> Result<Connection<String, UserToken>> {
        let actor = access::user(ctx)?;
        let page = page::request(first, after.as_deref())?;
        let tokens = answer::query(app(ctx).user_tokens(actor, &page).await)?;
        Ok(page::connection(&page, tokens, UserToken))
    }
}

#[derive(Debug, Default)]
pub(crate) struct UserTokenMutation;

#[Object]
impl UserTokenMutation {
    /// Makes a token that may do everything that its maker may.
    async fn user_token_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] input: UserTokenCreateInput,
    ) -> Result<UserTokenPayload> {
        let actor = access::user(ctx)?;
        let made = app(ctx).user_token_create(actor, &input.name).await;
        answer::mutation(made, |it| {
            UserTokenPayload::done(UserToken(it.token), it.text.expose().to_owned())
        })
    }

    /// Takes a token back: what comes with it is refused from now on.
    async fn user_token_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token's id.")] id: ID,
    ) -> Result<UserTokenDeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::UserToken, &id)?;
            app(ctx).user_token_delete(actor, id).await
        };
        let done = |id: ironherd_domain::TokenId| id::encode(Kind::UserToken, &id.to_text());
        answer::mutation(answer.await, |id| UserTokenDeletePayload::done(done(id)))
    }
}
