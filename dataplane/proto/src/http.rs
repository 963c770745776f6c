//! HTTP boot: boot files, images and boot scripts over HTTP/1.1, one state machine a connection.
//!
//! `/boot/<name>` or just `/<name>`, `/images/<sha256>`, `/ipxe/<mac>`, `/grub/<mac>`.

mod answer;
mod routes;

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use ironherd_snapshot::{Index, Mac};
use ironherd_wire::http::{HEAD_BYTES_MAX, HeadError, Status, parse_request};

use self::answer::{Manner, Response, answer};
use crate::token::Stamp;
use crate::{DropReason, Event, Files, Instant, Link, Now};

/// The most bytes of one [`Output::Send`]: others get their turn, and the cache stays warm.
pub const SEND_BYTES_MAX: usize = 256 * 1024;
/// A body up to here is copied behind its head, so that both leave in one send.
const SMALL_BYTES_MAX: usize = 4 * 1024;
/// Responses that may wait; a client that asks for more at once loses the connection.
const RESPONSES_MAX: usize = 64;

/// How long a connection may do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
            // An agent that writes what it reads waits for a slow disk now and then.
            stalled: Duration::from_secs(120),
        }
    }
}

/// What answering needs from outside the connection.
pub struct Context<'a> {
    pub snapshot: &'a Index,
    pub files: &'a dyn Files,
    /// Makes what the next script's token is minted with; each carries a fresh one.
    pub stamp: &'a mut dyn FnMut() -> Stamp,
    /// Whether a client address is that of a card: only there may the card's script go.
    pub owns: &'a dyn Fn(IpAddr, Mac) -> bool,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = self.snapshot.snapshot().generation;
        f.debug_struct("Context").field("generation", &generation).finish_non_exhaustive()
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
    input: Vec<u8>, // Invariant: at most one unfinished head, unless `ending`.
    responses: VecDeque<Response>,
    events: VecDeque<Event>, // At most one a response that waits or has gone since the last poll.
    ending: bool,            // Nothing more is read; what is queued still goes out.
    closed: bool,            // Nothing more goes out either.
    since: Instant,          // When the present wait began.
}

impl Connection {
    #[must_use]
    pub fn new(config: Config, peer: SocketAddr, link: Link, now: Now) -> Self {
        Self {
            config,
            peer,
            link,
            input: Vec::new(),
            responses: VecDeque::new(),
            events: VecDeque::new(),
            ending: false,
            closed: false,
            since: now.instant,
        }
    }

    /// Whether more bytes should be read. While `false`, leave them in the socket's buffer.
    #[must_use]
    pub fn wants_bytes(&self) -> bool {
        !self.ending && !self.closed && self.responses.len() < RESPONSES_MAX / 2
    }

    /// Takes bytes as they came, split anyhow.
    ///
    /// # Errors
    /// Why the connection ends. What is queued (maybe a refusal) is still sent, then comes
    /// [`Output::Close`].
    pub fn handle_bytes(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
        now: Now,
    ) -> Result<(), DropReason> {
        if self.ending || self.closed || bytes.is_empty() {
            return Ok(());
        }
        if self.input.is_empty() && self.responses.is_empty() {
            self.since = now.instant;
        }
        // Most heads come whole, so most input never needs a place of its own.
        let mut held = std::mem::take(&mut self.input);
        let mut rest = if held.is_empty() {
            bytes
        } else {
            held.extend_from_slice(bytes);
            held.as_slice()
        };
        while !self.ending && !rest.is_empty() {
            let Some(head_bytes) = self.handle_head(context, rest, now)? else { break };
            rest = rest.get(head_bytes..).unwrap_or_default();
        }
        if !self.ending {
            self.input = rest.to_vec();
        }
        Ok(())
    }

    /// The client sends no more (a read gave 0 bytes). What is queued is still sent.
    pub fn handle_end(&mut self) {
        self.ending = true;
    }

    pub fn poll_output(&mut self) -> Output {
        if self.closed {
            return Output::Close;
        }
        match self.responses.front() {
            Some(Response { head, .. }) if !head.is_empty() => Output::Send(head.clone()),
            Some(Response { body, .. }) => {
                Output::Send(body.slice(..body.len().min(SEND_BYTES_MAX)))
            }
            None if self.ending => {
                self.closed = true;
                Output::Close
            }
            None => Output::Wait { until: self.next_deadline() },
        }
    }

    /// `bytes` of the last [`Output::Send`] were taken by the kernel.
    pub fn handle_sent(&mut self, mut bytes: usize, now: Now) {
        if 0 < bytes {
            self.since = now.instant;
        }
        while let Some(response) = self.responses.front_mut() {
            for part in [&mut response.head, &mut response.body] {
                let taken = bytes.min(part.len());
                part.advance(taken);
                bytes -= taken;
            }
            if !response.head.is_empty() || !response.body.is_empty() {
                break;
            }
            self.responses.pop_front();
        }
    }

    /// When [`Connection::handle_timeout`] wants to be called next, a send in flight or not.
    #[must_use]
    pub fn next_deadline(&self) -> Instant {
        self.since + self.patience().0
    }

    /// Call at or after [`Connection::next_deadline`].
    ///
    /// # Errors
    /// What took too long; the next output is [`Output::Close`]. The end of an idle connection is
    /// no error.
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), DropReason> {
        if self.closed || now.instant < self.next_deadline() {
            return Ok(());
        }
        let (_, reason) = self.patience();
        self.closed = true;
        self.responses.clear();
        reason.map_or(Ok(()), Err)
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How long the present wait may last, and what it is called when it lasts longer.
    fn patience(&self) -> (Duration, Option<DropReason>) {
        if !self.responses.is_empty() {
            (self.config.stalled, Some(DropReason::HttpStalled))
        } else if !self.input.is_empty() {
            (self.config.head, Some(DropReason::HttpHeadTimeout))
        } else {
            (self.config.idle, None)
        }
    }

    /// Answers the head at the start of `input`; says how long it was, or `None` if more must come.
    fn handle_head(
        &mut self,
        context: &mut Context<'_>,
        input: &[u8],
        now: Now,
    ) -> Result<Option<usize>, DropReason> {
        let (status, text, reason) = match parse_request(input) {
            Ok(None) => return Ok(None),
            Ok(Some(_)) if RESPONSES_MAX <= self.responses.len() => {
                self.ending = true;
                return Err(DropReason::HttpPipelineTooDeep);
            }
            Ok(Some(request)) => {
                let response = answer(context, &self.link, self.peer.ip(), &request, now);
                let refused = response.refused;
                self.queue(response, now);
                return refused.map_or(Ok(Some(request.head_bytes)), Err);
            }
            Err(HeadError::Malformed) => {
                (Status::BadRequest, "this is no HTTP/1 request\n", DropReason::HttpMalformed)
            }
            Err(HeadError::TooLarge) => (
                Status::HeadTooLarge,
                "the request head is too long\n",
                DropReason::HttpHeadTooLarge,
            ),
        };
        self.queue(Manner::broken(now).refuse(status, text), now);
        Err(reason)
    }

    fn queue(&mut self, mut response: Response, now: Now) {
        if self.responses.is_empty() {
            self.since = now.instant;
        }
        self.ending |= response.last;
        let room = self.events.len() < RESPONSES_MAX;
        self.events.extend(response.event.take().filter(|_| room));
        self.responses.push_back(response);
    }
}

const _: () = assert!(SMALL_BYTES_MAX + HEAD_BYTES_MAX < SEND_BYTES_MAX);

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
