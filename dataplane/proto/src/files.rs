use std::sync::Arc;

use bytes::Bytes;
use ironherd_snapshot::Mac;

use crate::script::Script;

/// Where TFTP and HTTP find bytes. The rack implements it over its image cache.
///
/// Names are looked up, never opened as paths.
pub trait Files {
    /// A boot file by its clean name: no leading slash, no backslash, no `..`.
    fn open(&self, name: &str) -> Option<FileRef>;

    /// What is made on the spot under a name that is no file's: `grub.cfg-<mac>` and the like.
    fn made(&self, _name: &str) -> Option<Made> {
        None
    }

    /// Content by its SHA-256, 64 lower-case hexadecimal digits.
    fn by_digest(&self, sha256: &str) -> Option<FileRef>;

    /// Whether a file (by name or by digest) that is absent now is on its way to this rack.
    ///
    /// Such a request is answered "ask again" (503 or a TFTP error that says so), not "no such".
    fn is_arriving(&self, _name_or_sha256: &str) -> bool {
        false
    }
}

/// A script with a machine's token: for that machine alone.
#[derive(Clone, Debug)]
pub enum Made {
    Script {
        mac: Mac,
        script: Script,
    },
    /// The client's address is not that of the card.
    NotHolder,
}

/// The content of a file, shared: cloning copies no bytes.
#[derive(Clone, Debug)]
pub struct FileRef {
    pub bytes: Bytes,
    /// 64 lower-case hexadecimal digits; the strong `ETag` of HTTP.
    pub sha256: Arc<str>,
}
