use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, Postgres, SqlSafeStr, Sqlite, SqlitePool, Transaction};

use crate::row::binds;
use crate::{Row, Value};

/// The database: one type over both engines, cheap to clone.
#[derive(Clone, Debug)]
pub enum Db {
    /// One writer, because SQLite has one anyway: waiting in the pool is fair, `SQLITE_BUSY` is
    /// not. Readers do not wait for it (WAL).
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
    Postgres(PgPool),
}

/// A transaction on either engine. Dropping it undoes what was not committed.
#[derive(Debug)]
pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed the row first: load it and decide again.
    #[error("{what} {id} was changed by somebody else")]
    Moved { what: &'static str, id: String },
    /// A unique name, address or number is already in use. Names the constraint or columns.
    #[error("already taken: {0}")]
    Taken(String),
    /// The database refused a change of state that is not in the lifecycle table.
    #[error("the database refused the step: {0}")]
    StepRefused(String),
    /// A stored value cannot be read: the database was changed by hand or by a newer version.
    #[error("column {column} holds what this version cannot read: {text}")]
    Corrupt { column: &'static str, text: String },
    #[error("{0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("{0}")]
    Sql(#[source] sqlx::Error),
}

impl StoreError {
    pub(crate) fn corrupt(column: &'static str, text: &str) -> Self {
        Self::Corrupt { column, text: text.to_owned() }
    }

    /// Whether doing the whole transaction again may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Moved { .. } => true,
            // Serialization failure, deadlock (PostgreSQL); busy (SQLite, another process).
            Self::Sql(sqlx::Error::Database(it)) => {
                let code = it.code().unwrap_or_default();
                matches!(&*code, "40001" | "40P01" | "5" | "261" | "517")
            }
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(it) = &error {
            let message = it.message();
            if message.contains("lifecycle:") {
                return Self::StepRefused(message.to_owned());
            }
            if it.is_unique_violation() {
                let name = it.constraint().unwrap_or(message);
                return Self::Taken(name.to_owned());
            }
        }
        Self::Sql(error)
    }
}

/// Runs one body on the connection of either engine: the statement and its binds are the same,
/// only the types differ. The body sees the connection and how to wrap one row.
macro_rules! on_either {
    ($tx:expr, |$conn:ident, $wrap:ident| $body:expr) => {
        match $tx {
            Tx::Sqlite(tx) => {
                let ($conn, $wrap) = (&mut **tx, Row::Sqlite);
                $body
            }
            Tx::Postgres(tx) => {
                let ($conn, $wrap) = (&mut **tx, Row::Postgres);
                $body
            }
        }
    };
}

macro_rules! bound {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match value {
                Value::Text(it) => query.bind(it),
                Value::Int(it) => query.bind(it),
                Value::Flag(it) => query.bind(it),
                Value::Bytes(it) => query.bind(it),
            };
        }
        query
    }};
}

/// How long a writer waits for another process that writes to the same SQLite file.
const BUSY_MAX: Duration = Duration::from_secs(10);
const READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;

impl Db {
    /// Opens `postgres://…`, or a SQLite file at any other path; creates and migrates it.
    ///
    /// # Errors
    /// If it cannot be reached, is not ours, or a migration fails.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let db = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options: PgConnectOptions = url.parse()?;
            Self::open_postgres(options).await?
        } else {
            Self::open_sqlite(Path::new(url.strip_prefix("sqlite://").unwrap_or(url))).await?
        };
        db.seed_lifecycle().await?;
        Ok(db)
    }

    async fn open_sqlite(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_MAX);
        let pool = || SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None);
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("migrations/sqlite").run(&writer).await?;
        let reading = options.create_if_missing(false).read_only(true);
        let reader = pool().max_connections(READERS).connect_with(reading).await?;
        Ok(Self::Sqlite { writer, reader })
    }

    async fn open_postgres(options: PgConnectOptions) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new().max_connections(POSTGRES_CONNECTIONS);
        let pool = pool.connect_with(options).await?;
        sqlx::migrate!("migrations/postgres").run(&pool).await?;
        Ok(Self::Postgres(pool))
    }

    /// A transaction that writes. On SQLite it takes the write lock at once, so that what it has
    /// read cannot become stale before it writes.
    ///
    /// # Errors
    /// If no connection can be had.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        match self {
            Self::Sqlite { writer, .. } => {
                Ok(Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?))
            }
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    /// A transaction that only reads, and sees one state of the database throughout.
    ///
    /// # Errors
    /// If no connection can be had.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        match self {
            Self::Sqlite { reader, .. } => Ok(Tx::Sqlite(reader.begin().await?)),
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin_with(BEGIN).await?)),
        }
    }

    /// Whether other processes may write to the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// Copies the lifecycle table of `domain` into the database, where a trigger checks raw
    /// changes against it.
    async fn seed_lifecycle(&self) -> Result<(), StoreError> {
        const HAVE: &str = "SELECT from_state, event, to_state FROM lifecycle_step";
        const ADD: &str =
            "INSERT INTO lifecycle_step (from_state, event, to_state) VALUES ($1, $2, $3)
            ON CONFLICT (from_state, event) DO UPDATE SET to_state = excluded.to_state";
        let mut want: Vec<[String; 3]> = ironherd_domain::machine::STEPS
            .iter()
            .map(|it| [it.from.as_str(), it.event.as_str(), it.to.as_str()].map(str::to_owned))
            .collect();
        want.sort();
        let mut tx = self.write().await?;
        let mut have = Vec::new();
        for row in tx.all(HAVE, vec![]).await? {
            have.push([row.text("from_state")?, row.text("event")?, row.text("to_state")?]);
        }
        have.sort();
        if have == want {
            return Ok(());
        }
        tx.run("DELETE FROM lifecycle_step", vec![]).await?;
        for [from, event, to] in want {
            tx.run(ADD, binds![from, event, to]).await?;
        }
        tx.commit().await
    }
}

impl Tx {
    /// # Errors
    /// [`StoreError::Sql`]; nothing was stored, unless the connection broke in the very moment.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => Ok(tx.commit().await?),
            Self::Postgres(tx) => Ok(tx.commit().await?),
        }
    }

    /// Runs a statement; returns how many rows it touched.
    pub(crate) async fn run(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        let sql = sql.into_sql_str();
        on_either!(self, |conn, _wrap| {
            Ok(bound!(sql, values).execute(conn).await?.rows_affected())
        })
    }

    pub(crate) async fn maybe(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        let sql = sql.into_sql_str();
        on_either!(self, |conn, wrap| {
            Ok(bound!(sql, values).fetch_optional(conn).await?.map(wrap))
        })
    }

    pub(crate) async fn all(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let sql = sql.into_sql_str();
        on_either!(self, |conn, wrap| {
            Ok(bound!(sql, values).fetch_all(conn).await?.into_iter().map(wrap).collect())
        })
    }
}
