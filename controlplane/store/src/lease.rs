use std::net::Ipv4Addr;

use ironherd_domain::{LeaseBlock, LeaseId, LeaseState, Mac, RackId, UnixMicros};
use sqlx::AssertSqlSafe;

use crate::machine::places;
use crate::row::binds;
use crate::{Row, StoreError, Tx, Value};

/// A lease as a rack last reported it. One row an address or prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub id: LeaseId,
    pub address: LeaseBlock,
    pub mac: Option<Mac>,
    /// The identity that holds it where that is not the card: DUID and IAID.
    pub client: Option<String>,
    pub hostname: Option<String>,
    pub state: LeaseState,
    /// When the client got it; renewals leave it.
    pub started: UnixMicros,
    pub expires: UnixMicros,
    pub rack_id: RackId,
    /// The report that named it last.
    pub epoch: u64,
    pub sequence: u64,
}

impl Lease {
    /// Who holds it, as far as one lease is told from the next.
    pub(crate) fn holder(&self) -> String {
        let mac = || self.mac.map(|it| it.to_string());
        self.client.clone().or_else(mac).unwrap_or_default()
    }
}

pub(crate) fn read(row: &Row) -> Result<Lease, StoreError> {
    Ok(Lease {
        id: row.parsed("id")?,
        address: row.parsed("address")?,
        mac: row.parsed_maybe("mac")?,
        client: row.text_maybe("client")?,
        hostname: row.text_maybe("hostname")?,
        state: row.parsed("state")?,
        started: UnixMicros(row.int("started_us")?),
        expires: UnixMicros(row.int("expires_us")?),
        rack_id: row.parsed("rack_id")?,
        epoch: row.count("epoch")?,
        sequence: row.count("sequence")?,
    })
}

/// Takes in what a rack says of a lease. One that ends by this goes into the history.
///
/// What a rack says of a client that has lost the address to another already changes nothing:
/// two shards, or two racks, need not report in the order in which things happened.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn upsert(tx: &mut Tx, it: &Lease) -> Result<(), StoreError> {
    const PUT: &str = "
        INSERT INTO lease (id, address, address_key, mac, client, hostname, state, started_us,
            expires_us, rack_id, epoch, sequence)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (address_key) DO UPDATE SET mac = excluded.mac, client = excluded.client,
            hostname = CASE WHEN COALESCE(lease.client, lease.mac, '') = $13
                THEN COALESCE(excluded.hostname, lease.hostname) ELSE excluded.hostname END,
            started_us = CASE WHEN COALESCE(lease.client, lease.mac, '') = $13
                AND lease.state = 'ACTIVE' THEN lease.started_us ELSE excluded.started_us END,
            state = excluded.state, expires_us = excluded.expires_us,
            rack_id = excluded.rack_id, epoch = excluded.epoch, sequence = excluded.sequence
        WHERE excluded.state = 'ACTIVE' OR lease.state <> 'ACTIVE'
            OR lease.expires_us <= excluded.started_us
            OR COALESCE(lease.client, lease.mac, '') = $13";
    crate::lease_history::close(tx, it).await?;
    let values = binds![
        it.id,
        it.address,
        it.address.key(),
        it.mac,
        it.client.clone(),
        it.hostname.clone(),
        it.state,
        it.started,
        it.expires,
        it.rack_id,
        it.epoch,
        it.sequence,
        it.holder(),
    ];
    tx.run(PUT, values).await.map(|_| ())
}

/// Forgets addresses that have not been leased since `before`; at most `limit` of them.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn prune(tx: &mut Tx, before: UnixMicros, limit: u32) -> Result<u64, StoreError> {
    const DROP: &str = "
        DELETE FROM lease WHERE id IN (SELECT id FROM lease
            WHERE expires_us < $1 AND state <> 'ACTIVE' ORDER BY expires_us LIMIT $2)";
    tx.run(DROP, binds![before, limit]).await
}

/// The lease of an address, in whatever state.
///
/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn by_address(tx: &mut Tx, address: Ipv4Addr) -> Result<Option<Lease>, StoreError> {
    let key = LeaseBlock::from(address).key();
    let row = tx.maybe("SELECT * FROM lease WHERE address_key = $1", binds![key]).await?;
    row.as_ref().map(read).transpose()
}

/// The leases of a card, the latest first.
///
/// # Errors
/// See [`by_address`].
pub async fn of_mac(tx: &mut Tx, mac: Mac) -> Result<Vec<Lease>, StoreError> {
    const ALL: &str = "SELECT * FROM lease WHERE mac = $1 ORDER BY started_us DESC LIMIT 8";
    tx.all(ALL, binds![mac]).await?.iter().map(read).collect()
}

/// How many of these addresses are leased at `now`.
///
/// # Errors
/// See [`by_address`].
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
            WHERE state = $1 AND expires_us > $2 AND address_key IN ({list})"
        );
        let mut values = binds![LeaseState::Active, now];
        values.extend(part.iter().map(|it| Value::from(LeaseBlock::from(*it).key())));
        if let Some(row) = tx.maybe(AssertSqlSafe(sql), values).await? {
            count += row.count::<u64>("leases")?;
        }
    }
    Ok(count)
}
