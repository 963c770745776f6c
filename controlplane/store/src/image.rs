use ironherd_domain::{ImageId, ImageKind, ImageState, UnixMicros};
use sqlx::AssertSqlSafe;

use crate::machine::places;
use crate::row::binds;
use crate::{Row, StoreError, Tx, Value};

/// A file by its content. Several images may share one content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub id: ImageId,
    pub name: String,
    pub kind: ImageKind,
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
    pub size_bytes: u64,
    /// Size of the disk that a `DISK_*` image unpacks to.
    pub disk_bytes: Option<u64>,
    pub architecture: Option<String>,
    pub state: ImageState,
    pub created: UnixMicros,
}

fn read(row: &Row) -> Result<Image, StoreError> {
    Ok(Image {
        id: row.parsed("id")?,
        name: row.text("name")?,
        kind: row.parsed("kind")?,
        sha256: row.text("sha256")?,
        size_bytes: row.count("size_bytes")?,
        disk_bytes: row.count_maybe("disk_bytes")?,
        architecture: row.text_maybe("architecture")?,
        state: row.parsed("state")?,
        created: UnixMicros(row.int("created_us")?),
    })
}

/// # Errors
/// [`StoreError::Taken`] if an image of this kind has the name.
pub async fn insert(tx: &mut Tx, it: &Image) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO image (id, name, kind, sha256, size_bytes, disk_bytes, architecture, state,
            created_us)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = binds![
        it.id,
        &it.name,
        it.kind,
        &it.sha256,
        it.size_bytes,
        it.disk_bytes,
        it.architecture.clone(),
        it.state,
        it.created,
    ];
    tx.run(ADD, values).await.map(|_| ())
}

/// Marks every image with this content as ready; returns how many waited for it.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn ready(tx: &mut Tx, sha256: &str) -> Result<u64, StoreError> {
    const READY: &str =
        "UPDATE image SET state = 'READY' WHERE sha256 = $1 AND state = 'UPLOADING'";
    tx.run(READY, binds![sha256]).await
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn delete(tx: &mut Tx, id: ImageId) -> Result<(), StoreError> {
    tx.run("DELETE FROM image WHERE id = $1", binds![id]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn by_id(tx: &mut Tx, id: ImageId) -> Result<Option<Image>, StoreError> {
    let row = tx.maybe("SELECT * FROM image WHERE id = $1", binds![id]).await?;
    row.as_ref().map(read).transpose()
}

/// # Errors
/// See [`by_id`].
pub async fn by_ids(tx: &mut Tx, ids: &[ImageId]) -> Result<Vec<Image>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT * FROM image WHERE id IN ({})", places(1, ids.len()));
    let values = ids.iter().copied().map(Value::from).collect();
    tx.all(AssertSqlSafe(sql), values).await?.iter().map(read).collect()
}

/// # Errors
/// See [`by_id`].
pub async fn by_sha256(tx: &mut Tx, sha256: &str) -> Result<Vec<Image>, StoreError> {
    const ALL: &str = "SELECT * FROM image WHERE sha256 = $1 ORDER BY id";
    tx.all(ALL, binds![sha256]).await?.iter().map(read).collect()
}

/// # Errors
/// See [`by_id`].
pub async fn page(
    tx: &mut Tx,
    after: Option<ImageId>,
    limit: u32,
) -> Result<Vec<Image>, StoreError> {
    const PAGE: &str = "SELECT * FROM image WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map(ImageId::to_text).unwrap_or_default();
    tx.all(PAGE, binds![after, limit]).await?.iter().map(read).collect()
}
