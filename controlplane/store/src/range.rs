use std::net::Ipv4Addr;

use ironherd_domain::{ClassId, RangeId, SubnetId};

use crate::row::binds;
use crate::{Row, StoreError, Tx};

/// Addresses that the rack hands out itself; both ends belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub id: RangeId,
    pub subnet_id: SubnetId,
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
    /// Whose members alone are served from it.
    pub class_id: Option<ClassId>,
}

fn read(row: &Row) -> Result<Range, StoreError> {
    Ok(Range {
        id: row.parsed("id")?,
        subnet_id: row.parsed("subnet_id")?,
        first: row.parsed("first")?,
        last: row.parsed("last")?,
        class_id: row.parsed_maybe("class_id")?,
    })
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn insert(tx: &mut Tx, it: &Range) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO ip_range (id, subnet_id, first, last, class_id) VALUES ($1, $2, $3, $4, $5)";
    let values = binds![it.id, it.subnet_id, it.first, it.last, it.class_id];
    tx.run(ADD, values).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn update(tx: &mut Tx, it: &Range) -> Result<(), StoreError> {
    const CHANGE: &str = "UPDATE ip_range SET first = $2, last = $3, class_id = $4 WHERE id = $1";
    tx.run(CHANGE, binds![it.id, it.first, it.last, it.class_id]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn delete(tx: &mut Tx, id: RangeId) -> Result<(), StoreError> {
    tx.run("DELETE FROM ip_range WHERE id = $1", binds![id]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn by_id(tx: &mut Tx, id: RangeId) -> Result<Option<Range>, StoreError> {
    let row = tx.maybe("SELECT * FROM ip_range WHERE id = $1", binds![id]).await?;
    row.as_ref().map(read).transpose()
}

/// # Errors
/// See [`by_id`].
pub async fn of_subnet(tx: &mut Tx, subnet: SubnetId) -> Result<Vec<Range>, StoreError> {
    const ALL: &str = "SELECT * FROM ip_range WHERE subnet_id = $1 ORDER BY id";
    tx.all(ALL, binds![subnet]).await?.iter().map(read).collect()
}

/// One range that is for the members of a class.
///
/// # Errors
/// See [`by_id`].
pub async fn a_range_for(tx: &mut Tx, class: ClassId) -> Result<Option<Range>, StoreError> {
    const ANY: &str = "SELECT * FROM ip_range WHERE class_id = $1 LIMIT 1";
    tx.maybe(ANY, binds![class]).await?.as_ref().map(read).transpose()
}
