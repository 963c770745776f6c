pub(crate) mod commit;
pub(crate) mod datagram;
pub(crate) mod setup;
pub(crate) mod stream;

use std::collections::{HashSet, VecDeque};
use std::io;
use std::mem::ManuallyDrop;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use io_uring::types::{self, CancelBuilder, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

use crate::buffers::{Buffer, BufferPool};
use crate::error::RingError;
use crate::slots::SlotPool;
use crate::token::{Generation, Kind, Token};
use crate::waker::Waker;
use commit::Journal;
use datagram::{Receiver, SocketId};
use setup::{RingConfig, check_operations};
use stream::{Listener, ListenerId, StreamId, Streams};

/// What one completion means for the caller.
#[derive(Debug)]
pub enum Done {
    /// Read it with [`Ring::datagram`], then [`Ring::recycle`] the buffer.
    Datagram {
        socket: SocketId,
        buffer: Buffer,
    },
    Accepted {
        listener: ListenerId,
        stream: StreamId,
        peer: SocketAddr,
        local: SocketAddr,
    },
    /// Read it with [`Ring::bytes`], then [`Ring::recycle`] the buffer. `None`: the peer has ended.
    Received {
        stream: StreamId,
        buffer: Option<Buffer>,
    },
    /// So many bytes of the last [`Ring::stream_send`] went out; the rest is to be sent again.
    StreamSent {
        stream: StreamId,
        bytes: usize,
    },
    /// The connection broke. It is to be closed with [`Ring::close`].
    StreamFailed {
        stream: StreamId,
        errno: i32,
    },
    /// A journal commit has ended; its buffer comes back for the next one.
    Committed {
        bytes: Vec<u8>,
        result: io::Result<()>,
    },
    /// What was written before [`Ring::sync_journal`] is on disk, or may be lost.
    Synced {
        result: io::Result<()>,
    },
    /// Someone called [`Waker::wake`].
    Woken,
}

/// What a ring has met since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingCounters {
    /// Datagrams that reached user space, cut off or whole.
    pub datagrams: u64,
    /// Times that all receive buffers were in use.
    pub starved: u64,
    /// Sends that the kernel refused for good.
    pub send_failures: u64,
    /// Destinations that were given plain sends because segmentation was refused.
    pub segmentation_refused: u64,
    /// Completions of operations whose owner is gone.
    pub late: u64,
    /// Connections closed at once because the table was full.
    pub streams_refused: u64,
    /// Completions that waited in the kernel because the queue was full.
    pub overflows: u64,
}

/// At most so many completions a turn, so that no flood starves the timers.
const BATCH_MAX: usize = 1024;
const GROUP_DATAGRAMS: u16 = 0;
const GROUP_STREAMS: u16 = 1;
const LARGE_SLOT_BYTES: usize = 64 << 10;
const SMALL_SLOT_BYTES: usize = 2048;
const SOCKETS_MAX: u32 = 256;
/// Sockets that fail so often in a row end the ring instead of burning the processor.
const FAILURES_MAX: u32 = 1000;

/// One io_uring with its sockets and memory. Belongs to the thread that made it.
pub struct Ring {
    io: IoUring,
    memory: ManuallyDrop<Memory>, // Leaked if the kernel does not let go of it: see `Drop`.
    /// Destinations without UDP_SEGMENT. Bounded; see [`datagram`].
    plain: HashSet<IpAddr>,
    plain_always: bool,
    rearm: VecDeque<Rearm>,
    in_flight: u32, // Operations whose last completion has not come.
    counters: RingCounters,
    completions: Vec<cqueue::Entry>,
}

/// All that operations in flight point to.
struct Memory {
    datagrams: BufferPool,
    stream_buffers: BufferPool,
    small: SlotPool,
    large: SlotPool,
    receivers: Vec<Receiver>,
    listeners: Vec<Listener>,
    streams: Streams,
    journal: Option<Journal>,
    waker: Waker,
    woken: Box<u64>, // The eventfd's counter is read into here.
}

/// A receive that ended and is armed again at the next submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rearm {
    Wake,
    Datagram(SocketId),
    Accept(ListenerId),
    Receive(StreamId),
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}

