use ironherd_domain::{AgentNext, AgentTaskKind, MachineId, TokenId, UnixMicros, Unknown};

use crate::row::binds;
use crate::{Row, StoreError, Tx};

/// A bearer token. Only its digest is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub kind: TokenKind,
    /// Who holds it, for people: a user's or rack's name.
    pub name: String,
    pub sha256: Vec<u8>,
    /// Bound to this machine and boot attempt: agent sessions and phone-home tokens.
    pub machine_id: Option<MachineId>,
    pub attempt: Option<u64>,
    pub task: Option<AgentTaskKind>,
    /// What the agent was told when it finished: a repeated call gets the same answer.
    pub finished: Option<AgentNext>,
    pub created: UnixMicros,
    pub expires: Option<UnixMicros>,
    pub used: Option<UnixMicros>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    User,
    Rack,
    Agent,
    /// Lets the first administrator in, once.
    Setup,
    /// Lets an installed system report in, once.
    PhoneHome,
}

impl TokenKind {
    const ALL: [Self; 5] = [Self::User, Self::Rack, Self::Agent, Self::Setup, Self::PhoneHome];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Rack => "RACK",
            Self::Agent => "AGENT",
            Self::Setup => "SETUP",
            Self::PhoneHome => "PHONE_HOME",
        }
    }
}

impl std::str::FromStr for TokenKind {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == text);
        found.ok_or_else(|| Unknown::new("token kind", text))
    }
}

fn read(row: &Row) -> Result<Token, StoreError> {
    Ok(Token {
        id: row.parsed("id")?,
        kind: row.parsed("kind")?,
        name: row.text("name")?,
        sha256: row.bytes("sha256")?,
        machine_id: row.parsed_maybe("machine_id")?,
        attempt: row.count_maybe("attempt")?,
        task: row.parsed_maybe("task")?,
        finished: row.parsed_maybe("finished")?,
        created: UnixMicros(row.int("created_us")?),
        expires: row.int_maybe("expires_us")?.map(UnixMicros),
        used: row.int_maybe("used_us")?.map(UnixMicros),
    })
}

/// # Errors
/// [`StoreError::Taken`] if a user has the name.
pub async fn insert(tx: &mut Tx, it: &Token) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO token (id, kind, name, sha256, machine_id, attempt, task, created_us,
            expires_us)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = binds![
        it.id,
        it.kind.as_str(),
        &it.name,
        it.sha256.clone(),
        it.machine_id,
        it.attempt,
        it.task,
        it.created,
        it.expires,
    ];
    tx.run(ADD, values).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn by_digest(tx: &mut Tx, sha256: &[u8]) -> Result<Option<Token>, StoreError> {
    let row = tx.maybe("SELECT * FROM token WHERE sha256 = $1", binds![sha256]).await?;
    row.as_ref().map(read).transpose()
}

/// # Errors
/// See [`by_digest`].
pub async fn by_id(tx: &mut Tx, id: TokenId) -> Result<Option<Token>, StoreError> {
    let row = tx.maybe("SELECT * FROM token WHERE id = $1", binds![id]).await?;
    row.as_ref().map(read).transpose()
}

/// Marks a one-time token as used; `false` if it was used before.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn use_once(tx: &mut Tx, id: TokenId, at: UnixMicros) -> Result<bool, StoreError> {
    const USE: &str = "UPDATE token SET used_us = $2 WHERE id = $1 AND used_us IS NULL";
    Ok(tx.run(USE, binds![id, at]).await? != 0)
}

/// Binds an enlisting agent's session to the machine that was made for it.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn finish(
    tx: &mut Tx,
    id: TokenId,
    machine: Option<MachineId>,
    next: AgentNext,
) -> Result<(), StoreError> {
    const SET: &str = "UPDATE token SET machine_id = $2, finished = $3 WHERE id = $1";
    tx.run(SET, binds![id, machine, next]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn delete(tx: &mut Tx, id: TokenId) -> Result<bool, StoreError> {
    Ok(tx.run("DELETE FROM token WHERE id = $1", binds![id]).await? != 0)
}

/// Drops all tokens of a kind.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn delete_kind(tx: &mut Tx, kind: TokenKind) -> Result<(), StoreError> {
    tx.run("DELETE FROM token WHERE kind = $1", binds![kind.as_str()]).await.map(|_| ())
}

/// Drops the phone-home tokens of a machine.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn delete_of_machine(
    tx: &mut Tx,
    machine: MachineId,
    kind: TokenKind,
) -> Result<(), StoreError> {
    const DROP: &str = "DELETE FROM token WHERE machine_id = $1 AND kind = $2";
    tx.run(DROP, binds![machine, kind.as_str()]).await.map(|_| ())
}

/// How many tokens of a kind there are.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn count(tx: &mut Tx, kind: TokenKind) -> Result<i64, StoreError> {
    const COUNT: &str = "SELECT COUNT(*) AS number FROM token WHERE kind = $1";
    let row = tx.maybe(COUNT, binds![kind.as_str()]).await?;
    row.map_or(Ok(0), |row| row.int("number"))
}

/// Drops what has expired.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn sweep(tx: &mut Tx, now: UnixMicros) -> Result<u64, StoreError> {
    tx.run("DELETE FROM token WHERE expires_us <= $1", binds![now]).await
}

/// The user tokens, oldest first.
///
/// # Errors
/// See [`by_digest`].
pub async fn page(
    tx: &mut Tx,
    kind: TokenKind,
    after: Option<TokenId>,
    limit: u32,
) -> Result<Vec<Token>, StoreError> {
    const PAGE: &str = "SELECT * FROM token WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = after.map(TokenId::to_text).unwrap_or_default();
    tx.all(PAGE, binds![kind.as_str(), after, limit]).await?.iter().map(read).collect()
}
