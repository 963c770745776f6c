use std::collections::HashMap;

use crate::row::binds;
use crate::{StoreError, Tx};

/// # Errors
/// [`StoreError::Sql`].
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<String>, StoreError> {
    let row = tx.maybe("SELECT value FROM setting WHERE name = $1", binds![name]).await?;
    row.map(|row| row.text("value")).transpose()
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn upsert(tx: &mut Tx, name: &str, value: &str) -> Result<(), StoreError> {
    const PUT: &str = "
        INSERT INTO setting (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.run(PUT, binds![name, value]).await.map(|_| ())
}

/// Stores a value unless there is one; returns the one that holds.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn ensure(tx: &mut Tx, name: &str, value: &str) -> Result<String, StoreError> {
    const PUT: &str = "
        INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    tx.run(PUT, binds![name, value]).await?;
    Ok(by_name(tx, name).await?.unwrap_or_else(|| value.to_owned()))
}

/// Counts one up and returns the new value. The row stays locked until the commit.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn count(tx: &mut Tx, name: &str) -> Result<i64, StoreError> {
    const NEXT: &str = "UPDATE counter SET value = value + 1 WHERE name = $1 RETURNING value";
    let row = tx.maybe(NEXT, binds![name]).await?;
    row.ok_or(StoreError::Sql(sqlx::Error::RowNotFound))?.int("value")
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn counter(tx: &mut Tx, name: &str) -> Result<i64, StoreError> {
    let row = tx.maybe("SELECT value FROM counter WHERE name = $1", binds![name]).await?;
    row.ok_or(StoreError::Sql(sqlx::Error::RowNotFound))?.int("value")
}

/// Every setting.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn all(tx: &mut Tx) -> Result<HashMap<String, String>, StoreError> {
    let rows = tx.all("SELECT name, value FROM setting", vec![]).await?;
    rows.iter().map(|row| Ok((row.text("name")?, row.text("value")?))).collect()
}
