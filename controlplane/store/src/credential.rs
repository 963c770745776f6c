use ironherd_domain::{CredentialId, PowerProtocol};

use crate::row::binds;
use crate::{Row, StoreError, Tx};

/// Tried for BMCs that are found without credentials. One a protocol.
#[derive(Clone, PartialEq, Eq)]
pub struct BmcCredential {
    pub id: CredentialId,
    pub protocol: PowerProtocol,
    pub username: String,
    /// Sealed with the region's key.
    pub password: Vec<u8>,
}

impl std::fmt::Debug for BmcCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BmcCredential").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

fn read(row: &Row) -> Result<BmcCredential, StoreError> {
    Ok(BmcCredential {
        id: row.parsed("id")?,
        protocol: row.parsed("protocol")?,
        username: row.text("username")?,
        password: row.bytes("password")?,
    })
}

/// # Errors
/// [`StoreError::Sql`].
pub async fn upsert(tx: &mut Tx, it: &BmcCredential) -> Result<BmcCredential, StoreError> {
    const PUT: &str = "
        INSERT INTO bmc_credential (id, protocol, username, password) VALUES ($1, $2, $3, $4)
        ON CONFLICT (protocol) DO UPDATE SET username = excluded.username,
            password = excluded.password
        RETURNING *";
    let row = tx.maybe(PUT, binds![it.id, it.protocol, &it.username, it.password.clone()]).await?;
    read(&row.ok_or(StoreError::Sql(sqlx::Error::RowNotFound))?)
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn by_protocol(
    tx: &mut Tx,
    protocol: PowerProtocol,
) -> Result<Option<BmcCredential>, StoreError> {
    let row = tx.maybe("SELECT * FROM bmc_credential WHERE protocol = $1", binds![protocol]);
    row.await?.as_ref().map(read).transpose()
}
