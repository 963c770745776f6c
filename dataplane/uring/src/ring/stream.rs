use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use bytes::Bytes;
use io_uring::types::Fd;
use io_uring::{opcode, squeue};

use super::{Done, GROUP_STREAMS, Rearm, Ring};
use crate::error::RingError;
use crate::socket::accepted;
use crate::token::{Generation, Kind, Token};

/// A listener that a ring owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u32);

/// A connection that a ring owns. Never reused: a later one has another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId {
    index: u32,
    generation: Generation,
}

impl StreamId {
    /// A small number to file the connection under; free again after [`Ring::close`].
    #[must_use]
    pub fn index(self) -> usize {
        self.index as usize
    }
}

#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    paused: bool, // No descriptor was free: armed again when a connection has closed.
}

#[derive(Debug)]
pub(crate) struct Streams {
    slots: Vec<Stream>,
    free: Vec<u32>,
    max: u32,
}

#[derive(Debug, Default)]
struct Stream {
    generation: Generation,
    socket: Option<OwnedFd>,
    receiving: bool,
    sending: Option<Bytes>, // Kept until the kernel has done with it.
    closing: bool,
}

impl Streams {
    pub(super) fn new(max: u32) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), max }
    }

    fn insert(&mut self, socket: OwnedFd) -> Option<StreamId> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len()).ok().filter(|it| *it < self.max)?;
                self.slots.push(Stream::default());
                index
            }
        };
        let slot = self.slots.get_mut(index as usize)?;
        slot.socket = Some(socket);
        Some(StreamId { index, generation: slot.generation })
    }

    fn find(&mut self, id: StreamId) -> Option<&mut Stream> {
        let slot = self.slots.get_mut(id.index as usize)?;
        (slot.generation == id.generation && slot.socket.is_some()).then_some(slot)
    }

    /// Frees the slot of a closing connection once the kernel holds nothing of it.
    fn release_if_idle(&mut self, id: StreamId) -> bool {
        let Some(slot) = self.find(id) else { return false };
        if !slot.closing || slot.receiving || slot.sending.is_some() {
            return false;
        }
        *slot = Stream { generation: slot.generation.next(), ..Stream::default() };
        self.free.push(id.index);
        true
    }
}

impl Ring {
    /// Takes over a listener and accepts from it until the ring is dropped.
    pub fn add_listener(&mut self, socket: TcpListener) -> ListenerId {
        let index = u32::try_from(self.memory.listeners.len()).unwrap_or(u32::MAX);
        self.memory.listeners.push(Listener { socket, paused: false });
        let id = ListenerId(index);
        self.rearm.push_back(Rearm::Accept(id));
        id
    }

    /// Receives once from a connection; [`Done::Received`] follows. Nothing if it already does.
    ///
    /// One receive at a time is the back-pressure: who does not read is not read from.
    pub fn receive(&mut self, stream: StreamId) {
        if let Some(slot) = self.memory.streams.find(stream)
            && !slot.receiving
            && !slot.closing
        {
            slot.receiving = true;
            self.rearm.push_back(Rearm::Receive(stream));
        }
    }

    /// Sends the start of `bytes`, without copying; [`Done::StreamSent`] tells how much went out.
    ///
    /// # Errors
    /// [`RingError::Enter`] when the ring is broken. A send on a closed connection, or while
    /// another is in flight, is dropped.
    pub fn stream_send(&mut self, stream: StreamId, bytes: Bytes) -> Result<(), RingError> {
        let Some(slot) = self.memory.streams.find(stream) else { return Ok(()) };
        if slot.closing || slot.sending.is_some() || bytes.is_empty() {
            debug_assert!(slot.closing, "one send at a time, and never an empty one");
            return Ok(());
        }
        let Some(socket) = &slot.socket else { return Ok(()) };
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(Fd(socket.as_raw_fd()), bytes.as_ptr(), len)
            .flags(libc::MSG_NOSIGNAL)
            .build();
        slot.sending = Some(bytes);
        self.push(&entry, Token::new(Kind::StreamSend, stream.generation, stream.index))
    }

