use ironherd_domain::{DhcpMode, FabricId, VlanId};

use crate::row::binds;
use crate::{Row, StoreError, Tx};

/// A broadcast domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vlan {
    pub id: VlanId,
    pub generation: i64,
    pub fabric_id: FabricId,
    /// 0: untagged.
    pub vid: u16,
    pub name: String,
    pub mode: DhcpMode,
}

fn read(row: &Row) -> Result<Vlan, StoreError> {
    Ok(Vlan {
        id: row.parsed("id")?,
        generation: row.int("generation")?,
        fabric_id: row.parsed("fabric_id")?,
        vid: row.count("vid")?,
        name: row.text("name")?,
        mode: row.parsed("mode")?,
    })
}

/// # Errors
/// [`StoreError::Taken`] if the fabric has the tag already.
pub async fn insert(tx: &mut Tx, it: &Vlan) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO vlan (id, fabric_id, vid, name, mode) VALUES ($1, $2, $3, $4, $5)";
    let values = binds![it.id, it.fabric_id, u32::from(it.vid), &it.name, it.mode];
    tx.run(ADD, values).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Moved`] if the generation is not the stored one; [`StoreError::Taken`].
pub async fn update(tx: &mut Tx, it: &Vlan) -> Result<(), StoreError> {
    const CHANGE: &str = "
        UPDATE vlan SET generation = generation + 1, vid = $3, name = $4, mode = $5
        WHERE id = $1 AND generation = $2";
    let values = binds![it.id, it.generation, u32::from(it.vid), &it.name, it.mode];
    match tx.run(CHANGE, values).await? {
        0 => Err(StoreError::Moved { what: "VLAN", id: it.id.to_text() }),
        _ => Ok(()),
    }
}

/// # Errors
/// [`StoreError::Sql`], also if there is a subnet on it.
pub async fn delete(tx: &mut Tx, id: VlanId) -> Result<(), StoreError> {
    tx.run("DELETE FROM vlan WHERE id = $1", binds![id]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn by_id(tx: &mut Tx, id: VlanId) -> Result<Option<Vlan>, StoreError> {
    let row = tx.maybe("SELECT * FROM vlan WHERE id = $1", binds![id]).await?;
    row.as_ref().map(read).transpose()
}

/// # Errors
/// See [`by_id`].
pub async fn page(tx: &mut Tx, after: Option<VlanId>, limit: u32) -> Result<Vec<Vlan>, StoreError> {
    const PAGE: &str = "SELECT * FROM vlan WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map(VlanId::to_text).unwrap_or_default();
    tx.all(PAGE, binds![after, limit]).await?.iter().map(read).collect()
}

/// The VLANs of one fabric: at most 4,095, by their tags.
///
/// # Errors
/// See [`by_id`].
pub async fn of_fabric(tx: &mut Tx, fabric: FabricId) -> Result<Vec<Vlan>, StoreError> {
    const ALL: &str = "SELECT * FROM vlan WHERE fabric_id = $1 ORDER BY vid";
    tx.all(ALL, binds![fabric]).await?.iter().map(read).collect()
}

/// The name of one subnet, of either family, that is on it.
///
/// # Errors
/// See [`by_id`].
pub async fn a_subnet_on(tx: &mut Tx, id: VlanId) -> Result<Option<String>, StoreError> {
    const ANY: &str = "
        SELECT name FROM subnet WHERE vlan_id = $1
        UNION ALL SELECT name FROM subnet6 WHERE vlan_id = $1 LIMIT 1";
    tx.maybe(ANY, binds![id]).await?.map(|row| row.text("name")).transpose()
}
