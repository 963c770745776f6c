//! HTTP boot: boot files, images and boot scripts over HTTP/1.1, one state machine a connection.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ironherd_snapshot::Index;

use crate::{DropReason, Event, Files, Instant, Link, Now};

/// How long a connection may do nothing.
#[derive(Clone, Debug)]
pub struct Config {
    /// Between two requests.
    pub idle: Duration,
    /// From the first byte of a request head to its last.
    pub head: Duration,
    /// While the client takes not one byte of a response.
    pub stalled: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(75),
            head: Duration::from_secs(10),
            stalled: Duration::from_secs(120),
        }
    }
}

/// What answering needs from outside the connection.
pub struct Context<'a> {
    pub snapshot: &'a Index,
    pub files: &'a dyn Files,
    /// Draws one nonce from a secure source; each script carries a fresh one.
    pub nonce: &'a mut dyn FnMut() -> [u8; 16],
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

/// What the connection wants done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes (at most 256 KiB), then say how many went by [`Connection::handle_sent`].
    /// The same bytes come again until then: keep one send in flight.
    Send(Bytes),
    /// Nothing to send: call [`Connection::handle_timeout`] at `until`, if nothing else happens.
    Wait { until: Instant },
    /// Close the socket; nothing else will come.
    Close,
}

/// One TCP connection of a client.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    peer: SocketAddr,
    link: Link,
    deadline: Instant,
}

impl Connection {
    #[must_use]
    pub fn new(config: Config, peer: SocketAddr, link: Link, now: Now) -> Self {
        let deadline = now.instant + config.idle;
        Self { config, peer, link, deadline }
    }

    /// Whether more bytes should be read. While `false`, leave them in the socket's buffer.
    #[must_use]
    pub fn wants_bytes(&self) -> bool {
        true
    }

    /// Takes bytes as they came, split anyhow.
    ///
    /// # Errors
    /// Why the connection ends; what is already queued is still sent, then comes `Close`.
    pub fn handle_bytes(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
        now: Now,
    ) -> Result<(), DropReason> {
        let _ = (context, bytes, now, &self.config, self.peer, &self.link);
        Ok(())
    }

    /// The client sends no more (read returned 0). What is queued is still sent.
    pub fn handle_end(&mut self) {}

    pub fn poll_output(&mut self) -> Output {
        Output::Wait { until: self.deadline }
    }

    /// `bytes` of the last [`Output::Send`] were taken by the kernel.
    pub fn handle_sent(&mut self, bytes: usize, now: Now) {
        let _ = (bytes, now);
    }

    /// Call at or after the deadline that [`Output::Wait`] named, and while a send is in flight.
    ///
    /// # Errors
    /// Which patience ran out; the next output is `Close`.
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), DropReason> {
        let _ = now;
        Ok(())
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
}
