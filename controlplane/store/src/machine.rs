mod boot;
mod query;

pub use boot::{BootMachine, boot_machines, boot_machines_of};
pub(crate) use query::places;
pub use query::{
    by_hostname, by_id, by_id_locked, by_ids, by_mac, by_smbios_uuid, counts, page, past_deadline,
    power_stale, with_image,
};

use std::net::Ipv4Addr;

use ironherd_domain::{
    BootStage, EraseMode, FirmwareKind, ImageId, Mac, MachineId, MachineState, PowerProtocol,
    PowerState, UnixMicros,
};

use crate::row::binds;
use crate::{Row, StoreError, Tx, nic};

/// One machine with its cards and its address. Sealed and secret columns do not show in `Debug`.
#[derive(Clone)]
pub struct Machine {
    pub id: MachineId,
    /// Grows with every change; the optimistic lock of [`update`].
    pub generation: i64,
    pub hostname: String,
    pub state: MachineState,
    pub state_since: UnixMicros,
    pub deadline: Option<UnixMicros>,
    pub failure: Option<String>,
    pub owner: Option<String>,
    pub architecture: Option<String>,
    pub firmware: Option<FirmwareKind>,
    pub smbios_uuid: Option<String>,
    pub power_protocol: PowerProtocol,
    pub power_address: Option<String>,
    pub power_username: Option<String>,
    /// Sealed with the region's key.
    pub power_password: Option<Vec<u8>>,
    pub power_state: PowerState,
    pub power_checked: Option<UnixMicros>,
    pub power_error: Option<String>,
    pub boot_stage: Option<BootStage>,
    pub boot_stage_since: Option<UnixMicros>,
    pub agent_seen: Option<UnixMicros>,
    pub attempt: u64,
    /// Sealed with the region's key.
    pub boot_key: Vec<u8>,
    pub kernel_args: String,
    /// Handed out in place of what the boot table says.
    pub boot_file: Option<String>,
    /// JSON, as the agent reported it.
    pub hardware: Option<String>,
    pub commissioned: bool,
    pub image_written: bool,
    /// The disks hold an owner's data.
    pub disk_dirty: bool,
    /// What the running release shall do once the machine is off.
    pub erase_pending: Option<EraseMode>,
    pub image_id: Option<ImageId>,
    /// One key a line.
    pub ssh_keys: Option<String>,
    pub user_data: Option<String>,
    pub created: UnixMicros,
    /// Boot card first.
    pub macs: Vec<Mac>,
    /// Reserved address of the first card that has one.
    pub address: Option<Ipv4Addr>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("id", &self.id)
            .field("hostname", &self.hostname)
            .field("state", &self.state)
            .field("generation", &self.generation)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct MachineFilter {
    /// Empty: any state.
    pub states: Vec<MachineState>,
    pub hostname: Option<String>,
    pub mac: Option<Mac>,
}

impl Machine {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            generation: row.int("generation")?,
            hostname: row.text("hostname")?,
            state: row.parsed("state")?,
            state_since: UnixMicros(row.int("state_since_us")?),
            deadline: row.int_maybe("deadline_us")?.map(UnixMicros),
            failure: row.text_maybe("failure")?,
            owner: row.text_maybe("owner")?,
            architecture: row.text_maybe("architecture")?,
            firmware: row.parsed_maybe("firmware")?,
            smbios_uuid: row.text_maybe("smbios_uuid")?,
            power_protocol: row.parsed("power_protocol")?,
            power_address: row.text_maybe("power_address")?,
            power_username: row.text_maybe("power_username")?,
            power_password: row.bytes_maybe("power_password")?,
            power_state: row.parsed("power_state")?,
            power_checked: row.int_maybe("power_checked_us")?.map(UnixMicros),
            power_error: row.text_maybe("power_error")?,
            boot_stage: row.parsed_maybe("boot_stage")?,
            boot_stage_since: row.int_maybe("boot_stage_us")?.map(UnixMicros),
            agent_seen: row.int_maybe("agent_seen_us")?.map(UnixMicros),
            attempt: row.count("attempt")?,
            boot_key: row.bytes("boot_key")?,
            kernel_args: row.text("kernel_args")?,
            boot_file: row.text_maybe("boot_file")?,
            hardware: row.text_maybe("hardware")?,
            commissioned: row.flag("commissioned")?,
            image_written: row.flag("image_written")?,
            disk_dirty: row.flag("disk_dirty")?,
            erase_pending: row.parsed_maybe("erase_pending")?,
            image_id: row.parsed_maybe("image_id")?,
            ssh_keys: row.text_maybe("ssh_keys")?,
            user_data: row.text_maybe("user_data")?,
            created: UnixMicros(row.int("created_us")?),
            macs: Vec::new(),
            address: None,
        })
    }
}

