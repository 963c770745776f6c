//! Finds the machine's management controller from the inside.

mod ipmi;
mod redfish;

use std::path::Path;

use crate::console::say;
use crate::inventory;
use crate::protocol::BmcFound;
use crate::smbios;

/// IPMI first, because it also yields credentials; else the Redfish service the firmware names.
///
/// Creates (or reuses) the BMC user `ironherd`, so call it only when enlisting.
pub(crate) fn discover(root: &Path) -> Option<BmcFound> {
    match ipmi::discover() {
        Ok(Some(found)) => {
            say(&format!("BMC: IPMI at {}, user {}", found.address, ipmi::USER_NAME));
            return Some(found);
        }
        Ok(None) => {}
        Err(error) => say(&format!("BMC: IPMI is there but unusable: {error}")),
    }
    let service = smbios::redfish_service(&inventory::smbios_table(root))?;
    let found = redfish::found(service, redfish::answers_plain_http(service));
    say(&format!("BMC: the firmware names a Redfish service at {}", found.address));
    Some(found)
}
