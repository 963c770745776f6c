use ironherd_domain::{MachineId, UnixMicros};

use crate::row::binds;
use crate::{Row, StoreError, Tx};

/// Something that happened. Rows are only ever added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Without gaps and in the order of commits, on both engines: readers resume by it.
    pub sequence: i64,
    pub at: UnixMicros,
    pub machine_id: Option<MachineId>,
    /// The name it had then; it survives the machine.
    pub machine_name: Option<String>,
    pub kind: String,
    pub message: String,
    pub actor: String,
}

#[derive(Clone, Debug)]
pub struct NewEvent {
    pub at: UnixMicros,
    pub machine: Option<(MachineId, String)>,
    pub kind: &'static str,
    pub message: String,
    pub actor: String,
}

fn read(row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        sequence: row.int("sequence")?,
        at: UnixMicros(row.int("at_us")?),
        machine_id: row.parsed_maybe("machine_id")?,
        machine_name: row.text_maybe("machine_name")?,
        kind: row.text("kind")?,
        message: row.text("message")?,
        actor: row.text("actor")?,
    })
}

/// Adds an event and returns its sequence.
///
/// The number comes from a counter row, not from the engine's sequence: the row stays locked until
/// the commit, so no reader sees number 8 before 7 and skips it.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn append(tx: &mut Tx, it: &NewEvent) -> Result<i64, StoreError> {
    const ADD: &str = "
        INSERT INTO event (sequence, at_us, machine_id, machine_name, kind, message, actor)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let sequence = crate::setting::count(tx, "event").await?;
    let (machine, name) = it.machine.clone().unzip();
    let values = binds![sequence, it.at, machine, name, it.kind, &it.message, &it.actor];
    tx.run(ADD, values).await?;
    Ok(sequence)
}

/// Events after a sequence, oldest first.
///
/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn after(
    tx: &mut Tx,
    machine: Option<MachineId>,
    sequence: i64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    const ALL: &str = "SELECT * FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2";
    const OF_ONE: &str = "
        SELECT * FROM event WHERE machine_id = $3 AND sequence > $1 ORDER BY sequence LIMIT $2";
    let rows = match machine {
        None => tx.all(ALL, binds![sequence, limit]).await?,
        Some(id) => tx.all(OF_ONE, binds![sequence, limit, id]).await?,
    };
    rows.iter().map(read).collect()
}

/// # Errors
/// See [`after`].
pub async fn by_sequence(tx: &mut Tx, sequence: i64) -> Result<Option<Event>, StoreError> {
    let row = tx.maybe("SELECT * FROM event WHERE sequence = $1", binds![sequence]).await?;
    row.as_ref().map(read).transpose()
}
