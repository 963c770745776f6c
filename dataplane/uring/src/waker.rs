use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// Wakes the thread that waits in a ring. Cheap to clone; may be used from any thread.
#[derive(Clone, Debug)]
pub struct Waker {
    eventfd: Arc<OwnedFd>,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was made just now and has no other owner.
        let eventfd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { eventfd: Arc::new(eventfd) })
    }

    /// Makes the ring report [`Done::Woken`](crate::Done::Woken). Repeats may be merged into one.
    pub fn wake(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the buffer is valid for its 8 bytes during the call.
        let written =
            unsafe { libc::write(self.eventfd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        // It only fails when 2^64 - 2 wakes are pending; then the thread is awake anyway.
        debug_assert!(written == 8, "eventfd write: {}", io::Error::last_os_error());
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }
}
