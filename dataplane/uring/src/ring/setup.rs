use io_uring::{IoUring, Probe, opcode};

use crate::error::RingError;

/// How large the parts of a ring are. All memory is taken at start; none later.
#[derive(Clone, Copy, Debug)]
pub struct RingConfig {
    pub submissions: u32,
    /// Receive buffers for datagrams; a power of two. Each also holds 64 bytes of addresses.
    pub datagram_buffers: u16,
    pub datagram_buffer_bytes: u32,
    /// Receive buffers for streams; a power of two.
    pub stream_buffers: u16,
    pub stream_buffer_bytes: u32,
    /// Send slots for single datagrams and frames.
    pub small_slots: u32,
    /// Send slots of 64 KiB for many datagrams in one send.
    pub large_slots: u32,
    pub streams_max: u32,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            submissions: 4096,
            datagram_buffers: 1024,
            datagram_buffer_bytes: 2048,
            stream_buffers: 512,
            stream_buffer_bytes: 8192,
            small_slots: 2048,
            large_slots: 128,
            streams_max: 16_384,
        }
    }
}

/// Asks the kernel for each operation that the rack needs.
pub(super) fn check_operations(io: &IoUring) -> Result<(), RingError> {
    let needed = [
        (opcode::RecvMsgMulti::CODE, "multishot recvmsg"),
        (opcode::SendMsg::CODE, "sendmsg"),
        (opcode::AcceptMulti::CODE, "multishot accept"),
        (opcode::Recv::CODE, "recv"),
        (opcode::Send::CODE, "send"),
        (opcode::Read::CODE, "read"),
        (opcode::Write::CODE, "write"),
        (opcode::Fsync::CODE, "fsync"),
    ];
    let mut probe = Probe::new();
    io.submitter().register_probe(&mut probe).map_err(RingError::set_up)?;
    match needed.iter().find(|(code, _)| !probe.is_supported(*code)) {
        Some((_, name)) => Err(RingError::Operation { name }),
        None => Ok(()),
    }
}
