//! One-time boot tokens: how an agent proves which boot attempt it belongs to.
//!
//! The rack mints one into each script it serves; the region verifies it, takes each nonce once,
//! and only for the machine's current attempt. Both hold the machine's key, so a rack mints with
//! the region gone.

use std::fmt;
use std::fmt::Write as _;

use hmac::{Hmac, Mac as _};
use ironherd_snapshot::BootKey;
use sha2::Sha256;

/// The id of a machine that has no record yet.
pub const ENLIST_ID: &str = "enlist";

const DOMAIN: &[u8] = b"ironherd-boot-v1\0";

/// How many days the clocks of a rack and the region may disagree about a token of [`ENLIST_ID`].
pub const ENLIST_DAYS: u64 = 1;

/// What makes a token good once, and not for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// From a secure source, fresh for each token.
    pub nonce: [u8; 16],
    /// When it is minted: see [`day_of`].
    pub day: u64,
}

/// The number of a day since 1970. An unknown machine has no attempt that ends: it takes the place
/// of one, so that nonces need not be remembered for ever.
#[must_use]
pub const fn day_of(unix_seconds: u64) -> u64 {
    unix_seconds / 86_400
}

/// What a token says once its signature held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims<'a> {
    /// The machine's id, or [`ENLIST_ID`].
    pub id: &'a str,
    /// Of the machine's boots; the day it was minted for [`ENLIST_ID`].
    pub attempt: u64,
    pub nonce: [u8; 16],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Not four parts of the right shape.
    Malformed,
    /// Signed with another key, or altered.
    Signature,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the text is no boot token",
            Self::Signature => "the token was not signed with this machine's key",
        })
    }
}

impl std::error::Error for TokenError {}

/// Mints `<id>.<attempt>.<nonce, 32 hex digits>.<HMAC-SHA256, 64 hex digits>`.
#[must_use]
pub fn mint(key: &BootKey, id: &str, attempt: u64, nonce: [u8; 16]) -> String {
    let mut text = format!("{id}.{attempt}.");
    push_hex(&mut text, &nonce);
    text.push('.');
    push_hex(&mut text, &signer(key, id, attempt, nonce).finalize().into_bytes());
    text
}

/// The id a token claims, before anything is proved: only good for finding the key.
#[must_use]
pub fn claimed_id(text: &str) -> Option<&str> {
    parse(text).map(|(claims, _)| claims.id)
}

/// Checks a token against the key of the machine it claims to be.
///
/// # Errors
/// [`TokenError::Malformed`] or [`TokenError::Signature`]. Whether nonce and attempt are fresh is
/// for the caller to judge.
pub fn verify<'a>(key: &BootKey, text: &'a str) -> Result<Claims<'a>, TokenError> {
    let (claims, mac) = parse(text).ok_or(TokenError::Malformed)?;
    let signer = signer(key, claims.id, claims.attempt, claims.nonce);
    signer.verify_slice(&mac).map_err(|_| TokenError::Signature)?;
    Ok(claims)
}

fn signer(key: &BootKey, id: &str, attempt: u64, nonce: [u8; 16]) -> Hmac<Sha256> {
    #[expect(clippy::unwrap_used, reason = "HMAC takes a key of any length")]
    let mut signer = Hmac::<Sha256>::new_from_slice(&key.0).unwrap();
    signer.update(DOMAIN);
    signer.update(id.as_bytes());
    signer.update(b"\0");
    signer.update(attempt.to_string().as_bytes());
    signer.update(b"\0");
    signer.update(&nonce);
    signer
}

fn parse(text: &str) -> Option<(Claims<'_>, [u8; 32])> {
    let mut parts = text.rsplitn(4, '.');
    let mac = from_hex::<32>(parts.next()?)?;
    let nonce = from_hex::<16>(parts.next()?)?;
    let attempt_text = parts.next()?;
    let attempt: u64 = attempt_text.parse().ok()?;
    let id = parts.next().filter(|id| !id.is_empty())?;
    // One spelling a token: "+7" and "007" parse too, but were never minted.
    (attempt.to_string() == attempt_text).then_some((Claims { id, attempt, nonce }, mac))
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "{byte:02x}"); // Writing to a String cannot fail.
    }
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let lower_hex = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != 2 * N || !digits.iter().all(lower_hex) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198c2a8-7b1e-7c55-9c1d-3a6f1f0e2b4d";
    const NONCE: [u8; 16] = [0xa5; 16];

    #[test]
    fn a_token_holds_for_its_own_key_and_text_only() {
        let (key, other) = (BootKey([7; 32]), BootKey([8; 32]));
        let good = mint(&key, ID, 3, NONCE);
        let claims = Claims { id: ID, attempt: 3, nonce: NONCE };
        let rows = [
            (key, good.clone(), Ok(claims)),
            (other, good.clone(), Err(TokenError::Signature)),
            (key, good.replace(".3.", ".4."), Err(TokenError::Signature)),
            (key, good.replace(".3.", ".+3."), Err(TokenError::Malformed)),
            (key, good.replace(".3.", ".03."), Err(TokenError::Malformed)),
            (key, good.replace(ID, ENLIST_ID), Err(TokenError::Signature)),
            (key, good.replacen("a5", "a6", 1), Err(TokenError::Signature)),
            (key, good.to_uppercase(), Err(TokenError::Malformed)),
            (key, good[1..].to_owned(), Err(TokenError::Signature)),
            (key, good[..good.len() - 2].to_owned(), Err(TokenError::Malformed)),
            (key, good.replace(ID, ""), Err(TokenError::Malformed)),
            (key, String::new(), Err(TokenError::Malformed)),
        ];
        for (key, text, want) in rows {
            assert_eq!(verify(&key, &text), want, "{text}");
        }
        assert_eq!(claimed_id(&good), Some(ID));
    }
}
