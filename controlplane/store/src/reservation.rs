use std::collections::HashMap;
use std::net::Ipv4Addr;

use ironherd_domain::{Mac, ReservationId, ReservationKey, SubnetId};
use sqlx::AssertSqlSafe;

use crate::machine::places;
use crate::row::binds;
use crate::{Row, StoreError, Tx, Value};

/// One address that belongs to one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    pub id: ReservationId,
    pub subnet_id: SubnetId,
    pub key: ReservationKey,
    pub address: Ipv4Addr,
    pub hostname: Option<String>,
}

fn read(row: &Row) -> Result<Reservation, StoreError> {
    Ok(Reservation {
        id: row.parsed("id")?,
        subnet_id: row.parsed("subnet_id")?,
        key: row.parsed("client_key")?,
        address: row.parsed("address")?,
        hostname: row.text_maybe("hostname")?,
    })
}

/// # Errors
/// [`StoreError::Taken`] if the address, or the client within the subnet, has a reservation.
pub async fn insert(tx: &mut Tx, it: &Reservation) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO reservation (id, subnet_id, client_key, mac, address, hostname)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let (key, mac) = (it.key.to_string(), it.key.mac());
    let values = binds![it.id, it.subnet_id, key, mac, it.address, it.hostname.clone()];
    tx.run(ADD, values).await.map(|_| ())
}

/// Stores what the client has; who it is stays.
///
/// # Errors
/// [`StoreError::Taken`] if the address has a reservation.
pub async fn update(tx: &mut Tx, it: &Reservation) -> Result<(), StoreError> {
    const CHANGE: &str = "UPDATE reservation SET address = $2, hostname = $3 WHERE id = $1";
    tx.run(CHANGE, binds![it.id, it.address, it.hostname.clone()]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn delete(tx: &mut Tx, id: ReservationId) -> Result<(), StoreError> {
    tx.run("DELETE FROM reservation WHERE id = $1", binds![id]).await.map(|_| ())
}

/// Frees the addresses of a card everywhere.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn delete_of_mac(tx: &mut Tx, mac: Mac) -> Result<(), StoreError> {
    tx.run("DELETE FROM reservation WHERE mac = $1", binds![mac]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn rename(tx: &mut Tx, mac: Mac, hostname: &str) -> Result<(), StoreError> {
    const NAME: &str = "UPDATE reservation SET hostname = $2 WHERE mac = $1";
    tx.run(NAME, binds![mac, hostname]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn by_id(tx: &mut Tx, id: ReservationId) -> Result<Option<Reservation>, StoreError> {
    let row = tx.maybe("SELECT * FROM reservation WHERE id = $1", binds![id]).await?;
    row.as_ref().map(read).transpose()
}

/// What an address of a subnet is reserved for.
///
/// # Errors
/// See [`by_id`].
pub async fn at(
    tx: &mut Tx,
    subnet: SubnetId,
    address: Ipv4Addr,
) -> Result<Option<Reservation>, StoreError> {
    const FIND: &str = "SELECT * FROM reservation WHERE subnet_id = $1 AND address = $2";
    tx.maybe(FIND, binds![subnet, address]).await?.as_ref().map(read).transpose()
}

/// # Errors
/// See [`by_id`].
pub async fn of_subnet(tx: &mut Tx, subnet: SubnetId) -> Result<Vec<Reservation>, StoreError> {
    const ALL: &str = "SELECT * FROM reservation WHERE subnet_id = $1 ORDER BY id";
    tx.all(ALL, binds![subnet]).await?.iter().map(read).collect()
}

/// # Errors
/// See [`by_id`].
pub async fn of_mac(tx: &mut Tx, mac: Mac) -> Result<Vec<Reservation>, StoreError> {
    const ALL: &str = "SELECT * FROM reservation WHERE mac = $1 ORDER BY id";
    tx.all(ALL, binds![mac]).await?.iter().map(read).collect()
}

/// The oldest reserved address of each card.
///
/// # Errors
/// See [`by_id`].
pub async fn addresses(tx: &mut Tx, macs: &[Mac]) -> Result<HashMap<Mac, Ipv4Addr>, StoreError> {
    let mut found = HashMap::new();
    for part in macs.chunks(1_000) {
        let list = places(1, part.len());
        let sql = format!("SELECT mac, address FROM reservation WHERE mac IN ({list}) ORDER BY id");
        let values = part.iter().copied().map(Value::from).collect();
        for row in tx.all(AssertSqlSafe(sql), values).await? {
            let mac = row.parsed("mac")?;
            found.entry(mac).or_insert(row.parsed("address")?);
        }
    }
    Ok(found)
}
