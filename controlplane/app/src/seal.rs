use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use ironherd_snapshot::BootKey;

use crate::{OpenError, Secret};

const KEY_BYTES: usize = 32;

/// Seals what must not lie open in the database: BMC passwords and boot keys.
pub(crate) struct Keyring {
    key: RandomizedNonceKey,
}

/// The sealed text was made with another key, for another place, or altered.
#[derive(Debug, thiserror::Error)]
#[error("a sealed value does not open: secret.key does not belong to this database")]
pub(crate) struct SealBroken;

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(hidden)")
    }
}

impl Keyring {
    /// Reads `secret.key` in the data folder; makes it, readable by us alone, if it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let bytes = match private_read(path)? {
            Some(bytes) => bytes,
            None => {
                let fresh = random::<KEY_BYTES>();
                private_write(path, &fresh)?;
                fresh.to_vec()
            }
        };
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| {
            let bytes = bytes.len();
            OpenError::Key(format!("{} holds {bytes} bytes, not {KEY_BYTES}", path.display()))
        })?;
        Ok(Self { key })
    }

    /// Seals `plain` for one place: it opens nowhere else.
    pub(crate) fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        let mut sealed = plain.to_vec();
        #[expect(clippy::unwrap_used, reason = "fails only beyond 2^36 bytes or without chance")]
        let nonce = self.key.seal_in_place_append_tag(Aad::from(place), &mut sealed).unwrap();
        let mut whole = nonce.as_ref().to_vec();
        whole.append(&mut sealed);
        whole
    }

    pub(crate) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealBroken> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(SealBroken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealBroken)?;
        let mut bytes = sealed.to_vec();
        let opened = self.key.open_in_place(nonce, Aad::from(place), &mut bytes);
        opened.map(|plain| plain.to_vec()).map_err(|_| SealBroken)
    }

    pub(crate) fn unseal_text(&self, place: &str, sealed: &[u8]) -> Result<Secret, SealBroken> {
        let plain = self.unseal(place, sealed)?;
        String::from_utf8(plain).map(Secret::new).map_err(|_| SealBroken)
    }

    pub(crate) fn unseal_key(&self, place: &str, sealed: &[u8]) -> Result<BootKey, SealBroken> {
        let plain = self.unseal(place, sealed)?;
        plain.try_into().map(BootKey).map_err(|_| SealBroken)
    }

    /// A fresh boot key, sealed.
    pub(crate) fn fresh_boot_key(&self, place: &str) -> Vec<u8> {
        self.seal(place, &random::<KEY_BYTES>())
    }
}

/// A bearer token of 256 random bits. The prefix names its kind, so that one that leaked into a
/// log or a repository is recognised.
pub(crate) fn fresh_token(prefix: &str) -> Secret {
    Secret::new(format!("{prefix}{}", hex::encode(random::<KEY_BYTES>())))
}

/// What the database knows of a token. The token is random, so a plain digest is enough.
pub(crate) fn token_digest(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::unwrap_used, reason = "without chance nothing here may go on")]
    rand::fill(&mut bytes).unwrap();
    bytes
}

/// Reads a file that only we may read; `None` if there is none.
pub(crate) fn private_read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match fs::File::open(path) {
        Ok(mut file) => {
            file.read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a new file that only we may read, whole or not at all.
pub(crate) fn private_write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_sealed_value_opens_with_its_key_at_its_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::open(&folder.path().join("secret.key")).unwrap();
        let sealed = keyring.seal("bmc:1", b"calvin");
        assert!(!sealed.windows(6).any(|it| it == b"calvin"));
        assert_eq!(keyring.unseal("bmc:1", &sealed).unwrap(), b"calvin");
        assert!(keyring.unseal("bmc:2", &sealed).is_err());
        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(keyring.unseal("bmc:1", &altered).is_err());
        assert!(keyring.unseal("bmc:1", &sealed[..5]).is_err());
        let other = Keyring::open(&folder.path().join("other.key")).unwrap();
        assert!(other.unseal("bmc:1", &sealed).is_err());
        let again = Keyring::open(&folder.path().join("secret.key")).unwrap();
        assert_eq!(again.unseal_text("bmc:1", &sealed).unwrap().expose(), "calvin");
    }

    #[test]
    fn the_key_is_for_us_alone_and_does_not_show() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let keyring = Keyring::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(format!("{keyring:?}"), "Keyring(hidden)");
        assert_eq!(format!("{:?}", fresh_token("ihu_")), "Secret(hidden)");
        fs::write(&path, b"short").unwrap();
        let Err(OpenError::Key(text)) = Keyring::open(&path) else { panic!("must be refused") };
        assert!(text.contains("5 bytes, not 32"), "{text}");
    }
}
