use ironherd_domain::{LeaseBlock, LeaseState, Mac, UnixMicros};
use sqlx::AssertSqlSafe;

use crate::lease::read;
use crate::{Lease, StoreError, Tx, Value};

/// Which leases are wanted. What is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseFilter {
    pub address: Option<LeaseBlock>,
    pub mac: Option<Mac>,
    /// The least and the greatest key of a network: see [`LeaseBlock::keys_in`].
    pub keys: Option<(String, String)>,
    /// What the hostname begins with, in whatever case.
    pub hostname: Option<String>,
    pub state: Option<LeaseState>,
    /// What was leased then, rather than what is known now.
    pub at: Option<UnixMicros>,
}

/// A part of the list of leases by address. `after` is the key of the last one seen.
///
/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn page(
    tx: &mut Tx,
    filter: &LeaseFilter,
    now: UnixMicros,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Lease>, StoreError> {
    let Some(at) = filter.at else {
        let mut sql = Sql::new(after);
        let conditions = sql.conditions(filter, "lease", "lease") + &sql.state(filter.state, now);
        let text = format!("SELECT * FROM lease WHERE {conditions} ORDER BY address_key");
        return sql.run(tx, text, limit).await;
    };
    let mut present = Sql::new(after);
    let conditions = present.conditions(filter, "lease", "lease");
    let then = present.bind(at);
    let text = format!(
        "SELECT * FROM lease WHERE {conditions} AND state = 'ACTIVE' AND started_us <= {then}
            AND expires_us > {then} ORDER BY address_key"
    );
    let mut rows = present.run(tx, text, limit).await?;
    rows.extend(past(tx, filter, at, after, limit).await?);
    rows.sort_by_cached_key(|it| it.address.key());
    rows.dedup_by_key(|it| it.address);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(rows)
}

/// What was leased at an instant and no longer is. A card has few rows. Otherwise the present table
/// leads, which has each address once, and one look at an index finds its row of the instant: the
/// length of the history does not matter.
async fn past(
    tx: &mut Tx,
    filter: &LeaseFilter,
    at: UnixMicros,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Lease>, StoreError> {
    const COLUMNS: &str = "h.address, h.mac, h.client, h.hostname, 'ACTIVE' AS state,
        h.from_us AS started_us, h.until_us AS expires_us, h.rack_id, lease.id, lease.epoch,
        lease.sequence";
    let mut sql = Sql::new(after);
    let conditions = sql.conditions(filter, "lease", "h");
    let then = sql.bind(at);
    let which = match filter.mac {
        Some(_) => format!("h.address_key = lease.address_key AND h.from_us <= {then}"),
        None => format!(
            "h.id = (SELECT id FROM lease_history AS it WHERE it.address_key = lease.address_key
                AND it.from_us <= {then} ORDER BY it.from_us DESC, it.id DESC LIMIT 1)"
        ),
    };
    let text = format!(
        "SELECT {COLUMNS} FROM lease JOIN lease_history AS h ON {which}
        WHERE {conditions} AND h.until_us > {then} ORDER BY lease.address_key"
    );
    sql.run(tx, text, limit).await
}

/// A statement in the making: its binds so far.
struct Sql {
    values: Vec<Value>,
}

impl Sql {
    fn new(after: Option<&str>) -> Self {
        Self { values: vec![Value::from(after.unwrap_or_default())] }
    }

    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// What holds of the address in one table and of its holder in another.
    fn conditions(&mut self, filter: &LeaseFilter, place: &str, holder: &str) -> String {
        let mut text = format!("{place}.address_key > $1");
        if let Some(address) = filter.address {
            text += &format!(" AND {place}.address_key = {}", self.bind(address.key()));
        }
        if let Some((first, last)) = &filter.keys {
            let (first, last) = (self.bind(first), self.bind(last));
            text += &format!(" AND {place}.address_key BETWEEN {first} AND {last}");
        }
        if let Some(mac) = filter.mac {
            text += &format!(" AND {holder}.mac = {}", self.bind(mac));
        }
        if let Some(prefix) = &filter.hostname {
            let prefix = prefix.to_ascii_lowercase();
            let end = self.bind(format!("{prefix}{}", char::MAX));
            let name = format!("lower({holder}.hostname)");
            text += &format!(" AND {name} >= {} AND {name} < {end}", self.bind(prefix));
        }
        text
    }

    /// A lease that ran out is over, also while nobody has said so.
    fn state(&mut self, state: Option<LeaseState>, now: UnixMicros) -> String {
        let Some(state) = state else { return String::new() };
        match state {
            LeaseState::Active => {
                format!(" AND state = 'ACTIVE' AND expires_us > {}", self.bind(now))
            }
            LeaseState::Expired => format!(
                " AND (state = 'EXPIRED' OR (state = 'ACTIVE' AND expires_us <= {}))",
                self.bind(now)
            ),
            other => format!(" AND state = {}", self.bind(other)),
        }
    }

    async fn run(
        mut self,
        tx: &mut Tx,
        text: String,
        limit: u32,
    ) -> Result<Vec<Lease>, StoreError> {
        let limit = self.bind(limit);
        let text = format!("{text} LIMIT {limit}");
        tx.all(AssertSqlSafe(text), self.values).await?.iter().map(read).collect()
    }
}
