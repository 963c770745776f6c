use std::net::SocketAddr;
use std::time::Duration;

use crate::TftpLoadError;

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    pub server: SocketAddr,
    /// The file that every client asks for.
    pub name: String,
    /// How many there are; all begin at once.
    pub clients: u32,
    /// As asked for (RFC 2348, RFC 7440); a server may grant less. A window of 1 is not asked for.
    pub block_bytes: u16,
    pub window_blocks: u16,
    pub downloads: Downloads,
    /// How long a client waits for an answer before it asks again.
    pub patience: Duration,
    /// What the file holds, to compare each byte with.
    pub expect: Option<Vec<u8>>,
}

/// When it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downloads {
    /// Each client fetches the file so often.
    Each(u32),
    /// Each client fetches it again and again, for so long.
    For(Duration),
}

/// Each has a socket, and there are so many ports.
const CLIENTS_MAX: u32 = 20_000;
/// RFC 2348.
const BLOCK_BYTES_MAX: u16 = 65_464;

impl Plan {
    pub(crate) fn check(&self) -> Result<(), TftpLoadError> {
        let wrong = |field, remedy| Err(TftpLoadError::Plan { field, remedy });
        if !(1..=CLIENTS_MAX).contains(&self.clients) {
            return wrong("clients", "give 1 to 20,000");
        }
        if !(8..=BLOCK_BYTES_MAX).contains(&self.block_bytes) {
            return wrong("block_bytes", "give 8 to 65,464");
        }
        if self.window_blocks == 0 {
            return wrong("window_blocks", "give 1 to 65,535");
        }
        if self.name.is_empty() || self.name.contains('\0') {
            return wrong("name", "give the name of a file that the server has");
        }
        if matches!(self.downloads, Downloads::Each(0)) {
            return wrong("downloads", "give at least 1");
        }
        Ok(())
    }
}
