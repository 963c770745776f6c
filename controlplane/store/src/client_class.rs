use ironherd_domain::{ClassCondition, ClassId};

use crate::row::{binds, joined};
use crate::{Row, StoreError, Tx};

/// A kind of client, told by what it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientClass {
    pub id: ClassId,
    pub generation: i64,
    pub name: String,
    /// Where it stands among the others; the lower comes first.
    pub position: u32,
    /// All must hold.
    pub conditions: Vec<ClassCondition>,
    pub boot_file: Option<String>,
}

fn read(row: &Row) -> Result<ClientClass, StoreError> {
    Ok(ClientClass {
        id: row.parsed("id")?,
        generation: row.int("generation")?,
        name: row.text("name")?,
        position: row.count("position")?,
        conditions: row.list("conditions")?,
        boot_file: row.text_maybe("boot_file")?,
    })
}

/// # Errors
/// [`StoreError::Taken`] if the name is in use.
pub async fn insert(tx: &mut Tx, it: &ClientClass) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO client_class (id, name, position, conditions, boot_file)
        VALUES ($1, $2, $3, $4, $5)";
    let conditions = joined(&it.conditions);
    let values = binds![it.id, &it.name, it.position, conditions, it.boot_file.clone()];
    tx.run(ADD, values).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Moved`] if the generation is not the stored one; [`StoreError::Taken`].
pub async fn update(tx: &mut Tx, it: &ClientClass) -> Result<(), StoreError> {
    const CHANGE: &str = "
        UPDATE client_class SET generation = generation + 1, name = $3, position = $4,
            conditions = $5, boot_file = $6
        WHERE id = $1 AND generation = $2";
    let conditions = joined(&it.conditions);
    let values =
        binds![it.id, it.generation, &it.name, it.position, conditions, it.boot_file.clone()];
    match tx.run(CHANGE, values).await? {
        0 => Err(StoreError::Moved { what: "client class", id: it.id.to_text() }),
        _ => Ok(()),
    }
}

/// # Errors
/// [`StoreError::Sql`], also if a range is for its members.
pub async fn delete(tx: &mut Tx, id: ClassId) -> Result<(), StoreError> {
    tx.run("DELETE FROM client_class WHERE id = $1", binds![id]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn by_id(tx: &mut Tx, id: ClassId) -> Result<Option<ClientClass>, StoreError> {
    let row = tx.maybe("SELECT * FROM client_class WHERE id = $1", binds![id]).await?;
    row.as_ref().map(read).transpose()
}

/// All of them, in the order in which they are tried. `limit` bounds what is read.
///
/// # Errors
/// See [`by_id`].
pub async fn all(tx: &mut Tx, limit: u32) -> Result<Vec<ClientClass>, StoreError> {
    const ALL: &str = "SELECT * FROM client_class ORDER BY position, id LIMIT $1";
    tx.all(ALL, binds![limit]).await?.iter().map(read).collect()
}