impl Ring {
    /// Sets a ring up and checks that the kernel has all that it needs.
    ///
    /// # Errors
    /// [`RingError::SetUp`] and [`RingError::Operation`] say what to do about it.
    pub fn new(config: RingConfig) -> Result<Self, RingError> {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_clamp();
        // Multishot receives complete many times for one submission.
        builder.setup_cqsize(config.submissions.saturating_mul(8));
        let io = builder.build(config.submissions).map_err(RingError::set_up)?;
        check_operations(&io)?;
        let set_up = RingError::set_up;
        io.submitter().register_files_sparse(SOCKETS_MAX).map_err(set_up)?;
        let datagrams = BufferPool::register(
            &io,
            GROUP_DATAGRAMS,
            config.datagram_buffers,
            config.datagram_buffer_bytes,
        );
        let stream_buffers = BufferPool::register(
            &io,
            GROUP_STREAMS,
            config.stream_buffers,
            config.stream_buffer_bytes,
        );
        let memory = Memory {
            datagrams: datagrams.map_err(set_up)?,
            stream_buffers: stream_buffers.map_err(set_up)?,
            small: SlotPool::new(config.small_slots, SMALL_SLOT_BYTES).map_err(set_up)?,
            large: SlotPool::new(config.large_slots, LARGE_SLOT_BYTES).map_err(set_up)?,
            receivers: Vec::new(),
            listeners: Vec::new(),
            streams: Streams::new(config.streams_max),
            journal: None,
            waker: Waker::new().map_err(set_up)?,
            woken: Box::new(0),
        };
        Ok(Self {
            io,
            memory: ManuallyDrop::new(memory),
            plain: HashSet::new(),
            plain_always: false,
            rearm: VecDeque::from([Rearm::Wake]),
            in_flight: 0,
            counters: RingCounters::default(),
            completions: Vec::with_capacity(BATCH_MAX),
        })
    }

