use std::collections::HashMap;

use ironherd_domain::{Mac, MachineId, MachineState};
use sqlx::AssertSqlSafe;

use crate::machine::places;
use crate::{Row, StoreError, Tx, Value};

/// What a rack needs to know of a machine.
#[derive(Clone)]
pub struct BootMachine {
    pub id: MachineId,
    pub hostname: String,
    pub smbios_uuid: Option<String>,
    pub state: MachineState,
    pub image_written: bool,
    pub attempt: u64,
    /// Sealed with the region's key.
    pub boot_key: Vec<u8>,
    pub kernel_args: String,
    pub boot_file: Option<String>,
    pub macs: Vec<Mac>,
}

impl std::fmt::Debug for BootMachine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BootMachine").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Every machine, as racks need it: two statements, and none of the large columns.
///
/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`].
pub async fn boot_machines(tx: &mut Tx) -> Result<Vec<BootMachine>, StoreError> {
    const ALL: &str = "
        SELECT id, hostname, smbios_uuid, state, image_written, attempt, boot_key, kernel_args,
            boot_file
        FROM machine ORDER BY id";
    const CARDS: &str = "SELECT machine_id, mac FROM nic ORDER BY machine_id, position";
    let cards = tx.all(CARDS, vec![]).await?;
    joined(&tx.all(ALL, vec![]).await?, &cards)
}

/// Those of these machines that there are, in the order of their ids.
///
/// # Errors
/// See [`boot_machines`].
pub async fn boot_machines_of(
    tx: &mut Tx,
    ids: &[MachineId],
) -> Result<Vec<BootMachine>, StoreError> {
    let mut found = Vec::new();
    for part in ids.chunks(1_000) {
        let list = places(1, part.len());
        let values = || part.iter().copied().map(Value::from).collect();
        let cards = format!(
            "SELECT machine_id, mac FROM nic WHERE machine_id IN ({list})
            ORDER BY machine_id, position"
        );
        let machines = format!(
            "SELECT id, hostname, smbios_uuid, state, image_written, attempt, boot_key,
                kernel_args, boot_file
            FROM machine WHERE id IN ({list}) ORDER BY id"
        );
        let cards = tx.all(AssertSqlSafe(cards), values()).await?;
        found.extend(joined(&tx.all(AssertSqlSafe(machines), values()).await?, &cards)?);
    }
    Ok(found)
}

fn joined(machines: &[Row], nics: &[Row]) -> Result<Vec<BootMachine>, StoreError> {
    let mut cards: HashMap<MachineId, Vec<Mac>> = HashMap::new();
    for row in nics {
        cards.entry(row.parsed("machine_id")?).or_default().push(row.parsed("mac")?);
    }
    let read = |row: &Row| {
        let id = row.parsed("id")?;
        Ok(BootMachine {
            id,
            hostname: row.text("hostname")?,
            smbios_uuid: row.text_maybe("smbios_uuid")?,
            state: row.parsed("state")?,
            image_written: row.flag("image_written")?,
            attempt: row.count("attempt")?,
            boot_key: row.bytes("boot_key")?,
            kernel_args: row.text("kernel_args")?,
            boot_file: row.text_maybe("boot_file")?,
            macs: cards.remove(&id).unwrap_or_default(),
        })
    };
    machines.iter().map(read).collect()
}
