use std::time::Duration;

use ironherd_domain::{BootDevice, EffectId, MachineId, OperationId, UnixMicros, Unknown};

use crate::row::binds;
use crate::{Row, StoreError, Tx};

/// Work that follows from a step and that a worker carries out: a job with a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub id: EffectId,
    pub machine_id: MachineId,
    pub operation_id: Option<OperationId>,
    pub kind: EffectKind,
    /// What to boot, for the kinds that start the machine.
    pub boot: Option<BootDevice>,
    /// The machine's boot attempt that this belongs to; an older one is stale.
    pub attempt: u64,
    /// How often it was claimed, this time included.
    pub tries: u32,
    pub created: UnixMicros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EffectKind {
    PowerOn,
    PowerOff,
    /// Off and on again; on, if it is off.
    PowerCycle,
    PowerQuery,
}

/// What became of an effect that was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// It waits for its next try.
    Queued,
    /// A newer command waits for the machine; this was its operation, which is over.
    Superseded(Option<OperationId>),
    /// Somebody else holds it by now.
    Lost,
}

impl EffectKind {
    const ALL: [Self; 4] = [Self::PowerOn, Self::PowerOff, Self::PowerCycle, Self::PowerQuery];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PowerOn => "POWER_ON",
            Self::PowerOff => "POWER_OFF",
            Self::PowerCycle => "POWER_CYCLE",
            Self::PowerQuery => "POWER_QUERY",
        }
    }
}

impl std::str::FromStr for EffectKind {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == text);
        found.ok_or_else(|| Unknown::new("effect kind", text))
    }
}

macro_rules! claim_sql {
    ($lock:literal) => {
        concat!(
            "UPDATE effect SET state = 'RUNNING', lease_until_us = $2, tries = tries + 1 ",
            "WHERE id IN (SELECT id FROM effect AS due ",
            "WHERE ((state = 'QUEUED' AND run_after_us <= $1) ",
            "OR (state = 'RUNNING' AND lease_until_us <= $1)) ",
            "AND NOT EXISTS (SELECT 1 FROM effect AS other ",
            "WHERE other.machine_id = due.machine_id AND other.id <> due.id ",
            "AND other.state = 'RUNNING') ",
            "ORDER BY run_after_us, id LIMIT $3",
            $lock,
            ") RETURNING *"
        )
    };
}

fn read(row: &Row) -> Result<Effect, StoreError> {
    Ok(Effect {
        id: row.parsed("id")?,
        machine_id: row.parsed("machine_id")?,
        operation_id: row.parsed_maybe("operation_id")?,
        kind: row.parsed("kind")?,
        boot: row.parsed_maybe("boot")?,
        attempt: row.count("attempt")?,
        tries: row.count("tries")?,
        created: UnixMicros(row.int("created_us")?),
    })
}

/// Queues an effect. One that switches the power replaces what still waits for the machine;
/// returns the operations of what it replaced.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn insert(tx: &mut Tx, it: &Effect) -> Result<Vec<OperationId>, StoreError> {
    const DROP: &str = "
        UPDATE effect SET state = 'SUPERSEDED' WHERE machine_id = $1 AND state = 'QUEUED'
        RETURNING operation_id";
    const ADD: &str = "
        INSERT INTO effect (id, machine_id, operation_id, kind, boot, attempt, state,
            run_after_us, created_us)
        VALUES ($1, $2, $3, $4, $5, $6, 'QUEUED', $7, $7)";
    let mut replaced = Vec::new();
    if it.kind != EffectKind::PowerQuery {
        for row in tx.all(DROP, binds![it.machine_id]).await? {
            replaced.extend(row.parsed_maybe::<OperationId>("operation_id")?);
        }
    }
    let (kind, boot) = (it.kind.as_str(), it.boot);
    let values = binds![it.id, it.machine_id, it.operation_id, kind, boot, it.attempt, it.created];
    tx.run(ADD, values).await?;
    Ok(replaced)
}

/// Takes up to `limit` effects that are due, or whose worker lost its lease.
///
/// One machine's effects are taken one at a time: its BMC gets no second command while the first
/// runs.
///
/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn claim(
    tx: &mut Tx,
    now: UnixMicros,
    lease: Duration,
    limit: u32,
) -> Result<Vec<Effect>, StoreError> {
    // The one clause that differs: SQLite has a single writer and needs no row locks.
    const LITE: &str = claim_sql!("");
    const POSTGRES: &str = claim_sql!(" FOR UPDATE SKIP LOCKED");
    let sql = if matches!(tx, Tx::Postgres(_)) { POSTGRES } else { LITE };
    let rows = tx.all(sql, binds![now, now.after(lease), limit]).await?;
    let mut claimed = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    claimed.sort_by_key(|it| it.id);
    Ok(claimed)
}

