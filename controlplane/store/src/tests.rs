//! Every test here runs on both engines.

mod effect;
mod history;
mod lease;
mod machine;
mod network;
mod token;
mod upgrade;

use ironherd_domain::{Mac, MachineId, MachineState, PowerProtocol, PowerState, UnixMicros};

use crate::testing::{Database, databases};
use crate::{Db, Machine};

pub(crate) const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);

/// A fresh, migrated database on each engine. Keep the [`Database`] as long as the [`Db`].
pub(crate) async fn both() -> Vec<(Database, Db)> {
    let mut all = Vec::new();
    for database in databases() {
        let db = Db::open(&database.url).await.unwrap();
        all.push((database, db));
    }
    all
}

pub(crate) fn mac(last: u8) -> Mac {
    Mac([0x52, 0x54, 0, 0x77, 0, last])
}

pub(crate) fn machine(number: u8) -> Machine {
    Machine {
        id: MachineId::new(),
        generation: 1,
        hostname: format!("node-{number}"),
        state: MachineState::New,
        state_since: NOW,
        deadline: None,
        failure: None,
        owner: None,
        architecture: None,
        firmware: None,
        smbios_uuid: None,
        power_protocol: PowerProtocol::Manual,
        power_address: None,
        power_username: None,
        power_password: None,
        power_state: PowerState::Unknown,
        power_checked: None,
        power_error: None,
        boot_stage: None,
        boot_stage_since: None,
        agent_seen: None,
        attempt: 0,
        boot_key: vec![7; 60],
        kernel_args: String::new(),
        boot_file: None,
        hardware: None,
        commissioned: false,
        image_written: false,
        disk_dirty: false,
        erase_pending: None,
        image_id: None,
        ssh_keys: None,
        user_data: None,
        created: NOW,
        macs: vec![mac(number)],
        address: None,
    }
}