/// Stores a new machine and its cards. Its state must be `NEW`.
///
/// # Errors
/// [`StoreError::Taken`] if the hostname or a card belongs to another machine.
pub async fn insert(tx: &mut Tx, it: &Machine) -> Result<i64, StoreError> {
    const ADD: &str = "
        INSERT INTO machine (id, hostname, state, state_since_us, power_protocol, power_state,
            boot_key, created_us)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = binds![
        it.id,
        &it.hostname,
        it.state,
        it.state_since,
        it.power_protocol,
        it.power_state,
        it.boot_key.clone(),
        it.created,
    ];
    tx.run(ADD, values).await?;
    for (position, mac) in (0_i64..).zip(&it.macs) {
        nic::insert(tx, it.id, *mac, position).await?;
    }
    update(tx, it).await
}

/// Stores every column of `it`, unless someone else changed the machine since it was loaded.
///
/// # Errors
/// [`StoreError::Moved`] if the generation is not the stored one: load it and decide again.
/// [`StoreError::StepRefused`] if the change of state is not in the lifecycle table.
pub async fn update(tx: &mut Tx, it: &Machine) -> Result<i64, StoreError> {
    const MOVE: &str = "
        UPDATE machine SET generation = generation + 1, hostname = $3, state = $4,
            state_since_us = $5, deadline_us = $6, failure = $7, owner = $8, architecture = $9,
            firmware = $10, smbios_uuid = $11, power_protocol = $12, power_address = $13,
            power_username = $14, power_password = $15, power_state = $16, power_checked_us = $17,
            power_error = $18, boot_stage = $19, boot_stage_us = $20, agent_seen_us = $21,
            attempt = $22, boot_key = $23, kernel_args = $24, hardware = $25, commissioned = $26,
            image_written = $27, disk_dirty = $28, erase_pending = $29, image_id = $30,
            ssh_keys = $31, user_data = $32, boot_file = $33
        WHERE id = $1 AND generation = $2 RETURNING generation";
    let values = binds![
        it.id,
        it.generation,
        &it.hostname,
        it.state,
        it.state_since,
        it.deadline,
        it.failure.clone(),
        it.owner.clone(),
        it.architecture.clone(),
        it.firmware,
        it.smbios_uuid.clone(),
        it.power_protocol,
        it.power_address.clone(),
        it.power_username.clone(),
        it.power_password.clone(),
        it.power_state,
        it.power_checked,
        it.power_error.clone(),
        it.boot_stage,
        it.boot_stage_since,
        it.agent_seen,
        it.attempt,
        it.boot_key.clone(),
        &it.kernel_args,
        it.hardware.clone(),
        it.commissioned,
        it.image_written,
        it.disk_dirty,
        it.erase_pending,
        it.image_id,
        it.ssh_keys.clone(),
        it.user_data.clone(),
        it.boot_file.clone(),
    ];
    match tx.maybe(MOVE, values).await? {
        Some(row) => row.int("generation"),
        None => Err(StoreError::Moved { what: "machine", id: it.id.to_text() }),
    }
}

/// Records that the agent spoke. Not a change of the machine: the generation stays.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn touch(tx: &mut Tx, id: MachineId, at: UnixMicros) -> Result<(), StoreError> {
    tx.run("UPDATE machine SET agent_seen_us = $2 WHERE id = $1", binds![id, at]).await.map(|_| ())
}

/// Records what the BMC said of the power. The generation stays.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn power_seen(
    tx: &mut Tx,
    id: MachineId,
    state: PowerState,
    error: Option<&str>,
    at: UnixMicros,
) -> Result<(), StoreError> {
    const SEEN: &str = "
        UPDATE machine SET power_state = $2, power_error = $3, power_checked_us = $4
        WHERE id = $1";
    tx.run(SEEN, binds![id, state, error, at]).await.map(|_| ())
}

/// Records how far the current boot has come. The generation stays.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn boot_seen(
    tx: &mut Tx,
    id: MachineId,
    stage: BootStage,
    at: UnixMicros,
) -> Result<(), StoreError> {
    const SEEN: &str = "UPDATE machine SET boot_stage = $2, boot_stage_us = $3 WHERE id = $1";
    tx.run(SEEN, binds![id, stage, at]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Moved`] if the machine was changed or is gone.
pub async fn delete(tx: &mut Tx, it: &Machine) -> Result<(), StoreError> {
    const DROP: &str = "DELETE FROM machine WHERE id = $1 AND generation = $2";
    match tx.run(DROP, binds![it.id, it.generation]).await? {
        0 => Err(StoreError::Moved { what: "machine", id: it.id.to_text() }),
        _ => Ok(()),
    }
}
