use ironherd_domain::{LeaseBlock, LeaseEnd, LeaseState, Mac, RackId, UnixMicros};
use sqlx::AssertSqlSafe;

use crate::row::binds;
use crate::{Lease, Row, StoreError, Tx, Value};

/// One time that a client held an address, from when it got it until it lost it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSpan {
    /// The address's lease and when it began.
    pub id: String,
    pub address: LeaseBlock,
    pub mac: Option<Mac>,
    pub client: Option<String>,
    pub hostname: Option<String>,
    pub rack_id: RackId,
    pub from: UnixMicros,
    /// When it ended; of one that runs, when it will unless it is renewed.
    pub until: UnixMicros,
    /// `None`: it runs.
    pub ended: Option<LeaseEnd>,
}

/// Whose history is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseSubject {
    Block(LeaseBlock),
    Card(Mac),
}

fn read(row: &Row) -> Result<LeaseSpan, StoreError> {
    Ok(LeaseSpan {
        id: row.text("id")?,
        address: row.parsed("address")?,
        mac: row.parsed_maybe("mac")?,
        client: row.text_maybe("client")?,
        hostname: row.text_maybe("hostname")?,
        rack_id: row.parsed("rack_id")?,
        from: UnixMicros(row.int("from_us")?),
        until: UnixMicros(row.int("until_us")?),
        ended: row.parsed_maybe("ended")?,
    })
}

/// Keeps the lease that `next` puts an end to, if it does. Doing it again changes nothing.
pub(crate) async fn close(tx: &mut Tx, next: &Lease) -> Result<(), StoreError> {
    const KEEP: &str = "
        INSERT INTO lease_history (id, address, address_key, mac, client, hostname, rack_id,
            from_us, until_us, ended)
        SELECT id || '-' || started_us, address, address_key, mac, client, hostname, rack_id,
            started_us,
            CASE WHEN $4 < started_us THEN started_us
                WHEN COALESCE(client, mac, '') <> $2 AND expires_us < $4 THEN expires_us
                ELSE $4 END,
            CASE WHEN COALESCE(client, mac, '') = $2 THEN $3
                WHEN expires_us <= $4 THEN 'EXPIRED' ELSE 'MOVED' END
        FROM lease WHERE address_key = $1 AND state = 'ACTIVE'
            AND CASE WHEN COALESCE(client, mac, '') = $2 THEN $3 <> 'ACTIVE'
                ELSE $3 = 'ACTIVE' OR expires_us <= $4 END
        ON CONFLICT (id) DO UPDATE SET until_us = excluded.until_us, ended = excluded.ended";
    // Of a lease that ran out the rack tells when; of others, when it was told.
    let at = if next.state == LeaseState::Expired { next.expires } else { next.started };
    let values = binds![next.address.key(), next.holder(), next.state, at];
    tx.run(KEEP, values).await.map(|_| ())
}

/// Which leases [`end`] ends; `$1` is now. Two statements ask this, so the order has no ties.
const OVERDUE: &str = "
    SELECT lease.id FROM lease LEFT JOIN rack ON rack.id = lease.rack_id
    WHERE lease.state = 'ACTIVE' AND lease.expires_us < $2
        AND (rack.id IS NULL OR rack.last_seen_us >= lease.expires_us + $3)
    ORDER BY lease.expires_us, lease.id LIMIT $4";
const UNNAMED: &str = "
    SELECT id FROM lease WHERE state = 'ACTIVE' AND rack_id = $2
        AND (epoch < $3 OR (epoch = $3 AND sequence < $4))";

/// Ends leases whose time has been over for `grace_us`, although their rack, which was heard of
/// since, said nothing of it. At most `limit`; returns how many.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn end_overdue(
    tx: &mut Tx,
    now: UnixMicros,
    grace_us: i64,
    limit: u32,
) -> Result<u64, StoreError> {
    let before = UnixMicros(now.0.saturating_sub(grace_us));
    end(tx, OVERDUE, binds![now, before, grace_us, limit]).await
}

/// Ends what a rack no longer holds: leases that none of its reports has named since the given one.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn end_unnamed(
    tx: &mut Tx,
    rack: RackId,
    epoch: u64,
    sequence: u64,
    now: UnixMicros,
) -> Result<u64, StoreError> {
    end(tx, UNNAMED, binds![now, rack, epoch, sequence]).await
}

async fn end(tx: &mut Tx, which: &str, values: Vec<Value>) -> Result<u64, StoreError> {
    let keep = format!(
        "INSERT INTO lease_history (id, address, address_key, mac, client, hostname, rack_id,
            from_us, until_us, ended)
        SELECT id || '-' || started_us, address, address_key, mac, client, hostname, rack_id,
            started_us, CASE WHEN expires_us < $1 THEN expires_us ELSE $1 END,
            CASE WHEN expires_us <= $1 THEN 'EXPIRED' ELSE 'UNREPORTED' END
        FROM lease WHERE id IN ({which})
        ON CONFLICT (id) DO UPDATE SET until_us = excluded.until_us, ended = excluded.ended"
    );
    let mark = format!(
        "UPDATE lease SET state = CASE WHEN expires_us <= $1 THEN 'EXPIRED' ELSE 'RELEASED' END
        WHERE id IN ({which})"
    );
    if tx.run(AssertSqlSafe(keep), values.clone()).await? == 0 {
        return Ok(0);
    }
    tx.run(AssertSqlSafe(mark), values).await
}

/// Forgets what ended before `before`; at most `limit` rows. Returns how many.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn prune(tx: &mut Tx, before: UnixMicros, limit: u32) -> Result<u64, StoreError> {
    const DROP: &str = "
        DELETE FROM lease_history WHERE id IN (SELECT id FROM lease_history
            WHERE until_us < $1 ORDER BY until_us LIMIT $2)";
    tx.run(DROP, binds![before, limit]).await
}

/// Who held an address, or what a card held, in a span of time: the latest first. `after` is the
/// beginning and the id of the last row of the page before.
///
/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn page(
    tx: &mut Tx,
    subject: LeaseSubject,
    between: (UnixMicros, UnixMicros),
    after: Option<(i64, String)>,
    limit: u32,
) -> Result<Vec<LeaseSpan>, StoreError> {
    let (column, subject) = match subject {
        LeaseSubject::Block(block) => ("address_key", block.key()),
        LeaseSubject::Card(mac) => ("mac", mac.to_string()),
    };
    let past = format!(
        "SELECT * FROM lease_history WHERE {column} = $1 AND until_us > $2 AND from_us < $3
            AND (from_us < $4 OR (from_us = $4 AND id < $5))
        ORDER BY from_us DESC, id DESC LIMIT $6"
    );
    let present = format!(
        "SELECT id || '-' || started_us AS id, address, mac, client, hostname, rack_id,
            started_us AS from_us, expires_us AS until_us, NULL AS ended
        FROM lease WHERE {column} = $1 AND state = 'ACTIVE' AND expires_us > $2
            AND started_us < $3
            AND (started_us < $4 OR (started_us = $4 AND id || '-' || started_us < $5))
        ORDER BY started_us DESC, id DESC LIMIT $6"
    );
    let (at, id) = after.unwrap_or((i64::MAX, String::new()));
    let values = binds![subject, between.0, between.1, at, id, limit];
    let mut rows: Vec<LeaseSpan> = Vec::new();
    for sql in [past, present] {
        for row in tx.all(AssertSqlSafe(sql), values.clone()).await? {
            rows.push(read(&row)?);
        }
    }
    rows.sort_by(|a, b| (b.from, &b.id).cmp(&(a.from, &a.id)));
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(rows)
}
