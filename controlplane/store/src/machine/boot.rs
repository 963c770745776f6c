use std::collections::HashMap;

use ironherd_domain::{Mac, MachineId, MachineState};

use crate::{Row, StoreError, Tx};

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
    let mut cards: HashMap<MachineId, Vec<Mac>> = HashMap::new();
    for row in tx.all(CARDS, vec![]).await? {
        cards.entry(row.parsed("machine_id")?).or_default().push(row.parsed("mac")?);
    }
    let rows = tx.all(ALL, vec![]).await?;
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
    rows.iter().map(read).collect()
}