/// Frees what a killed worker held, so that it is taken again at once. Only for a database with a
/// single region: nobody else can be at work on these.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn release_all(tx: &mut Tx, now: UnixMicros) -> Result<u64, StoreError> {
    const FREE: &str = "
        UPDATE effect SET lease_until_us = $1 WHERE state = 'RUNNING' AND lease_until_us > $1";
    tx.run(FREE, binds![now]).await
}

/// When the next effect is due or the next lease ends, so that an idle worker can sleep until then.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn next_due(tx: &mut Tx) -> Result<Option<UnixMicros>, StoreError> {
    const NEXT: &str = "
        SELECT MIN(CASE WHEN state = 'QUEUED' THEN run_after_us ELSE lease_until_us END) AS due
        FROM effect WHERE state IN ('QUEUED', 'RUNNING')";
    let row = tx.maybe(NEXT, vec![]).await?;
    Ok(row.map(|row| row.int_maybe("due")).transpose()?.flatten().map(UnixMicros))
}

/// Ends an effect. `false` if somebody else holds it by now.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn done(tx: &mut Tx, it: &Effect) -> Result<bool, StoreError> {
    end(tx, it, "DONE", None).await
}

/// Gives an effect up for good. `false` if somebody else holds it by now.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn failed(tx: &mut Tx, it: &Effect, error: &str) -> Result<bool, StoreError> {
    end(tx, it, "FAILED", Some(error)).await
}

/// Puts an effect back until `after`, unless a newer command waits for the machine.
///
/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn retry(
    tx: &mut Tx,
    it: &Effect,
    error: &str,
    after: UnixMicros,
) -> Result<PutBack, StoreError> {
    // A newer command makes this one pointless; a question about the power does not.
    const BACK: &str = "
        UPDATE effect SET run_after_us = $3, lease_until_us = NULL, error = $4,
            state = CASE WHEN EXISTS (SELECT 1 FROM effect AS newer
                WHERE newer.machine_id = effect.machine_id AND newer.state = 'QUEUED'
                AND newer.kind <> 'POWER_QUERY')
                THEN 'SUPERSEDED' ELSE 'QUEUED' END
        WHERE id = $1 AND state = 'RUNNING' AND tries = $2 RETURNING state";
    let row = tx.maybe(BACK, binds![it.id, it.tries, after, error]).await?;
    let state = row.map(|row| row.text("state")).transpose()?;
    Ok(match state.as_deref() {
        None => PutBack::Lost,
        Some("SUPERSEDED") => PutBack::Superseded(it.operation_id),
        Some(_) => PutBack::Queued,
    })
}

/// Gives up what waits or runs for an operation that is over.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn abandon(tx: &mut Tx, operation: OperationId, error: &str) -> Result<(), StoreError> {
    const DROP: &str = "
        UPDATE effect SET state = 'FAILED', error = $2, lease_until_us = NULL
        WHERE operation_id = $1 AND state IN ('QUEUED', 'RUNNING')";
    tx.run(DROP, binds![operation, error]).await.map(|_| ())
}

/// Whether a machine has an effect that waits or runs.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn pending(tx: &mut Tx, machine: MachineId) -> Result<bool, StoreError> {
    const ANY: &str = "
        SELECT id FROM effect WHERE machine_id = $1 AND state IN ('QUEUED', 'RUNNING') LIMIT 1";
    Ok(tx.maybe(ANY, binds![machine]).await?.is_some())
}

/// The last error of the effect that waits or runs for a machine.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn pending_error(tx: &mut Tx, machine: MachineId) -> Result<Option<String>, StoreError> {
    const LAST: &str = "
        SELECT error FROM effect WHERE machine_id = $1 AND state IN ('QUEUED', 'RUNNING')
            AND error IS NOT NULL
        ORDER BY id DESC LIMIT 1";
    let row = tx.maybe(LAST, binds![machine]).await?;
    row.map(|row| row.text_maybe("error")).transpose().map(Option::flatten)
}

/// Drops ended effects from before `before`: the table stays as small as the work.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn sweep(tx: &mut Tx, before: UnixMicros) -> Result<u64, StoreError> {
    const DROP: &str = "
        DELETE FROM effect WHERE created_us < $1
            AND state IN ('DONE', 'FAILED', 'SUPERSEDED')";
    tx.run(DROP, binds![before]).await
}

async fn end(
    tx: &mut Tx,
    it: &Effect,
    state: &str,
    error: Option<&str>,
) -> Result<bool, StoreError> {
    const END: &str = "
        UPDATE effect SET state = $3, error = $4, lease_until_us = NULL
        WHERE id = $1 AND state = 'RUNNING' AND tries = $2";
    Ok(tx.run(END, binds![it.id, it.tries, state, error]).await? != 0)
}