    /// Closes a connection. What was sent before still goes out; its number is free again once
    /// the kernel holds nothing of it.
    pub fn close(&mut self, stream: StreamId) {
        let Some(slot) = self.memory.streams.find(stream) else { return };
        slot.closing = true;
        let pending = slot.receiving || slot.sending.is_some();
        if let Some(socket) = slot.socket.as_ref().filter(|_| pending) {
            // Ends the operations in flight; it fails only if the peer was faster.
            let _ = socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Both);
        }
        self.release(stream);
    }

    fn release(&mut self, stream: StreamId) {
        if self.memory.streams.release_if_idle(stream) {
            self.resume_listeners();
        }
    }

    /// Arms listeners that paused for want of descriptors. Call it now and then (each second).
    pub fn resume_listeners(&mut self) {
        for (index, listener) in (0..).zip(&mut self.memory.listeners) {
            if std::mem::take(&mut listener.paused) {
                self.rearm.push_back(Rearm::Accept(ListenerId(index)));
            }
        }
    }

    pub(super) fn arm_accept(&mut self, id: ListenerId) -> Result<(), RingError> {
        let Some(listener) = self.memory.listeners.get(id.0 as usize) else { return Ok(()) };
        let entry = opcode::AcceptMulti::new(Fd(listener.socket.as_raw_fd()))
            .flags(libc::SOCK_CLOEXEC)
            .build();
        self.push(&entry, Token::new(Kind::Accept, Generation::default(), id.0))
    }

    pub(super) fn arm_receive(&mut self, stream: StreamId) -> Result<(), RingError> {
        let Some(slot) = self.memory.streams.find(stream) else { return Ok(()) };
        if slot.closing {
            slot.receiving = false;
            self.release(stream);
            return Ok(());
        }
        let Some(socket) = &slot.socket else { return Ok(()) };
        let entry = opcode::Recv::new(Fd(socket.as_raw_fd()), std::ptr::null_mut(), 0)
            .buf_group(GROUP_STREAMS)
            .build()
            .flags(squeue::Flags::BUFFER_SELECT);
        self.push(&entry, Token::new(Kind::Receive, stream.generation, stream.index))
    }

    pub(super) fn finish_accept(
        &mut self,
        token: Token,
        result: i32,
        more: bool,
        batch: &mut Vec<Done>,
    ) {
        let listener = ListenerId(token.index);
        if !more {
            let exhausted =
                [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM].contains(&-result);
            match self.memory.listeners.get_mut(token.index as usize) {
                // To accept again at once would fail again at once.
                Some(it) if exhausted => it.paused = true,
                Some(_) => self.rearm.push_back(Rearm::Accept(listener)),
                None => {}
            }
        }
        if result < 0 {
            return;
        }
        // SAFETY: the kernel made this descriptor for us just now; nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(result) };
        let Ok((peer, local)) = accepted(&socket) else { return };
        match self.memory.streams.insert(socket) {
            Some(stream) => batch.push(Done::Accepted { listener, stream, peer, local }),
            None => self.counters.streams_refused += 1,
        }
    }

    pub(super) fn finish_receive(
        &mut self,
        token: Token,
        result: i32,
        buffer: Option<u16>,
        batch: &mut Vec<Done>,
    ) {
        let stream = StreamId { index: token.index, generation: token.generation };
        let len = u32::try_from(result).unwrap_or_default();
        let buffer = buffer.map(|id| self.memory.stream_buffers.take(id, len));
        let slot = self.memory.streams.find(stream);
        let closing = slot.as_ref().is_none_or(|it| it.closing);
        if let Some(slot) = slot {
            if result == -libc::ENOBUFS && !closing {
                self.counters.starved += 1;
                self.rearm.push_back(Rearm::Receive(stream)); // `receiving` stays set.
                return;
            }
            slot.receiving = false;
        } else {
            self.counters.late += 1;
        }
        match buffer {
            Some(buffer) if 0 < len && !closing => {
                batch.push(Done::Received { stream, buffer: Some(buffer) });
                return;
            }
            Some(buffer) => self.memory.stream_buffers.recycle(buffer),
            None => {}
        }
        match result {
            _ if closing => self.release(stream),
            0 => batch.push(Done::Received { stream, buffer: None }),
            errno => batch.push(Done::StreamFailed { stream, errno: -errno }),
        }
    }

    pub(super) fn finish_stream_send(&mut self, token: Token, result: i32, batch: &mut Vec<Done>) {
        let stream = StreamId { index: token.index, generation: token.generation };
        let Some(slot) = self.memory.streams.find(stream) else {
            self.counters.late += 1;
            return;
        };
        slot.sending = None;
        if slot.closing {
            self.release(stream);
            return;
        }
        batch.push(match usize::try_from(result) {
            Ok(bytes) => Done::StreamSent { stream, bytes },
            Err(_) => Done::StreamFailed { stream, errno: -result },
        });
    }
}
