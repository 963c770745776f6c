use std::fmt;

use serde::{Deserialize, Serialize};

/// A key that signs one-time boot tokens. Its `Debug` form never shows the bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootKey(pub [u8; 32]);

impl fmt::Debug for BootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BootKey(hidden)")
    }
}
