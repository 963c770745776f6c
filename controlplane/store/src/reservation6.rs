use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use ironherd_domain::{Reservation6Id, ReservationKey6, Subnet6Id};

use crate::row::binds;
use crate::{Row, StoreError, Tx};

/// What belongs to one IPv6 client: an address, a prefix, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation6 {
    pub id: Reservation6Id,
    pub subnet6_id: Subnet6Id,
    pub key: ReservationKey6,
    pub address: Option<Ipv6Addr>,
    pub prefix: Option<Ipv6Net>,
    pub hostname: Option<String>,
}

fn read(row: &Row) -> Result<Reservation6, StoreError> {
    Ok(Reservation6 {
        id: row.parsed("id")?,
        subnet6_id: row.parsed("subnet6_id")?,
        key: row.parsed("client_key")?,
        address: row.parsed_maybe("address")?,
        prefix: row.parsed_maybe("prefix")?,
        hostname: row.text_maybe("hostname")?,
    })
}

/// # Errors
/// [`StoreError::Taken`] if the address or prefix, or the client within the subnet, has one.
pub async fn insert(tx: &mut Tx, it: &Reservation6) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO reservation6 (id, subnet6_id, client_key, address, prefix, hostname)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let key = it.key.to_string();
    let values = binds![it.id, it.subnet6_id, key, it.address, it.prefix, it.hostname.clone()];
    tx.run(ADD, values).await.map(|_| ())
}

/// Stores what the client has; who it is stays.
///
/// # Errors
/// [`StoreError::Taken`].
pub async fn update(tx: &mut Tx, it: &Reservation6) -> Result<(), StoreError> {
    const CHANGE: &str =
        "UPDATE reservation6 SET address = $2, prefix = $3, hostname = $4 WHERE id = $1";
    let values = binds![it.id, it.address, it.prefix, it.hostname.clone()];
    tx.run(CHANGE, values).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn delete(tx: &mut Tx, id: Reservation6Id) -> Result<(), StoreError> {
    tx.run("DELETE FROM reservation6 WHERE id = $1", binds![id]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn by_id(tx: &mut Tx, id: Reservation6Id) -> Result<Option<Reservation6>, StoreError> {
    let row = tx.maybe("SELECT * FROM reservation6 WHERE id = $1", binds![id]).await?;
    row.as_ref().map(read).transpose()
}

/// # Errors
/// See [`by_id`].
pub async fn of_subnet(tx: &mut Tx, subnet: Subnet6Id) -> Result<Vec<Reservation6>, StoreError> {
    const ALL: &str = "SELECT * FROM reservation6 WHERE subnet6_id = $1 ORDER BY id";
    tx.all(ALL, binds![subnet]).await?.iter().map(read).collect()
}
