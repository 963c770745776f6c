use std::io;

/// Why a ring could not be set up or can serve no longer.
#[derive(Debug)]
#[non_exhaustive]
pub enum RingError {
    /// The kernel refused the ring. `cause` names the likely reason, `remedy` what to do about it.
    SetUp { source: io::Error, cause: &'static str, remedy: &'static str },
    /// The kernel has io_uring but lacks an operation that the rack needs.
    Operation { name: &'static str },
    /// A socket could not be registered with the ring.
    Register { source: io::Error },
    /// `io_uring_enter` failed for good.
    Enter { source: io::Error },
    /// A socket failed again and again without receiving anything in between.
    Receive { errno: i32 },
}

impl RingError {
    /// Turns the errno of `io_uring_setup` into advice.
    pub(crate) fn set_up(source: io::Error) -> Self {
        let (cause, remedy) = advice(source.raw_os_error(), io_uring_disabled());
        Self::SetUp { source, cause, remedy }
    }
}

impl std::fmt::Display for RingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SetUp { source, cause, remedy } => {
                write!(f, "io_uring could not be set up ({source}): {cause}. {remedy}")
            }
            Self::Operation { name } => write!(
                f,
                "this kernel's io_uring lacks {name}; Linux 6.1 or newer has all that is needed"
            ),
            Self::Register { source } => {
                write!(f, "a socket could not be handed to the ring: {source}")
            }
            Self::Enter { source } => write!(f, "io_uring_enter failed: {source}"),
            Self::Receive { errno } => {
                let reason = io::Error::from_raw_os_error(*errno);
                write!(f, "a socket keeps failing to receive: {reason}")
            }
        }
    }
}

impl std::error::Error for RingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::SetUp { source, .. } | Self::Register { source } | Self::Enter { source } => {
                Some(source)
            }
            Self::Operation { .. } | Self::Receive { .. } => None,
        }
    }
}

fn io_uring_disabled() -> Option<u8> {
    let text = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?;
    text.trim().parse().ok()
}

fn advice(errno: Option<i32>, disabled: Option<u8>) -> (&'static str, &'static str) {
    match (errno, disabled) {
        (Some(libc::EPERM | libc::EACCES), Some(1 | 2)) => (
            "the sysctl kernel.io_uring_disabled is on",
            "Set it to 0 with `sysctl -w kernel.io_uring_disabled=0`",
        ),
        (Some(libc::EPERM | libc::EACCES), _) => (
            "a seccomp filter blocks it, as container runtimes do by default",
            "Run outside the container, or with a seccomp profile that allows io_uring_setup, \
             io_uring_enter and io_uring_register",
        ),
        (Some(libc::ENOSYS), _) => (
            "the kernel has no io_uring, or a seccomp filter hides it",
            "Run on Linux 6.1 or newer, outside of containers that filter io_uring_setup",
        ),
        (Some(libc::EINVAL), _) => {
            ("the kernel is older than Linux 6.1", "Run on Linux 6.1 or newer")
        }
        (Some(libc::ENOMEM), _) => (
            "the limit on locked memory is too low",
            "Raise it, e.g. `ulimit -l unlimited` or LimitMEMLOCK=infinity in the unit",
        ),
        (Some(libc::EMFILE | libc::ENFILE), _) => {
            ("too many files are open", "Raise the limit, e.g. `ulimit -n 65536`")
        }
        _ => ("the cause is unknown", "See the kernel's log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_switch_that_is_off() {
        let rows = [
            (libc::EPERM, Some(2), "kernel.io_uring_disabled"),
            (libc::EPERM, Some(0), "seccomp"),
            (libc::EPERM, None, "seccomp"),
            (libc::ENOSYS, None, "no io_uring"),
            (libc::EINVAL, Some(0), "6.1"),
            (libc::ENOMEM, Some(0), "locked memory"),
        ];
        for (errno, disabled, want) in rows {
            let (cause, remedy) = advice(Some(errno), disabled);
            assert!(cause.contains(want), "errno {errno}, disabled {disabled:?}: {cause}");
            assert!(!remedy.is_empty(), "errno {errno}");
        }
    }
}
