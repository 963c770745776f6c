use ironherd_domain::{Refusal, TokenId};
use ironherd_store::{Token, TokenKind, token};

use crate::seal::{fresh_token, private_read, private_write, token_digest};
use crate::work::{Work, not_found, transact};
use crate::{
    Actor, AgentSession, Answer, App, CommandError, PageRequest, Paged, Secret, TokenMade,
};

const RACK_TOKEN_FILE: &str = "rack.token";
const NAME_CHARS_MAX: usize = 64;

impl App {
    /// Who holds a bearer token.
    ///
    /// # Errors
    /// [`CommandError::Unauthenticated`] if nobody does, or no longer.
    pub async fn actor(&self, bearer: &str) -> Answer<Actor> {
        let mut tx = self.read().await?;
        let found = token::by_digest(&mut tx, &token_digest(bearer)).await?;
        let found = found.ok_or(CommandError::Unauthenticated)?;
        if found.expires.is_some_and(|it| it <= self.now()) {
            return Err(CommandError::Unauthenticated);
        }
        let Token { id, kind, name, machine_id, attempt, task, .. } = found;
        match (kind, attempt, task) {
            (TokenKind::User, ..) => Ok(Actor::User { token: id, name }),
            (TokenKind::Rack, ..) => Ok(Actor::Rack { token: id, name }),
            (TokenKind::Agent, Some(attempt), Some(task)) => {
                Ok(Actor::Agent(AgentSession { token: id, machine: machine_id, attempt, task }))
            }
            // Setup and phone-home tokens open one door each, and that is not this one.
            _ => Err(CommandError::Unauthenticated),
        }
    }

    /// Makes a user from the command line on the region's own machine.
    ///
    /// # Errors
    /// Refusals: `NAME_INVALID`, `NAME_TAKEN`.
    pub async fn admin_create(&self, name: &str) -> Answer<TokenMade> {
        self.user_token_create(&Actor::System("command line"), name).await
    }

    /// A fresh one-time token that lets the first user in; `None` once there is a user. Earlier
    /// setup tokens end.
    ///
    /// # Errors
    /// [`CommandError::Fault`].
    pub async fn setup_token_issue(&self) -> Answer<Option<Secret>> {
        transact!(self, &Actor::System("setup"), |work| {
            if token::count(&mut work.tx, TokenKind::User).await? != 0 {
                return Ok(None);
            }
            token::delete_kind(&mut work.tx, TokenKind::Setup).await?;
            let made = make(&mut work, TokenKind::Setup, "setup", "ihs_").await?;
            Ok(Some(made.text))
        })
    }

    /// Turns the setup token into the first user.
    ///
    /// # Errors
    /// [`CommandError::Unauthenticated`] if it is not known, or once there is a user. Refusals:
    /// `NAME_INVALID`, `NAME_TAKEN`.
    pub async fn setup_redeem(&self, setup_token: &str, name: &str) -> Answer<TokenMade> {
        check_name(name, &["name"])?;
        let digest = token_digest(setup_token);
        let made: Answer<Option<TokenMade>> = transact!(self, &Actor::System("setup"), |work| {
            if token::count(&mut work.tx, TokenKind::User).await? != 0 {
                token::delete_kind(&mut work.tx, TokenKind::Setup).await?;
                return Ok(None); // No error: the deletion is to be kept.
            }
            let found = token::by_digest(&mut work.tx, &digest).await?;
            let found = found.filter(|it| it.kind == TokenKind::Setup);
            let Some(found) = found else { return Err(CommandError::Unauthenticated.into()) };
            if !token::use_once(&mut work.tx, found.id, work.now).await? {
                return Err(CommandError::Unauthenticated.into());
            }
            user(&mut work, name, &["name"]).await.map(Some)
        });
        made?.ok_or(CommandError::Unauthenticated)
    }

    /// The token of the rack that runs beside this region, kept in `rack.token` (0600). Made on
    /// the first call, and again if the database does not know the one in the file.
    ///
    /// # Errors
    /// [`CommandError::Fault`].
    pub async fn rack_token_ensure(&self) -> Answer<Secret> {
        let path = self.inner.data_dir.join(RACK_TOKEN_FILE);
        let stored = private_read(&path)?.and_then(|it| String::from_utf8(it).ok());
        if let Some(text) = stored.map(|it| it.trim().to_owned()) {
            let mut tx = self.read().await?;
            if token::by_digest(&mut tx, &token_digest(&text)).await?.is_some() {
                return Ok(Secret::new(text));
            }
        }
        let made: Answer<TokenMade> = transact!(self, &Actor::System("setup"), |work| {
            make(&mut work, TokenKind::Rack, "local", "ihr_").await
        });
        let text = made?.text;
        private_write(&path, text.expose().as_bytes())?;
        Ok(text)
    }

    /// # Errors
    /// Refusals: `NAME_INVALID`, `NAME_TAKEN`.
    pub async fn user_token_create(&self, actor: &Actor, name: &str) -> Answer<TokenMade> {
        actor.must_be_user()?;
        let field = ["input", "name"];
        check_name(name, &field)?;
        transact!(self, actor, |work| user(&mut work, name, &field).await)
    }

    /// # Errors
    /// Refusals: `NOT_FOUND`.
    pub async fn user_token_delete(&self, actor: &Actor, id: TokenId) -> Answer<TokenId> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let found = token::by_id(&mut work.tx, id).await?;
            let Some(found) = found.filter(|it| it.kind == TokenKind::User) else {
                return Err(not_found("user token", "id").into());
            };
            token::delete(&mut work.tx, id).await?;
            work.event(None, "USER_TOKEN_DELETED", format!("{}'s token was deleted", found.name));
            Ok(id)
        })
    }

    /// # Errors
    /// Refusals: `CURSOR_INVALID`.
    pub async fn user_tokens(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Token>> {
        actor.must_be_user()?;
        let mut tx = self.read().await?;
        let after = page.cursor()?;
        let rows = token::page(&mut tx, TokenKind::User, after, page.limit() + 1).await?;
        Ok(page.cut(rows, |it| it.id.to_text()))
    }
}

async fn user(work: &mut Work, name: &str, field: &[&str]) -> crate::work::Inner<TokenMade> {
    let made = make(work, TokenKind::User, name, "ihu_").await;
    let made = made.map_err(|halt| {
        halt.taken(|_| {
            let why =
                format!("There is a user token named `{name}`. Choose another name or delete it.");
            Refusal::new("NAME_TAKEN", field, why)
        })
    })?;
    // From the first user on, nobody is let in by a link.
    token::delete_kind(&mut work.tx, TokenKind::Setup).await?;
    work.event(None, "USER_TOKEN_CREATED", format!("{name} has a token now"));
    Ok(made)
}

async fn make(
    work: &mut Work,
    kind: TokenKind,
    name: &str,
    prefix: &str,
) -> crate::work::Inner<TokenMade> {
    let text = fresh_token(prefix);
    let token = Token {
        id: TokenId::new(),
        kind,
        name: name.to_owned(),
        sha256: token_digest(text.expose()),
        machine_id: None,
        attempt: None,
        task: None,
        finished: None,
        created: work.now,
        expires: None,
        used: None,
    };
    token::insert(&mut work.tx, &token).await?;
    Ok(TokenMade { token, text })
}

fn check_name(name: &str, field: &[&str]) -> Result<(), Refusal> {
    let fits = !name.trim().is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    let why = "A name needs 1 to 64 characters and no control characters.";
    Err(Refusal::new("NAME_INVALID", field, why))
}
