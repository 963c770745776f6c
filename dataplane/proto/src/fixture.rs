//! What the tests of several protocols share.

use std::collections::HashMap;

use bytes::Bytes;
use ironherd_snapshot::Mac;
use sha2::{Digest as _, Sha256};

use crate::script::Script;
use crate::{BootStage, FileRef, Files, Instant, Made, Now, UnixSeconds};

/// Files in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryFiles {
    by_name: HashMap<String, FileRef>,
    arriving: Vec<String>,
}

impl MemoryFiles {
    pub(crate) fn with(mut self, name: &str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = Sha256::digest(&bytes);
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
        self.by_name.insert(name.to_owned(), FileRef { bytes, sha256 });
        self
    }

    pub(crate) fn arriving(mut self, name_or_sha256: &str) -> Self {
        self.arriving.push(name_or_sha256.to_owned());
        self
    }
}

impl Files for MemoryFiles {
    fn open(&self, name: &str) -> Option<FileRef> {
        self.by_name.get(name).cloned()
    }

    /// Two scripts: `made` for whoever asks, `foreign` for somebody else.
    fn made(&self, name: &str) -> Option<Made> {
        let script =
            Script { body: "token".into(), stage: BootStage::Script, detail: String::new() };
        match name {
            "made" => Some(Made::Script { mac: Mac([2, 0, 0, 0, 0, 1]), script }),
            "foreign" => Some(Made::NotHolder),
            _ => None,
        }
    }

    fn by_digest(&self, sha256: &str) -> Option<FileRef> {
        self.by_name.values().find(|it| &*it.sha256 == sha256).cloned()
    }

    fn is_arriving(&self, name_or_sha256: &str) -> bool {
        self.arriving.iter().any(|it| it == name_or_sha256)
    }
}

/// `ms` after an arbitrary origin.
pub(crate) fn at_ms(ms: u64) -> Now {
    Now {
        instant: Instant::from_nanos(ms * 1_000_000),
        wall: UnixSeconds(1_800_000_000 + ms / 1000),
    }
}

/// Bytes that repeat at no block size.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let low = |at: usize| u8::try_from(at % 256).unwrap();
    (0..len).map(|at| low(at % 251) ^ low(at / 251)).collect()
}

/// Chance that replays: SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn permille(&mut self, chance: u64) -> bool {
        self.below(1_000) < chance
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}
