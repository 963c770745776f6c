use ironherd_domain::FabricId;

use crate::row::binds;
use crate::{Row, StoreError, Tx};

/// A layer-2 world with VLANs in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fabric {
    pub id: FabricId,
    pub generation: i64,
    pub name: String,
}

fn read(row: &Row) -> Result<Fabric, StoreError> {
    Ok(Fabric {
        id: row.parsed("id")?,
        generation: row.int("generation")?,
        name: row.text("name")?,
    })
}

/// # Errors
/// [`StoreError::Taken`] if the name is in use.
pub async fn insert(tx: &mut Tx, it: &Fabric) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO fabric (id, name) VALUES ($1, $2)";
    tx.run(ADD, binds![it.id, &it.name]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Moved`] if the generation is not the stored one; [`StoreError::Taken`].
pub async fn update(tx: &mut Tx, it: &Fabric) -> Result<(), StoreError> {
    const CHANGE: &str = "
        UPDATE fabric SET generation = generation + 1, name = $3
        WHERE id = $1 AND generation = $2";
    match tx.run(CHANGE, binds![it.id, it.generation, &it.name]).await? {
        0 => Err(StoreError::Moved { what: "fabric", id: it.id.to_text() }),
        _ => Ok(()),
    }
}

/// Deletes the fabric with its VLANs, on which there must be no subnet.
///
/// # Errors
/// [`StoreError::Sql`], also if there is one.
pub async fn delete(tx: &mut Tx, id: FabricId) -> Result<(), StoreError> {
    tx.run("DELETE FROM vlan WHERE fabric_id = $1", binds![id]).await?;
    tx.run("DELETE FROM fabric WHERE id = $1", binds![id]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn by_id(tx: &mut Tx, id: FabricId) -> Result<Option<Fabric>, StoreError> {
    let row = tx.maybe("SELECT * FROM fabric WHERE id = $1", binds![id]).await?;
    row.as_ref().map(read).transpose()
}

/// # Errors
/// See [`by_id`].
pub async fn page(
    tx: &mut Tx,
    after: Option<FabricId>,
    limit: u32,
) -> Result<Vec<Fabric>, StoreError> {
    const PAGE: &str = "SELECT * FROM fabric WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map(FabricId::to_text).unwrap_or_default();
    tx.all(PAGE, binds![after, limit]).await?.iter().map(read).collect()
}
