use std::io::Write as _;

use super::take_text;

/// Bounds of `blksize` (RFC 2348) and of `timeout` (RFC 2349).
const BLOCK_BYTES: std::ops::RangeInclusive<u64> = 8..=65_464;
const TIMEOUT_SECONDS: std::ops::RangeInclusive<u64> = 1..=255;
const WINDOW_BLOCKS: std::ops::RangeInclusive<u64> = 1..=65_535;

/// The options of a request, each within the bounds of its RFC; anything else counts as absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub block_bytes: Option<u16>,
    pub timeout_seconds: Option<u8>,
    pub transfer_bytes: Option<u64>,
    pub window_blocks: Option<u16>,
}

/// The options of an OACK: only what was asked may be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    pub block_bytes: Option<u16>,
    pub timeout_seconds: Option<u8>,
    pub transfer_bytes: Option<u64>,
    pub window_blocks: Option<u16>,
}

impl Asked {
    /// Reads name and value pairs up to the first that has no end. The first of a name wins.
    #[must_use]
    pub fn parse(mut rest: &[u8]) -> Self {
        let mut asked = Self::default();
        while let Some((name, after)) = take_text(rest) {
            let Some((value, after)) = take_text(after) else { break };
            rest = after;
            let Some(value) = parse_decimal(value) else { continue };
            asked.accept(name, value);
        }
        asked
    }

    fn accept(&mut self, name: &[u8], value: u64) {
        let is = |option: &str| name.eq_ignore_ascii_case(option.as_bytes());
        if is("blksize") && self.block_bytes.is_none() && BLOCK_BYTES.contains(&value) {
            self.block_bytes = u16::try_from(value).ok();
        } else if is("timeout") && self.timeout_seconds.is_none() {
            let valid = TIMEOUT_SECONDS.contains(&value);
            self.timeout_seconds = u8::try_from(value).ok().filter(|_| valid);
        } else if is("tsize") && self.transfer_bytes.is_none() {
            self.transfer_bytes = Some(value);
        } else if is("windowsize") && self.window_blocks.is_none() {
            let valid = WINDOW_BLOCKS.contains(&value);
            self.window_blocks = u16::try_from(value).ok().filter(|_| valid);
        }
    }
}

impl Granted {
    /// Nothing was asked that is granted: the answer is block 1, not an OACK.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn push_options(&self, out: &mut Vec<u8>) {
        let options = [
            ("tsize", self.transfer_bytes),
            ("blksize", self.block_bytes.map(u64::from)),
            ("timeout", self.timeout_seconds.map(u64::from)),
            ("windowsize", self.window_blocks.map(u64::from)),
        ];
        for (name, value) in options {
            let Some(value) = value else { continue };
            out.extend_from_slice(name.as_bytes());
            out.push(0);
            let _ = write!(out, "{value}\0"); // Writing to a `Vec` cannot fail.
        }
    }
}

fn parse_decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}
