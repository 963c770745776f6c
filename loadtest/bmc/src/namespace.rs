//! Doing one thing inside a network namespace, without taking the whole process there.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where iproute2 keeps the handle of the namespace `name`.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(name)
}

/// Runs `work` inside the network namespace `name` and answers what it answered.
///
/// Sockets opened and processes started by `work` belong to the namespace for good.
///
/// # Errors
/// What the kernel says when the namespace does not exist or may not be entered.
///
/// # Panics
/// If `work` panics.
pub fn enter<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let handle = File::open(path(name))?;
    thread::scope(|scope| {
        // A namespace belongs to a thread: this one is made for the visit and ends with it.
        let visit = scope.spawn(move || {
            move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        });
        match visit.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
