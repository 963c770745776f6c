//! TFTP: files to firmware, from a fixed pool of sockets that the caller owns.
//!
//! RFC 1350 with the options of RFC 2347, 2348, 2349 and 7440. Read only; netascii for short texts.

mod ends;
mod ready;
mod requests;
mod rtt;
mod transfer;
mod wheel;

pub use transfer::Finish;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use ironherd_wire::tftp::{self, ErrorCode, Packet};

use self::ready::Ready;
use self::transfer::{Output, Transfer};
use self::wheel::Wheel;
use crate::{BootStage, DropReason, Event, Files, Instant, Now};

/// Errors that may wait for the caller. It drains them each turn; beyond, the client asks again.
const ERRORS_MAX: usize = 4_096;
/// Events that may wait for the caller; beyond, the oldest goes.
const EVENTS_MAX: usize = 16_384;

/// What one shard's TFTP may use.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many pool sockets the caller has bound; each transfer answers from one of them.
    pub sockets: u16,
    /// Transfers at once; one more is refused by name.
    pub transfers_max: usize,
    /// The largest block granted, from the path MTU: 1468 fits an MTU of 1500.
    pub block_bytes_max: u16,
    /// The largest window granted, in blocks; the kernel takes 64 segments in one send.
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
    pub local: IpAddr,
    pub segment_bytes: usize,
}

/// How transfers ended, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub complete: u64,
    pub unconfirmed: u64,
    pub probes: u64,
    pub aborted: u64,
    pub silent: u64,
    pub replaced: u64,
}

/// Every transfer of one shard.
///
/// After each `handle_*` call, drain [`Server::poll_output`] and [`Server::poll_event`].
#[derive(Debug)]
pub struct Server {
    config: Config,
    slots: Vec<Slot>,
    vacant: Vec<usize>,
    by_peer: HashMap<SocketAddr, usize>,
    names: HashMap<usize, Box<str>>, // Of transfers whose first block has not gone out yet.
    ready: Ready,
    wheel: Wheel,
    errors: VecDeque<Refusal>,
    events: VecDeque<Event>,
    counts: Counts,
    accepted: u64,
    now: Instant, // Of the last `handle_*` call: output that follows it leaves then.
}

#[derive(Debug, Default)]
struct Slot {
    transfer: Option<Transfer>,
    order: u64, // The place in the line of accepted requests.
}

/// An ERROR to a client that gets no transfer.
#[derive(Debug)]
struct Refusal {
    to: SocketAddr,
    local: IpAddr,
    code: ErrorCode,
    message: &'static str,
}

