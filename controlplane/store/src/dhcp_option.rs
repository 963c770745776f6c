use std::collections::HashMap;

use ironherd_domain::{IpFamily, OptionScope, ScopeId};
use sqlx::AssertSqlSafe;

use crate::machine::places;
use crate::row::binds;
use crate::{Row, StoreError, Tx, Value};

/// One DHCP option that an operator set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpOption {
    pub scope: OptionScope,
    pub family: IpFamily,
    pub code: u16,
    /// Empty: what a wider scope says is not sent.
    pub data: Vec<u8>,
    pub force: bool,
}

fn read(row: &Row) -> Result<(String, DhcpOption), StoreError> {
    let it = DhcpOption {
        scope: row.parsed("scope")?,
        family: row.parsed("family")?,
        code: row.count("code")?,
        data: row.bytes("data")?,
        force: row.flag("forced")?,
    };
    Ok((row.text("scope_id")?, it))
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn upsert(tx: &mut Tx, on: ScopeId, it: &DhcpOption) -> Result<(), StoreError> {
    const PUT: &str = "
        INSERT INTO dhcp_option (scope_id, scope, family, code, data, forced)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (scope_id, family, code) DO UPDATE SET data = excluded.data,
            forced = excluded.forced";
    let code = u32::from(it.code);
    let values = binds![on.to_text(), it.scope, it.family, code, it.data.clone(), it.force];
    tx.run(PUT, values).await.map(|_| ())
}

/// Answers whether there was one.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn delete(
    tx: &mut Tx,
    on: ScopeId,
    family: IpFamily,
    code: u16,
) -> Result<bool, StoreError> {
    const TAKE: &str = "DELETE FROM dhcp_option WHERE scope_id = $1 AND family = $2 AND code = $3";
    Ok(tx.run(TAKE, binds![on.to_text(), family, u32::from(code)]).await? != 0)
}

/// The options set on each of these, by their scope's text ([`ScopeId::to_text`]).
///
/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn of(
    tx: &mut Tx,
    scopes: &[String],
) -> Result<HashMap<String, Vec<DhcpOption>>, StoreError> {
    let mut found: HashMap<String, Vec<DhcpOption>> = HashMap::new();
    for part in scopes.chunks(1_000) {
        let list = places(1, part.len());
        let sql = format!(
            "SELECT * FROM dhcp_option WHERE scope_id IN ({list}) ORDER BY scope_id, family, code"
        );
        let values = part.iter().map(Value::from).collect();
        for row in tx.all(AssertSqlSafe(sql), values).await? {
            let (scope, it) = read(&row)?;
            found.entry(scope).or_default().push(it);
        }
    }
    Ok(found)
}

/// Every option there is.
///
/// # Errors
/// See [`of`].
pub async fn all(tx: &mut Tx) -> Result<HashMap<String, Vec<DhcpOption>>, StoreError> {
    const ALL: &str = "SELECT * FROM dhcp_option ORDER BY scope_id, family, code";
    let mut found: HashMap<String, Vec<DhcpOption>> = HashMap::new();
    for row in tx.all(ALL, vec![]).await? {
        let (scope, it) = read(&row)?;
        found.entry(scope).or_default().push(it);
    }
    Ok(found)
}
