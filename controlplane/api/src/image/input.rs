//! What the image mutations take.

use async_graphql::InputObject;
use ironherd_app as app;
use ironherd_app::CommandError;

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

impl ImageCreateInput {
    pub(super) fn parse(self) -> app::Answer<app::ImageCreate> {
        Ok(app::ImageCreate {
            name: self.name,
            kind: self.kind.into(),
            sha256: self.sha256,
            size_bytes: count(self.size_bytes, "sizeBytes")?,
            architecture: self.architecture,
            disk_bytes: self.disk_bytes.map(|it| count(it, "diskBytes")).transpose()?,
        })
    }
}

fn count(number: Long, field: &str) -> app::Answer<u64> {
    let message = "A number of bytes is not negative.";
    number.count().ok_or_else(|| CommandError::refused("SIZE_INVALID", &["input", field], message))
}
