//! Many datagrams in one call, by sendmmsg and recvmmsg, for sockets outside of a ring.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// At most so many datagrams a call: their headers stand on the stack.
const CALL_MAX: usize = 64;

/// Datagrams that leave together, through a socket that knows where they go.
#[derive(Debug, Default)]
pub struct SendBatch {
    bytes: Vec<u8>,
    ends: Vec<usize>, // Where each datagram ends in `bytes`.
    sent: usize,
}

impl SendBatch {
    /// Adds the datagram that `write` appends.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        debug_assert!(start <= self.bytes.len(), "a datagram is appended, never taken away");
        self.ends.push(self.bytes.len());
    }

    /// Datagrams that have not been sent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len() - self.sent
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends as many as the kernel takes now; the rest stays. Says how many went out.
    ///
    /// # Errors
    /// What `sendmmsg` says; a full queue is no error.
    pub fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let before = self.sent;
        while !self.is_empty() {
            match self.send_some(socket)? {
                0 => break,
                sent => self.sent += sent,
            }
        }
        let sent = self.sent - before;
        if self.is_empty() {
            self.bytes.clear();
            self.ends.clear();
            self.sent = 0;
        }
        Ok(sent)
    }

    fn send_some(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut parts = [const { empty_part() }; CALL_MAX];
        let mut start =
            self.sent.checked_sub(1).and_then(|it| self.ends.get(it)).map_or(0, |it| *it);
        let mut count = 0;
        for (part, end) in parts.iter_mut().zip(self.ends.iter().skip(self.sent)) {
            let datagram = self.bytes.get_mut(start..*end).unwrap_or_default();
            *part = part_of(datagram);
            start = *end;
            count += 1;
        }
        let mut messages = messages(&mut parts);
        let (fd, count) = (socket.as_raw_fd(), u32::try_from(count).unwrap_or_default());
        // SAFETY: the first `count` headers name parts that lie in `bytes`, which nothing moves
        // during the call; the kernel only reads them.
        let sent = unsafe { libc::sendmmsg(fd, messages.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
        outcome(sent)
    }
}

/// Buffers that datagrams are received into, many in one call.
#[derive(Debug)]
pub struct ReceiveBatch {
    bytes: Vec<u8>,
    buffer_bytes: usize,
    lens: Vec<usize>,
}

impl ReceiveBatch {
    /// `buffer_bytes`: what is longer is cut.
    #[must_use]
    pub fn new(buffer_bytes: usize) -> Self {
        let buffer_bytes = buffer_bytes.max(1);
        Self { bytes: vec![0; CALL_MAX * buffer_bytes], buffer_bytes, lens: Vec::new() }
    }

    /// Takes what waits, without waiting for more; replaces what was there. Says how many came.
    ///
    /// # Errors
    /// What `recvmmsg` says; an empty queue is no error.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.lens.clear();
        let mut parts = [const { empty_part() }; CALL_MAX];
        for (part, buffer) in parts.iter_mut().zip(self.bytes.chunks_exact_mut(self.buffer_bytes)) {
            *part = part_of(buffer);
        }
        let mut messages = messages(&mut parts);
        let count = u32::try_from(messages.len()).unwrap_or_default();
        let (fd, headers) = (socket.as_raw_fd(), messages.as_mut_ptr());
        // SAFETY: each header names one part, and each part one chunk of `bytes`: the kernel
        // writes nowhere else. There is no timeout.
        let received =
            unsafe { libc::recvmmsg(fd, headers, count, libc::MSG_DONTWAIT, std::ptr::null_mut()) };
        let received = outcome(received)?;
        let lens = messages.iter().take(received).map(|it| it.msg_len as usize);
        self.lens.extend(lens.map(|it| it.min(self.buffer_bytes)));
        Ok(received)
    }

    /// What the last call received.
    pub fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let buffers = self.bytes.chunks_exact(self.buffer_bytes).zip(&self.lens);
        buffers.filter_map(|(buffer, len)| buffer.get(..*len))
    }
}

const fn empty_part() -> libc::iovec {
    libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }
}

fn part_of(bytes: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
}

/// One header a part. They point to `parts`, which must stay where it is until the call is over.
fn messages(parts: &mut [libc::iovec; CALL_MAX]) -> [libc::mmsghdr; CALL_MAX] {
    let first = parts.as_mut_ptr();
    std::array::from_fn(|place| {
        // SAFETY: a mmsghdr is plain integers and pointers; all zero is valid and empty.
        let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
        message.msg_hdr.msg_iov = first.wrapping_add(place);
        message.msg_hdr.msg_iovlen = 1;
        message
    })
}

/// A queue that is full or empty is no error: it is for the caller to wait.
fn outcome(result: i32) -> io::Result<usize> {
    if let Ok(count) = usize::try_from(result) {
        return Ok(count);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOBUFS | libc::EINTR) => Ok(0),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn more_datagrams_than_one_call_takes_arrive_whole_and_in_order() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        let count = CALL_MAX + 3;
        let datagram = |n: usize| vec![u8::try_from(n).unwrap(); n + 1];
        let mut out = SendBatch::default();
        for n in 0..count {
            out.push(|bytes| bytes.extend(datagram(n)));
        }
        assert_eq!(out.flush(sender.as_fd()).unwrap(), count);
        assert!(out.is_empty());
        let mut input = ReceiveBatch::new(64);
        let mut got = Vec::new();
        while 0 < input.receive(receiver.as_fd()).unwrap() {
            got.extend(input.datagrams().map(<[u8]>::to_vec));
        }
        let cut = |n| datagram(n)[..64.min(n + 1)].to_vec();
        assert_eq!(got, (0..count).map(cut).collect::<Vec<_>>());
    }
}