impl Server {
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            slots: Vec::new(),
            vacant: Vec::new(),
            by_peer: HashMap::new(),
            names: HashMap::new(),
            ready: Ready::default(),
            wheel: Wheel::new(),
            errors: VecDeque::new(),
            events: VecDeque::new(),
            counts: Counts::default(),
            accepted: 0,
            now: Instant::default(),
        }
    }

    /// Takes one datagram of port 69. `local` is the address it came to.
    ///
    /// # Errors
    /// Why no transfer comes of it; the caller counts. The client may still get an ERROR.
    pub fn handle_request(
        &mut self,
        files: &dyn Files,
        from: SocketAddr,
        local: IpAddr,
        payload: &[u8],
        now: Now,
    ) -> Result<(), DropReason> {
        self.now = now.instant;
        match tftp::parse(payload).map_err(|_| DropReason::TftpMalformed)? {
            Packet::ReadRequest(request) => {
                let opened = self.open(files, from, local, payload, &request);
                opened.map_err(|refused| self.refuse(from, local, refused))
            }
            Packet::WriteRequest(_) => Err(self.refuse(from, local, DropReason::TftpWriteRefused)),
            _ => Err(DropReason::TftpNotRequest),
        }
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
        self.now = now.instant;
        let packet = tftp::parse(payload).map_err(|_| DropReason::TftpMalformed)?;
        let slot = *self.by_peer.get(&from).ok_or(DropReason::TftpUnknownTransfer)?;
        let Slot { transfer: Some(transfer), order } = &mut self.slots[slot] else {
            return Err(DropReason::TftpUnknownTransfer);
        };
        if usize::from(transfer.socket) != socket {
            return Err(DropReason::TftpUnknownTransfer);
        }
        match packet {
            Packet::Ack { block } => {
                let handled = transfer.handle_ack(block, now.instant);
                self.wheel.schedule(slot, transfer.deadline(), now.instant);
                handled?;
                self.ready.push(slot, *order);
                Ok(())
            }
            Packet::Error { .. } => {
                let finish = transfer.finish_by_error();
                self.finish(slot, finish);
                Ok(())
            }
            _ => Err(DropReason::TftpUnexpected),
        }
    }

    /// Replaces `out` by the next datagrams to send; `None` when nothing is ready.
    pub fn poll_output(&mut self, out: &mut Vec<u8>) -> Option<Send> {
        out.clear();
        if let Some(Refusal { to, local, code, message }) = self.errors.pop_front() {
            tftp::push_error(out, code, message);
            let socket = usize::from(self.socket_of(self.accepted));
            return Some(Send { socket, to, local, segment_bytes: out.len() });
        }
        // Each pass takes a slot out of a queue that holds it at most twice.
        while let Some(slot) = self.ready.pop() {
            let Some(Slot { transfer: Some(transfer), .. }) = self.slots.get_mut(slot) else {
                continue;
            };
            match transfer.poll_output(out, self.now) {
                Output::Send { segment_bytes, first } => {
                    let socket = usize::from(transfer.socket);
                    let (to, local) = (transfer.ends.peer(), transfer.ends.local());
                    self.wheel.schedule(slot, transfer.deadline(), self.now);
                    if first {
                        self.announce(slot, to);
                    }
                    return Some(Send { socket, to, local, segment_bytes });
                }
                Output::Wait { until } => self.wheel.schedule(slot, until, self.now),
                Output::Done(finish) => self.finish(slot, finish),
            }
        }
        None
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Server::handle_timeouts`] wants to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.wheel.next_deadline()
    }

    pub fn handle_timeouts(&mut self, now: Now) {
        self.now = now.instant;
        // Each slot is set again to a later tick, so the loop ends.
        while let Some(slot) = self.wheel.pop_due(now.instant) {
            let Slot { transfer: Some(transfer), order } = &mut self.slots[slot] else { continue };
            transfer.handle_timeout(now.instant);
            let again = transfer.deadline();
            self.ready.push(slot, *order);
            self.wheel.schedule(slot, again, now.instant);
        }
    }

    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many transfers are under way.
    #[must_use]
    pub fn transfers(&self) -> usize {
        self.by_peer.len()
    }

    /// Tells the region about the first block of a file.
    fn announce(&mut self, slot: usize, peer: SocketAddr) {
        let Some(name) = self.names.remove(&slot) else { return };
        if EVENTS_MAX <= self.events.len() {
            self.events.pop_front();
        }
        let address = peer.ip().to_canonical();
        let (stage, detail) = (BootStage::Tftp, name.into_string());
        self.events.push_back(Event::BootByAddress { address, stage, detail });
    }

    fn finish(&mut self, slot: usize, finish: Finish) {
        let Some(transfer) = self.slots[slot].transfer.take() else { return };
        self.by_peer.remove(&transfer.ends.peer());
        self.names.remove(&slot);
        self.wheel.cancel(slot);
        self.vacant.push(slot);
        let counter = match finish {
            Finish::Complete => &mut self.counts.complete,
            Finish::Unconfirmed => &mut self.counts.unconfirmed,
            Finish::Probe => &mut self.counts.probes,
            Finish::ClientAborted => &mut self.counts.aborted,
            Finish::ClientSilent => &mut self.counts.silent,
            Finish::Replaced => &mut self.counts.replaced,
        };
        *counter += 1;
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
