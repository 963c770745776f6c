use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// Makes the disk fail as a broken one does. For tests: real disks do not fail when asked. It acts
/// where the kernel's answer comes in, so that all behind it is what runs in earnest.
#[derive(Clone, Debug, Default)]
pub struct DiskFaults(Arc<AtomicI32>);

/// Two are equal, whatever they do: they are no setting.
impl PartialEq for DiskFaults {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for DiskFaults {}

impl DiskFaults {
    /// From now on, what is written or synced fails with this number, e.g. 5 for EIO; 0: no more.
    pub fn fail_with(&self, errno: i32) {
        self.0.store(errno, Ordering::Relaxed);
    }

    /// What the kernel said, unless the disk is to fail.
    pub(crate) fn pass<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        match self.0.load(Ordering::Relaxed) {
            0 => outcome,
            errno => outcome.and(Err(io::Error::from_raw_os_error(errno))),
        }
    }
}
