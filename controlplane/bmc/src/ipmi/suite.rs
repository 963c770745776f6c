//! Cipher suites 17 and 3: their keyed hashes, integrity codes and encryption.

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::packet::PacketError;

const BLOCK_BYTES: usize = 16;

/// A cipher suite by its number (IPMI table 22-20). Both encrypt with AES-CBC-128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// RAKP-HMAC-SHA256, HMAC-SHA256-128: all that `OpenBMC` speaks.
    Suite17,
    /// RAKP-HMAC-SHA1, HMAC-SHA1-96: what older BMCs speak.
    Suite3,
}

impl Suite {
    /// In the order they are tried.
    pub const ALL: [Self; 2] = [Self::Suite17, Self::Suite3];

    /// Codes of authentication, integrity and confidentiality (IPMI §13.28).
    #[must_use]
    pub const fn algorithms(self) -> [u8; 3] {
        match self {
            Self::Suite17 => [3, 4, 1],
            Self::Suite3 => [1, 1, 1],
        }
    }

    /// Length of the key exchange codes in RAKP 2 and 3.
    #[must_use]
    pub const fn hash_bytes(self) -> usize {
        match self {
            Self::Suite17 => 32,
            Self::Suite3 => 20,
        }
    }

    /// Length of the truncated code in RAKP 4 and behind every packet.
    #[must_use]
    pub const fn code_bytes(self) -> usize {
        match self {
            Self::Suite17 => 16,
            Self::Suite3 => 12,
        }
    }

    /// The keyed hash of `parts`, one behind the other.
    #[must_use]
    pub fn hash(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Suite17 => keyed::<Hmac<Sha256>>(key, parts),
            Self::Suite3 => keyed::<Hmac<Sha1>>(key, parts),
        }
    }

    /// The first [`Suite::code_bytes`] of the keyed hash.
    #[must_use]
    pub fn code(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut code = self.hash(key, parts);
        code.truncate(self.code_bytes());
        code
    }
}

fn keyed<M: Mac + hmac::digest::KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of any length; were it to refuse, an empty hash never verifies.
    let Ok(mut mac) = <M as Mac>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// The two keys of a session (IPMI §13.32).
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    pub suite: Suite,
    integrity: Vec<u8>,
    encryption: [u8; BLOCK_BYTES],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("suite", &self.suite).finish_non_exhaustive()
    }
}

impl Keys {
    /// Derives both from the session integrity key that login agreed on.
    #[must_use]
    pub fn derive(suite: Suite, session_key: &[u8]) -> Self {
        // The constants are 20 bytes long for SHA-256 too: so do the BMCs and other clients.
        let integrity = suite.hash(session_key, &[&[1; 20]]);
        let second = suite.hash(session_key, &[&[2; 20]]);
        let mut encryption = [0; BLOCK_BYTES];
        encryption.copy_from_slice(&second[..BLOCK_BYTES]);
        Self { suite, integrity, encryption }
    }

    /// The integrity code over `covered`.
    #[must_use]
    pub fn sign(&self, covered: &[u8]) -> Vec<u8> {
        self.suite.code(&self.integrity, &[covered])
    }

    /// Encrypts one message. `iv` must be fresh for every packet.
    #[must_use]
    pub fn encrypt(&self, message: &[u8], iv: [u8; BLOCK_BYTES]) -> Vec<u8> {
        // Padding counts up from 1 and its length ends the last block (IPMI §13.29).
        let pad = (message.len() + 1).next_multiple_of(BLOCK_BYTES) - message.len() - 1;
        let pad = u8::try_from(pad).unwrap_or(0); // Below one block.
        let mut plain = message.to_vec();
        plain.extend(1..=pad);
        plain.push(pad);
        let cipher = cbc::Encryptor::<aes::Aes128>::new(&self.encryption.into(), &iv.into());
        let mut out = iv.to_vec();
        out.extend(cipher.encrypt_padded_vec_mut::<NoPadding>(&plain));
        out
    }

    /// Decrypts one message.
    ///
    /// # Errors
    /// [`PacketError::Padding`] if this is not what [`Keys::encrypt`] makes.
    pub fn decrypt(&self, bytes: &[u8]) -> Result<Vec<u8>, PacketError> {
        let (iv, body) = bytes.split_first_chunk().ok_or(PacketError::Truncated)?;
        let cipher = cbc::Decryptor::<aes::Aes128>::new(&self.encryption.into(), iv.into());
        let plain = cipher.decrypt_padded_vec_mut::<NoPadding>(body);
        let mut plain = plain.map_err(|_| PacketError::Padding)?;
        let pad = usize::from(plain.pop().ok_or(PacketError::Padding)?);
        // Padding bytes are not compared: some BMCs fill them with other values. The integrity
        // code has already vouched for them.
        let length = plain.len().checked_sub(pad).ok_or(PacketError::Padding)?;
        plain.truncate(length);
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 §3 case 2 and RFC 4231 §4.3: one key, one text, both hashes.
    #[test]
    fn hashes_match_the_published_vectors() {
        let text: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        let sha1 = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&Suite::Suite3.hash(b"Jefe", &text)), sha1);
        assert_eq!(hex(&Suite::Suite17.hash(b"Jefe", &text)), sha256);
        assert_eq!(hex(&Suite::Suite3.code(b"Jefe", &text)), sha1[..24]);
        assert_eq!(hex(&Suite::Suite17.code(b"Jefe", &text)), sha256[..32]);
    }

    #[test]
    fn messages_of_every_length_survive() {
        for suite in Suite::ALL {
            let keys = Keys::derive(suite, &[3; 32]);
            for length in 0..50 {
                let message = vec![0x5a; length];
                let sealed = keys.encrypt(&message, [9; 16]);
                assert_eq!(sealed.len() % 16, 0);
                assert_eq!(keys.decrypt(&sealed), Ok(message), "{suite:?}, {length} bytes");
            }
        }
    }

    #[test]
    fn what_is_no_ciphertext_is_named() {
        let keys = Keys::derive(Suite::Suite17, &[3; 32]);
        assert_eq!(keys.decrypt(&[0; 15]), Err(PacketError::Truncated));
        assert_eq!(keys.decrypt(&[0; 16]), Err(PacketError::Padding));
        assert_eq!(keys.decrypt(&[0; 20]), Err(PacketError::Padding));
    }

    #[test]
    fn keys_stay_out_of_logs() {
        let text = format!("{:?}", Keys::derive(Suite::Suite3, b"key"));
        assert_eq!(text, "Keys { suite: Suite3, .. }");
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|it| format!("{it:02x}")).collect()
    }
}
