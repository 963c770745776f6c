use ironherd_domain::{ImageId, Mac, MachineId, MachineState, UnixMicros};
use sqlx::AssertSqlSafe;

use crate::row::binds;
use crate::{Machine, MachineFilter, StoreError, Tx, Value, nic, reservation};

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn by_id(tx: &mut Tx, id: MachineId) -> Result<Option<Machine>, StoreError> {
    one(tx, "SELECT * FROM machine WHERE id = $1", binds![id]).await
}

/// Loads a machine to change it. On PostgreSQL its row is locked first, so that a heartbeat that
/// comes between is not overwritten; SQLite's writer is alone anyway.
///
/// # Errors
/// See [`by_id`].
pub async fn by_id_locked(tx: &mut Tx, id: MachineId) -> Result<Option<Machine>, StoreError> {
    if matches!(tx, Tx::Postgres(_)) {
        tx.maybe("SELECT id FROM machine WHERE id = $1 FOR UPDATE", binds![id]).await?;
    }
    by_id(tx, id).await
}

/// # Errors
/// See [`by_id`].
pub async fn by_hostname(tx: &mut Tx, hostname: &str) -> Result<Option<Machine>, StoreError> {
    one(tx, "SELECT * FROM machine WHERE hostname = $1", binds![hostname]).await
}

/// # Errors
/// See [`by_id`].
pub async fn by_mac(tx: &mut Tx, mac: Mac) -> Result<Option<Machine>, StoreError> {
    const FIND: &str =
        "SELECT machine.* FROM machine JOIN nic ON nic.machine_id = machine.id WHERE nic.mac = $1";
    one(tx, FIND, binds![mac]).await
}

/// # Errors
/// See [`by_id`].
pub async fn by_smbios_uuid(tx: &mut Tx, uuid: &str) -> Result<Option<Machine>, StoreError> {
    one(tx, "SELECT * FROM machine WHERE smbios_uuid = $1 ORDER BY id LIMIT 1", binds![uuid]).await
}

/// How many machines there are in each state that any is in.
///
/// # Errors
/// See [`by_id`].
pub async fn counts(tx: &mut Tx) -> Result<Vec<(MachineState, u64)>, StoreError> {
    const COUNT: &str = "SELECT state, COUNT(*) AS number FROM machine GROUP BY state";
    let rows = tx.all(COUNT, vec![]).await?;
    rows.iter().map(|row| Ok((row.parsed("state")?, row.count("number")?))).collect()
}

/// # Errors
/// See [`by_id`].
pub async fn by_ids(tx: &mut Tx, ids: &[MachineId]) -> Result<Vec<Machine>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT * FROM machine WHERE id IN ({})", places(1, ids.len()));
    let values = ids.iter().copied().map(Value::from).collect();
    many(tx, sql, values).await
}

/// A page by age. Filters narrow by an index before the page is cut.
///
/// # Errors
/// See [`by_id`].
pub async fn page(
    tx: &mut Tx,
    filter: &MachineFilter,
    after: Option<MachineId>,
    limit: u32,
) -> Result<Vec<Machine>, StoreError> {
    let mut sql = String::from("SELECT * FROM machine WHERE id > $1");
    let mut values = vec![Value::Text(Some(after.map(MachineId::to_text).unwrap_or_default()))];
    if !filter.states.is_empty() {
        let list = places(values.len() + 1, filter.states.len());
        sql.push_str(&format!(" AND state IN ({list})"));
        values.extend(filter.states.iter().copied().map(Value::from));
    }
    if let Some(hostname) = &filter.hostname {
        values.push(hostname.into());
        sql.push_str(&format!(" AND hostname = ${}", values.len()));
    }
    if let Some(mac) = filter.mac {
        values.push(mac.into());
        let place = values.len();
        sql.push_str(&format!(" AND id = (SELECT machine_id FROM nic WHERE mac = ${place})"));
    }
    values.push(limit.into());
    sql.push_str(&format!(" ORDER BY id LIMIT ${}", values.len()));
    many(tx, sql, values).await
}

/// Machines whose deadline has passed, the oldest first.
///
/// # Errors
/// See [`by_id`].
pub async fn past_deadline(
    tx: &mut Tx,
    now: UnixMicros,
    limit: u32,
) -> Result<Vec<Machine>, StoreError> {
    const LATE: &str = "
        SELECT * FROM machine WHERE deadline_us IS NOT NULL AND deadline_us <= $1
        ORDER BY deadline_us LIMIT $2";
    many(tx, LATE.to_owned(), binds![now, limit]).await
}

/// Machines whose power can be asked and was not asked since `before`; never asked ones first.
///
/// # Errors
/// See [`by_id`].
pub async fn power_stale(
    tx: &mut Tx,
    before: UnixMicros,
    limit: u32,
) -> Result<Vec<Machine>, StoreError> {
    const STALE: &str = "
        SELECT * FROM machine
        WHERE power_protocol <> 'MANUAL' AND COALESCE(power_checked_us, 0) < $1
        ORDER BY COALESCE(power_checked_us, 0), id LIMIT $2";
    many(tx, STALE.to_owned(), binds![before, limit]).await
}

/// Whether a machine still needs the image.
///
/// # Errors
/// See [`by_id`].
pub async fn with_image(tx: &mut Tx, image: ImageId) -> Result<Option<Machine>, StoreError> {
    one(tx, "SELECT * FROM machine WHERE image_id = $1 ORDER BY id LIMIT 1", binds![image]).await
}

async fn one(
    tx: &mut Tx,
    sql: &'static str,
    values: Vec<Value>,
) -> Result<Option<Machine>, StoreError> {
    let Some(row) = tx.maybe(sql, values).await? else { return Ok(None) };
    let mut found = vec![Machine::read(&row)?];
    fill(tx, &mut found).await?;
    Ok(found.pop())
}

async fn many(tx: &mut Tx, sql: String, values: Vec<Value>) -> Result<Vec<Machine>, StoreError> {
    let rows = tx.all(AssertSqlSafe(sql), values).await?;
    let mut found = rows.iter().map(Machine::read).collect::<Result<Vec<_>, _>>()?;
    for part in found.chunks_mut(PART) {
        fill(tx, part).await?;
    }
    Ok(found)
}

/// SQLite takes 32,766 binds and PostgreSQL 65,535; a part also keeps the statements few.
const PART: usize = 500;

/// Adds cards and addresses: two statements for the whole part.
async fn fill(tx: &mut Tx, machines: &mut [Machine]) -> Result<(), StoreError> {
    let ids: Vec<MachineId> = machines.iter().map(|it| it.id).collect();
    let mut cards = nic::of_machines(tx, &ids).await?;
    let macs: Vec<Mac> = cards.iter().map(|it| it.mac).collect();
    let addresses = reservation::addresses(tx, &macs).await?;
    for machine in machines {
        let of_it = cards.extract_if(.., |it| it.machine_id == machine.id);
        machine.macs = of_it.map(|it| it.mac).collect();
        machine.address = machine.macs.iter().find_map(|it| addresses.get(it).copied());
    }
    Ok(())
}

/// `$first, $first+1, …` for an `IN` list.
pub(crate) fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|it| format!("${it}")).collect();
    places.join(", ")
}