    /// Wakes this ring from other threads.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.memory.waker.clone()
    }

    #[must_use]
    pub fn counters(&self) -> RingCounters {
        self.counters
    }

    /// Submits what is queued and waits for one completion, at most `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// [`RingError::Enter`] when the ring is broken.
    pub fn submit_and_wait(&mut self, timeout: Option<Duration>) -> Result<(), RingError> {
        self.arm_again()?;
        let timespec = timeout.map(Timespec::from);
        let mut args = SubmitArgs::new();
        if let Some(timespec) = &timespec {
            args = args.timespec(timespec);
        }
        match self.io.submitter().submit_with_args(1, &args) {
            Ok(_) => Ok(()),
            Err(source) => match source.raw_os_error() {
                // The wait is over; what was submitted stays submitted.
                Some(libc::ETIME | libc::EINTR) => Ok(()),
                // The completion queue is full: reaping it helps.
                Some(libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(RingError::Enter { source }),
            },
        }
    }

    /// Moves the completions of this turn into `batch`, at most about a thousand.
    ///
    /// # Errors
    /// [`RingError::Receive`] if a socket only fails.
    pub fn reap_into(&mut self, batch: &mut Vec<Done>) -> Result<(), RingError> {
        let mut completions = std::mem::take(&mut self.completions);
        let mut queue = self.io.completion();
        self.counters.overflows = u64::from(queue.overflow());
        completions.extend(queue.by_ref().take(BATCH_MAX));
        drop(queue);
        let mut outcome = Ok(());
        for entry in completions.drain(..) {
            if let Err(error) = self.finish(&entry, batch) {
                outcome = Err(error);
            }
        }
        self.completions = completions;
        outcome
    }

    /// Gives a buffer back to the kernel.
    pub fn recycle(&mut self, buffer: Buffer) {
        if self.memory.datagrams.owns(&buffer) {
            self.memory.datagrams.recycle(buffer);
        } else {
            self.memory.stream_buffers.recycle(buffer);
        }
    }

    /// The bytes of a [`Done::Received`] buffer.
    #[must_use]
    pub fn bytes<'a>(&'a self, buffer: &'a Buffer) -> &'a [u8] {
        self.memory.stream_buffers.bytes(buffer)
    }

    fn finish(&mut self, entry: &cqueue::Entry, batch: &mut Vec<Done>) -> Result<(), RingError> {
        let more = cqueue::more(entry.flags());
        if !more {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        let Some(token) = Token::unpack(entry.user_data()) else {
            self.counters.late += 1;
            return Ok(());
        };
        let result = entry.result();
        let buffer = cqueue::buffer_select(entry.flags());
        match token.kind {
            Kind::Wake => {
                self.rearm.push_back(Rearm::Wake);
                batch.push(Done::Woken);
            }
            Kind::Datagram => return self.finish_datagram(token, result, buffer, more, batch),
            Kind::Send => self.finish_send(token, result)?,
            Kind::Accept => self.finish_accept(token, result, more, batch),
            Kind::Receive => self.finish_receive(token, result, buffer, batch),
            Kind::StreamSend => self.finish_stream_send(token, result, batch),
            Kind::JournalWrite | Kind::JournalSync | Kind::JournalFlush => {
                self.finish_commit(token, result, batch);
            }
        }
        Ok(())
    }

    /// Arms what ended, unless its buffers are all in use: that would fail again at once.
    fn arm_again(&mut self) -> Result<(), RingError> {
        for _ in 0..self.rearm.len() {
            let Some(next) = self.rearm.pop_front() else { break };
            match next {
                Rearm::Wake => self.arm_wake()?,
                Rearm::Datagram(socket) if self.memory.datagrams.has_free() => {
                    self.arm_datagrams(socket)?;
                }
                Rearm::Receive(stream) if self.memory.stream_buffers.has_free() => {
                    self.arm_receive(stream)?;
                }
                Rearm::Accept(listener) => self.arm_accept(listener)?,
                starved @ (Rearm::Datagram(_) | Rearm::Receive(_)) => {
                    self.rearm.push_back(starved);
                }
            }
        }
        Ok(())
    }

    fn arm_wake(&mut self) -> Result<(), RingError> {
        let eventfd = types::Fd(self.memory.waker.as_fd().as_raw_fd());
        let into = (&raw mut *self.memory.woken).cast();
        let token = Token::new(Kind::Wake, Generation::default(), 0);
        self.push(&opcode::Read::new(eventfd, into, 8).build(), token)
    }

    /// Queues one operation; a full queue is submitted first.
    fn push(&mut self, entry: &squeue::Entry, token: Token) -> Result<(), RingError> {
        self.push_all(std::slice::from_ref(entry), &[token])
    }

    /// Queues operations that are linked: either all or none.
    fn push_all(&mut self, entries: &[squeue::Entry], tokens: &[Token]) -> Result<(), RingError> {
        let mut tagged = [const { None }; 2];
        for (place, (entry, token)) in tagged.iter_mut().zip(entries.iter().zip(tokens)) {
            *place = Some(entry.clone().user_data(token.pack()));
        }
        let mut queue = self.io.submission();
        if queue.capacity() - queue.len() < entries.len() {
            drop(queue);
            self.io.submit().map_err(|source| RingError::Enter { source })?;
            queue = self.io.submission();
        }
        for entry in tagged.iter().flatten() {
            // SAFETY: all that an operation points to belongs to this ring (slots, pools, boxes,
            // descriptors) and is kept until its last completion; `Drop` waits for those.
            unsafe { queue.push(entry) }
                .map_err(|_| RingError::Enter { source: io::ErrorKind::WouldBlock.into() })?;
            self.in_flight = self.in_flight.saturating_add(1);
        }
        Ok(())
    }
}

impl Drop for Ring {
    /// Cancels everything and waits until the kernel has let go of our memory.
    fn drop(&mut self) {
        let mut batch = Vec::new();
        for _ in 0..100 {
            if self.in_flight == 0 {
                break;
            }
            let submitter = self.io.submitter();
            // Queued entries are submitted too: only then do they complete.
            let _ = submitter.submit();
            let soon = Timespec::new().nsec(10_000_000);
            let _ = submitter.register_sync_cancel(Some(soon), CancelBuilder::any());
            let _ = submitter.submit_with_args(1, &SubmitArgs::new().timespec(&soon));
            let _ = self.reap_into(&mut batch);
            batch.clear();
            self.rearm.clear();
        }
        if self.in_flight == 0 {
            // SAFETY: the memory is dropped once, here, and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.memory) };
        } // Else the kernel may still write there: better leaked than freed.
    }
}
