//! What operators say about DHCP beyond addresses.

mod bytes;
mod class;
mod key;
mod scope;

pub use bytes::{read as read_bytes, show as show_bytes};
pub use class::{ClassCondition, ClassField, ConditionWords, MatchOperator, condition};
pub use key::{KeyWords, KeyWords6, ReservationKey, ReservationKey6};
pub use scope::{DhcpMode, IpFamily, OptionScope, ScopeId};

use crate::Refusal;

const NAME_CHARS_MAX: usize = 64;
const BOOT_FILE_BYTES_MAX: usize = 255;

/// Checks the name of a fabric, a VLAN or a class.
///
/// # Errors
/// `NAME_INVALID`.
pub fn check_name(text: &str, field: &[&str]) -> Result<(), Refusal> {
    let fits = !text.trim().is_empty() && text.chars().count() <= NAME_CHARS_MAX;
    if fits && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let why = "A name has 1 to 64 characters, none of them a line break or the like.";
    Err(Refusal::new("NAME_INVALID", field, why))
}

/// Checks a TFTP name or URL that is handed out in place of the boot table's.
///
/// # Errors
/// `BOOT_FILE_INVALID`.
pub fn check_boot_file(text: &str, field: &[&str]) -> Result<(), Refusal> {
    let printable = !text.is_empty() && text.chars().all(|it| it.is_ascii_graphic());
    if printable && text.len() <= BOOT_FILE_BYTES_MAX {
        return Ok(());
    }
    let why = "A boot file is a TFTP name or a URL of 1 to 255 printable ASCII characters without \
               spaces, e.g. pxelinux.0 or http://10.20.0.2/boot.efi.";
    Err(Refusal::new("BOOT_FILE_INVALID", field, why))
}

/// Checks a VLAN tag; 0 is untagged.
///
/// # Errors
/// `VID_INVALID`.
pub fn check_vid(vid: i64, field: &[&str]) -> Result<u16, Refusal> {
    let read = u16::try_from(vid).ok().filter(|it| *it <= 4094);
    read.ok_or_else(|| {
        let why = format!("{vid} is no VLAN tag; choose 0 (untagged) to 4094.");
        Refusal::new("VID_INVALID", field, why)
    })
}
