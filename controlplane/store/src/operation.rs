use ironherd_domain::{
    MachineId, OperationId, OperationKind, OperationState, Progress, UnixMicros,
};
use sqlx::AssertSqlSafe;

use crate::machine::places;
use crate::row::binds;
use crate::{Row, StoreError, Tx, Value};

/// Long-running work on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub id: OperationId,
    pub kind: OperationKind,
    pub state: OperationState,
    pub machine_id: MachineId,
    pub request_id: Option<String>,
    pub created: UnixMicros,
    pub finished: Option<UnixMicros>,
    pub deadline: Option<UnixMicros>,
    pub error: Option<String>,
    pub progress: Option<Progress>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationStep {
    pub operation_id: OperationId,
    pub name: String,
    pub started: UnixMicros,
    pub finished: Option<UnixMicros>,
    pub error: Option<String>,
}

fn read(row: &Row) -> Result<Operation, StoreError> {
    let progress = match (row.text_maybe("step")?, row.int_maybe("progress_us")?) {
        (Some(step), Some(at)) => Some(Progress {
            step,
            percent: row.count_maybe("percent")?,
            bytes_done: row.count_maybe("bytes_done")?,
            bytes_total: row.count_maybe("bytes_total")?,
            message: row.text_maybe("message")?,
            at: UnixMicros(at),
        }),
        _ => None,
    };
    Ok(Operation {
        id: row.parsed("id")?,
        kind: row.parsed("kind")?,
        state: row.parsed("state")?,
        machine_id: row.parsed("machine_id")?,
        request_id: row.text_maybe("request_id")?,
        created: UnixMicros(row.int("created_us")?),
        finished: row.int_maybe("finished_us")?.map(UnixMicros),
        deadline: row.int_maybe("deadline_us")?.map(UnixMicros),
        error: row.text_maybe("error")?,
        progress,
    })
}

fn read_step(row: &Row) -> Result<OperationStep, StoreError> {
    Ok(OperationStep {
        operation_id: row.parsed("operation_id")?,
        name: row.text("name")?,
        started: UnixMicros(row.int("started_us")?),
        finished: row.int_maybe("finished_us")?.map(UnixMicros),
        error: row.text_maybe("error")?,
    })
}

/// # Errors
/// [`StoreError::Taken`] if the request id was used before.
pub async fn insert(tx: &mut Tx, it: &Operation) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO operation (id, kind, state, machine_id, request_id, created_us, deadline_us)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let request = it.request_id.clone();
    let values = binds![it.id, it.kind, it.state, it.machine_id, request, it.created, it.deadline];
    tx.run(ADD, values).await.map(|_| ())
}

/// Closes the open step, if any, and begins the next.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn step_begin(
    tx: &mut Tx,
    id: OperationId,
    name: &str,
    at: UnixMicros,
) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO operation_step (operation_id, position, name, started_us)
        SELECT $1, COALESCE(MAX(position), 0) + 1, $2, $3 FROM operation_step
        WHERE operation_id = $1";
    step_end(tx, id, None, at).await?;
    tx.run(ADD, binds![id, name, at]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn step_end(
    tx: &mut Tx,
    id: OperationId,
    error: Option<&str>,
    at: UnixMicros,
) -> Result<(), StoreError> {
    const END: &str = "
        UPDATE operation_step SET finished_us = $2, error = $3
        WHERE operation_id = $1 AND finished_us IS NULL";
    tx.run(END, binds![id, at, error]).await.map(|_| ())
}

/// The name of the step that is open.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn step_open(tx: &mut Tx, id: OperationId) -> Result<Option<String>, StoreError> {
    const OPEN: &str = "
        SELECT name FROM operation_step WHERE operation_id = $1 AND finished_us IS NULL
        ORDER BY position DESC LIMIT 1";
    tx.maybe(OPEN, binds![id]).await?.map(|row| row.text("name")).transpose()
}

