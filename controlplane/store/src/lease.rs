use std::net::Ipv4Addr;

use ironherd_domain::{LeaseId, LeaseState, Mac, RackId, UnixMicros};
use sqlx::AssertSqlSafe;

use crate::machine::places;
use crate::row::binds;
use crate::{Row, StoreError, Tx, Value};

/// A lease as a rack last reported it. One row an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub id: LeaseId,
    pub address: Ipv4Addr,
    pub mac: Mac,
    pub hostname: Option<String>,
    pub state: LeaseState,
    pub started: UnixMicros,
    pub expires: UnixMicros,
    pub rack_id: RackId,
}

fn read(row: &Row) -> Result<Lease, StoreError> {
    Ok(Lease {
        id: row.parsed("id")?,
        address: row.parsed("address")?,
        mac: row.parsed("mac")?,
        hostname: row.text_maybe("hostname")?,
        state: row.parsed("state")?,
        started: UnixMicros(row.int("started_us")?),
        expires: UnixMicros(row.int("expires_us")?),
        rack_id: row.parsed("rack_id")?,
    })
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn upsert(tx: &mut Tx, it: &Lease) -> Result<(), StoreError> {
    const PUT: &str = "
        INSERT INTO lease (id, address, mac, hostname, state, started_us, expires_us, rack_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (address) DO UPDATE SET mac = excluded.mac,
            hostname = CASE WHEN lease.mac = excluded.mac
                THEN COALESCE(excluded.hostname, lease.hostname) ELSE excluded.hostname END,
            state = excluded.state, started_us = excluded.started_us,
            expires_us = excluded.expires_us, rack_id = excluded.rack_id";
    let values = binds![
        it.id,
        it.address,
        it.mac,
        it.hostname.clone(),
        it.state,
        it.started,
        it.expires,
        it.rack_id,
    ];
    tx.run(PUT, values).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn page(
    tx: &mut Tx,
    after: Option<LeaseId>,
    limit: u32,
) -> Result<Vec<Lease>, StoreError> {
    const PAGE: &str = "SELECT * FROM lease WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map(LeaseId::to_text).unwrap_or_default();
    tx.all(PAGE, binds![after, limit]).await?.iter().map(read).collect()
}

/// The lease of an address, in whatever state.
///
/// # Errors
/// See [`page`].
pub async fn by_address(tx: &mut Tx, address: Ipv4Addr) -> Result<Option<Lease>, StoreError> {
    let row = tx.maybe("SELECT * FROM lease WHERE address = $1", binds![address]).await?;
    row.as_ref().map(read).transpose()
}

/// The leases of a card, the latest first.
///
/// # Errors
/// See [`page`].
pub async fn of_mac(tx: &mut Tx, mac: Mac) -> Result<Vec<Lease>, StoreError> {
    const ALL: &str = "SELECT * FROM lease WHERE mac = $1 ORDER BY started_us DESC LIMIT 8";
    tx.all(ALL, binds![mac]).await?.iter().map(read).collect()
}

/// How many of these addresses are leased at `now`.
///
/// # Errors
/// See [`page`].
pub async fn count_active(
    tx: &mut Tx,
    addresses: &[Ipv4Addr],
    now: UnixMicros,
) -> Result<u64, StoreError> {
    let mut count = 0;
    for part in addresses.chunks(1_000) {
        let list = places(3, part.len());
        let sql = format!(
            "SELECT COUNT(*) AS leases FROM lease
            WHERE state = $1 AND expires_us > $2 AND address IN ({list})"
        );
        let mut values = binds![LeaseState::Active, now];
        values.extend(part.iter().copied().map(Value::from));
        if let Some(row) = tx.maybe(AssertSqlSafe(sql), values).await? {
            count += row.count::<u64>("leases")?;
        }
    }
    Ok(count)
}
