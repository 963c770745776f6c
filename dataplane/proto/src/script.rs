//! The script that a machine's second boot stage runs.

use ironherd_snapshot::{Index, Mac};

use crate::{BootStage, Link};

/// A rendered script, and what to tell the region about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub body: String,
    pub stage: BootStage,
    /// For a person, e.g. `deploy, attempt 3`.
    pub detail: String,
}

/// The iPXE script of one card. `nonce` must be fresh for each script served.
#[must_use]
pub fn boot_script(_snapshot: &Index, _link: &Link, _mac: Mac, _nonce: [u8; 16]) -> Script {
    Script { body: "#!ipxe\n".to_owned(), stage: BootStage::Script, detail: String::new() }
}

/// The GRUB configuration of one card (`grub.cfg-<mac>`), for machines without iPXE.
#[must_use]
pub fn grub_config(_snapshot: &Index, _link: &Link, _mac: Mac, _nonce: [u8; 16]) -> Script {
    Script { body: "\n".to_owned(), stage: BootStage::Script, detail: String::new() }
}
