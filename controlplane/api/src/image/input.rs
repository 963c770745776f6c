//! What the image mutations take.

use async_graphql::InputObject;

use super::ImageKind;
use crate::scalar::Long;

/// An image to be uploaded.
#[derive(InputObject, Debug)]
pub(crate) struct ImageCreateInput {
    /// Its name. For boot files the path that firmware asks for, e.g. `snponly.efi`.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) kind: ImageKind,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub(crate) sha256: String,
    /// Number of its bytes.
    pub(crate) size_bytes: Long,
    /// Processor architecture it runs on: `amd64` or `arm64`. Absent: any.
    pub(crate) architecture: Option<String>,
    /// Bytes that a compressed disk image fills on the disk.
    pub(crate) disk_bytes: Option<Long>,
}
