use ironherd_domain::UnixMicros;

use crate::row::binds;
use crate::{StoreError, Tx};

/// Uses a nonce up; `false` if it was used before.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn use_once(tx: &mut Tx, nonce: &[u8], at: UnixMicros) -> Result<bool, StoreError> {
    const USE: &str = "
        INSERT INTO boot_nonce (nonce, used_us) VALUES ($1, $2) ON CONFLICT (nonce) DO NOTHING";
    Ok(tx.run(USE, binds![nonce, at]).await? != 0)
}

/// Forgets nonces that were used before `before`.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn sweep(tx: &mut Tx, before: UnixMicros) -> Result<u64, StoreError> {
    tx.run("DELETE FROM boot_nonce WHERE used_us < $1", binds![before]).await
}
