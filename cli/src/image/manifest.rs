//! What a build leaves beside its files, and what an upload reads.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::output::Column;

pub(super) const FILE: &str = "manifest.json";

pub(super) const COLUMNS: &[Column] =
    &[("NAME", "/name"), ("KIND", "/kind"), ("BYTES", "/sizeBytes"), ("SHA256", "/sha256")];

/// The kinds of image that the API knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ImageKind {
    BootFile,
    EphemeralKernel,
    EphemeralInitrd,
    DiskZstd,
    DiskRaw,
}

/// One built file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BuiltFile {
    /// The image's name in the region; for boot files the name that machines ask for.
    pub(crate) name: String,
    /// File name, relative to the manifest.
    pub(crate) file: String,
    pub(crate) kind: ImageKind,
    pub(crate) architecture: String,
    pub(crate) sha256: String,
    pub(crate) size_bytes: u64,
    /// For disk images: the size on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) disk_bytes: Option<u64>,
}

/// All files of one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) files: Vec<BuiltFile>,
    /// What the build could not make, in words.
    #[serde(default)]
    pub(crate) notes: Vec<String>,
}

impl Manifest {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no manifest", path.display()))
    }

    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n")
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// SHA-256 in hex and length of a file.
pub(super) fn digest(path: &Path) -> anyhow::Result<(String, u64)> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((hex::encode(digest.finalize()), length));
        }
        digest.update(&buffer[..n]);
        length += n as u64;
    }
}
