use std::net::Ipv4Addr;

use ironherd_domain::{RangeId, SubnetId};

use crate::row::binds;
use crate::{Row, StoreError, Tx};

/// Addresses that the rack hands out itself; both ends belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub id: RangeId,
    pub subnet_id: SubnetId,
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
}

fn read(row: &Row) -> Result<Range, StoreError> {
    Ok(Range {
        id: row.parsed("id")?,
        subnet_id: row.parsed("subnet_id")?,
        first: row.parsed("first")?,
        last: row.parsed("last")?,
    })
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn insert(tx: &mut Tx, it: &Range) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO ip_range (id, subnet_id, first, last) VALUES ($1, $2, $3, $4)";
    tx.run(ADD, binds![it.id, it.subnet_id, it.first, it.last]).await.map(|_| ())
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
