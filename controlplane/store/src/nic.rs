use ironherd_domain::{Mac, MachineId};
use sqlx::AssertSqlSafe;

use crate::machine::places;
use crate::row::binds;
use crate::{Row, StoreError, Tx, Value};

/// A network card of a machine; position 0 is the boot card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    pub mac: Mac,
    pub machine_id: MachineId,
    pub position: i64,
}

fn read(row: &Row) -> Result<Nic, StoreError> {
    Ok(Nic {
        mac: row.parsed("mac")?,
        machine_id: row.parsed("machine_id")?,
        position: row.int("position")?,
    })
}

/// # Errors
/// [`StoreError::Taken`] if another machine has the card.
pub async fn insert(
    tx: &mut Tx,
    machine: MachineId,
    mac: Mac,
    position: i64,
) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO nic (mac, machine_id, position) VALUES ($1, $2, $3)";
    tx.run(ADD, binds![mac, machine, position]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn of_machines(tx: &mut Tx, ids: &[MachineId]) -> Result<Vec<Nic>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list = places(1, ids.len());
    let sql = format!("SELECT * FROM nic WHERE machine_id IN ({list}) ORDER BY position");
    let values = ids.iter().copied().map(Value::from).collect();
    tx.all(AssertSqlSafe(sql), values).await?.iter().map(read).collect()
}
