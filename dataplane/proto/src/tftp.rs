//! TFTP: files to firmware, from a fixed pool of sockets that the caller owns.
//!
//! RFC 1350 with the options of RFC 2347, 2348, 2349 and 7440. Read only.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{DropReason, Event, Files, Instant, Now};

/// What one shard's TFTP may use.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many pool sockets the caller has bound; each transfer answers from one of them.
    pub sockets: usize,
    /// Transfers at once; one more is refused by name.
    pub transfers_max: usize,
    /// The largest block granted, from the path MTU: 1468 fits an MTU of 1500.
    pub block_bytes_max: u16,
    /// The largest window granted, in blocks.
    pub window_blocks_max: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self { sockets: 32, transfers_max: 16_384, block_bytes_max: 1468, window_blocks_max: 64 }
    }
}

/// Datagrams to send: whole, back to back, all `segment_bytes` long but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Which pool socket sends.
    pub socket: usize,
    pub to: SocketAddr,
    /// Our address to send from: the one that the client asked.
    pub local: Ipv4Addr,
    pub segment_bytes: usize,
}

/// Every transfer of one shard.
///
/// After each `handle_*` call, drain [`Server::poll_output`] and [`Server::poll_event`].
#[derive(Debug)]
pub struct Server {
    config: Config,
}

impl Server {
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Takes one datagram of port 69. `local` is the address it came to.
    ///
    /// # Errors
    /// Why nothing more will come of it; the caller counts.
    pub fn handle_request(
        &mut self,
        files: &dyn Files,
        from: SocketAddr,
        local: Ipv4Addr,
        payload: &[u8],
        now: Now,
    ) -> Result<(), DropReason> {
        let _ = (files, from, local, payload, now, &self.config);
        Ok(())
    }

    /// Takes one datagram of a pool socket.
    ///
    /// # Errors
    /// Why it changes nothing; the caller counts.
    pub fn handle_packet(
        &mut self,
        socket: usize,
        from: SocketAddr,
        payload: &[u8],
        now: Now,
    ) -> Result<(), DropReason> {
        let _ = (socket, from, payload, now);
        Ok(())
    }

    /// Replaces `out` by the next datagrams to send; `None` when nothing is ready.
    pub fn poll_output(&mut self, out: &mut Vec<u8>) -> Option<Send> {
        out.clear();
        None
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// When [`Server::handle_timeouts`] wants to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    pub fn handle_timeouts(&mut self, now: Now) {
        let _ = now;
    }
}
