use ironherd_domain::{RackId, TokenId, UnixMicros};

use crate::row::binds;
use crate::{Row, StoreError, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rack {
    pub id: RackId,
    pub name: String,
    pub version: String,
    pub addresses: Vec<String>,
    pub last_seen: Option<UnixMicros>,
    pub snapshot_generation: Option<u64>,
    /// What the rack warns of; JSON that `app` reads.
    pub alarms: String,
}

fn read(row: &Row) -> Result<Rack, StoreError> {
    Ok(Rack {
        id: row.parsed("id")?,
        name: row.text("name")?,
        version: row.text("version")?,
        addresses: row.list("addresses")?,
        last_seen: row.int_maybe("last_seen_us")?.map(UnixMicros),
        snapshot_generation: row.count_maybe("snapshot_generation")?,
        alarms: row.text("alarms")?,
    })
}

/// Adds a rack, or renews what is known of the one with this name.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn upsert(
    tx: &mut Tx,
    name: &str,
    version: &str,
    addresses: &[String],
    token: Option<TokenId>,
    at: UnixMicros,
) -> Result<Rack, StoreError> {
    const PUT: &str = "
        INSERT INTO rack (id, name, version, addresses, token_id, last_seen_us)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (name) DO UPDATE SET version = excluded.version,
            addresses = excluded.addresses, token_id = excluded.token_id,
            last_seen_us = excluded.last_seen_us
        RETURNING *";
    let addresses = addresses.join(" ");
    let row = tx.maybe(PUT, binds![RackId::new(), name, version, addresses, token, at]).await?;
    read(&row.ok_or(StoreError::Sql(sqlx::Error::RowNotFound))?)
}

/// Records a report, unless it or a later one of its epoch was taken in before: then `false`.
///
/// Epochs are kept apart: a rack that restarts, or two that share a token, lose nothing. `gap`:
/// some before it are missing.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn report(
    tx: &mut Tx,
    id: RackId,
    epoch: u64,
    sequence: u64,
    gap: bool,
    at: UnixMicros,
) -> Result<bool, StoreError> {
    const TAKE: &str = "
        INSERT INTO rack_report (rack_id, epoch, sequence, at_us, gap_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (rack_id, epoch) DO UPDATE SET sequence = excluded.sequence,
            at_us = excluded.at_us, gap_at = COALESCE(excluded.gap_at, rack_report.gap_at)
        WHERE rack_report.sequence < excluded.sequence";
    let gap_at = gap.then_some(sequence);
    Ok(tx.run(TAKE, binds![id, epoch, sequence, at, gap_at]).await? != 0)
}

/// The last report of an epoch that was taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    pub sequence: u64,
    /// The last report before which others were missing.
    pub gap_at: Option<u64>,
}

/// The last report of an epoch that was taken in.
///
/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn reported(tx: &mut Tx, id: RackId, epoch: u64) -> Result<Reported, StoreError> {
    const LAST: &str = "SELECT sequence, gap_at FROM rack_report WHERE rack_id = $1 AND epoch = $2";
    let Some(row) = tx.maybe(LAST, binds![id, epoch]).await? else {
        return Ok(Reported::default());
    };
    Ok(Reported { sequence: row.count("sequence")?, gap_at: row.count_maybe("gap_at")? })
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn seen(
    tx: &mut Tx,
    id: RackId,
    at: UnixMicros,
    snapshot_generation: u64,
) -> Result<(), StoreError> {
    const SEEN: &str = "UPDATE rack SET last_seen_us = $2, snapshot_generation = $3 WHERE id = $1";
    tx.run(SEEN, binds![id, at, snapshot_generation]).await.map(|_| ())
}

/// Keeps what a rack warns of.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn set_alarms(tx: &mut Tx, id: RackId, alarms: &str) -> Result<(), StoreError> {
    tx.run("UPDATE rack SET alarms = $2 WHERE id = $1", binds![id, alarms]).await.map(|_| ())
}

/// The rack that last registered with this token.
///
/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn by_token(tx: &mut Tx, token: TokenId) -> Result<Option<Rack>, StoreError> {
    const FIND: &str = "SELECT * FROM rack WHERE token_id = $1 ORDER BY last_seen_us DESC LIMIT 1";
    let row = tx.maybe(FIND, binds![token]).await?;
    row.as_ref().map(read).transpose()
}

/// Every rack that registered with this token: racks may share one.
///
/// # Errors
/// See [`by_token`].
pub async fn ids_of_token(tx: &mut Tx, token: TokenId) -> Result<Vec<RackId>, StoreError> {
    const FIND: &str = "SELECT id FROM rack WHERE token_id = $1 ORDER BY id LIMIT 1000";
    tx.all(FIND, binds![token]).await?.iter().map(|row| row.parsed("id")).collect()
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<Rack>, StoreError> {
    let row = tx.maybe("SELECT * FROM rack WHERE name = $1", binds![name]).await?;
    row.as_ref().map(read).transpose()
}

/// # Errors
/// See [`by_name`].
pub async fn by_id(tx: &mut Tx, id: RackId) -> Result<Option<Rack>, StoreError> {
    let row = tx.maybe("SELECT * FROM rack WHERE id = $1", binds![id]).await?;
    row.as_ref().map(read).transpose()
}

/// # Errors
/// See [`by_name`].
pub async fn page(tx: &mut Tx, after: Option<RackId>, limit: u32) -> Result<Vec<Rack>, StoreError> {
    const PAGE: &str = "SELECT * FROM rack WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map(RackId::to_text).unwrap_or_default();
    tx.all(PAGE, binds![after, limit]).await?.iter().map(read).collect()
}