/// Ends a running operation and its open step.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn finish(
    tx: &mut Tx,
    id: OperationId,
    state: OperationState,
    error: Option<&str>,
    at: UnixMicros,
) -> Result<(), StoreError> {
    const END: &str = "
        UPDATE operation SET state = $2, error = $3, finished_us = $4, deadline_us = NULL
        WHERE id = $1 AND state = 'RUNNING'";
    step_end(tx, id, error, at).await?;
    tx.run(END, binds![id, state, error, at]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn deadline(
    tx: &mut Tx,
    id: OperationId,
    deadline: Option<UnixMicros>,
) -> Result<(), StoreError> {
    const SET: &str = "UPDATE operation SET deadline_us = $2 WHERE id = $1";
    tx.run(SET, binds![id, deadline]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn progress(tx: &mut Tx, id: OperationId, it: &Progress) -> Result<(), StoreError> {
    const SET: &str = "
        UPDATE operation SET step = $2, percent = $3, bytes_done = $4, bytes_total = $5,
            message = $6, progress_us = $7
        WHERE id = $1";
    let percent = it.percent.map(i64::from);
    let message = it.message.clone();
    let values = binds![id, &it.step, percent, it.bytes_done, it.bytes_total, message, it.at];
    tx.run(SET, values).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn by_id(tx: &mut Tx, id: OperationId) -> Result<Option<Operation>, StoreError> {
    let row = tx.maybe("SELECT * FROM operation WHERE id = $1", binds![id]).await?;
    row.as_ref().map(read).transpose()
}

/// # Errors
/// See [`by_id`].
pub async fn by_request(tx: &mut Tx, request: &str) -> Result<Option<Operation>, StoreError> {
    let row = tx.maybe("SELECT * FROM operation WHERE request_id = $1", binds![request]).await?;
    row.as_ref().map(read).transpose()
}

/// The operations that run on these machines, oldest first.
///
/// # Errors
/// See [`by_id`].
pub async fn running(tx: &mut Tx, machines: &[MachineId]) -> Result<Vec<Operation>, StoreError> {
    let mut found = Vec::new();
    for part in machines.chunks(500) {
        let list = places(1, part.len());
        let sql = format!(
            "SELECT * FROM operation WHERE state = 'RUNNING' AND machine_id IN ({list}) ORDER BY id"
        );
        let values = part.iter().copied().map(Value::from).collect();
        for row in tx.all(AssertSqlSafe(sql), values).await? {
            found.push(read(&row)?);
        }
    }
    Ok(found)
}

/// The power operations that should have ended by `now`. The others end with their machine's state.
///
/// # Errors
/// See [`by_id`].
pub async fn power_overdue(
    tx: &mut Tx,
    now: UnixMicros,
    limit: u32,
) -> Result<Vec<Operation>, StoreError> {
    const LATE: &str = "
        SELECT * FROM operation WHERE state = 'RUNNING' AND kind = 'POWER' AND deadline_us <= $1
        ORDER BY id LIMIT $2";
    tx.all(LATE, binds![now, limit]).await?.iter().map(read).collect()
}

/// # Errors
/// See [`by_id`].
pub async fn page(
    tx: &mut Tx,
    machine: Option<MachineId>,
    after: Option<OperationId>,
    limit: u32,
) -> Result<Vec<Operation>, StoreError> {
    const ALL: &str = "SELECT * FROM operation WHERE id > $1 ORDER BY id LIMIT $2";
    const OF_ONE: &str =
        "SELECT * FROM operation WHERE machine_id = $3 AND id > $1 ORDER BY id LIMIT $2";
    let after = after.map(OperationId::to_text).unwrap_or_default();
    let rows = match machine {
        None => tx.all(ALL, binds![after, limit]).await?,
        Some(id) => tx.all(OF_ONE, binds![after, limit, id]).await?,
    };
    rows.iter().map(read).collect()
}

/// # Errors
/// See [`by_id`].
pub async fn steps(tx: &mut Tx, id: OperationId) -> Result<Vec<OperationStep>, StoreError> {
    const ALL: &str = "SELECT * FROM operation_step WHERE operation_id = $1 ORDER BY position";
    tx.all(ALL, binds![id]).await?.iter().map(read_step).collect()
}
