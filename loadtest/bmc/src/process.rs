//! Processes that outlive us, named so that a reused pid is never mistaken for one of them.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// How long a killed process may take to be gone; the kernel only has to free its memory.
const GONE_MAX: Duration = Duration::from_secs(10);

/// One process: its pid, and when the kernel started it, in clock ticks since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    pub pid: i32,
    pub start_ticks: u64,
}

impl ProcessRecord {
    /// Describes the process that has `pid` now. A zombie counts as gone.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, start_ticks) = parse_stat(&stat)?;
        (!matches!(state, 'Z' | 'X')).then_some(Self { pid, start_ticks })
    }

    #[must_use]
    pub fn is_running(&self) -> bool {
        Self::of(self.pid) == Some(*self)
    }

    /// Kills the process at once and waits until it is gone. One that is gone already is fine.
    ///
    /// # Errors
    /// What the kernel says when the signal is refused; `TimedOut` if the process will not go.
    pub fn kill(&self) -> io::Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(()) };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        // Looked at only now: from here the descriptor, not the number, names the process.
        if !self.is_running() {
            return Ok(());
        }
        match pidfd_send_signal(&pidfd, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(errno) => return Err(errno.into()),
        }
        let timeout = Timespec { tv_sec: GONE_MAX.as_secs().cast_signed(), tv_nsec: 0 };
        let mut ready = [PollFd::new(&pidfd, PollFlags::IN)];
        match poll(&mut ready, Some(&timeout))? {
            0 => Err(io::Error::from(io::ErrorKind::TimedOut)),
            _ => Ok(()),
        }
    }
}

/// Finds the running processes whose environment has `variable` set to `value`.
///
/// Processes that come and go meanwhile, or belong to others, are passed over.
#[must_use]
pub fn marked(variable: &str, value: &str) -> Vec<ProcessRecord> {
    let wanted = format!("{variable}={value}");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own_pid = std::process::id().cast_signed();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own_pid)
        .filter_map(|pid| {
            // The record first: if the pid changes hands in between, the record no longer fits.
            let record = ProcessRecord::of(pid)?;
            let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let has = environ
                .split(|byte| *byte == 0)
                .any(|pair| std::ffi::OsStr::from_bytes(pair) == wanted.as_str());
            has.then_some(record)
        })
        .collect()
}

/// Reads the state and the start time out of `/proc/PID/stat` (proc(5), fields 3 and 22).
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    // The name in field 2 may hold spaces and brackets itself: the last bracket ends it.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let start_ticks = fields.nth(18)?.parse().ok()?;
    Some((state, start_ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_a_hostile_name() {
        let stat = "77 (a) Z (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(parse_stat(stat), Some(('S', 4242)));
    }

    #[test]
    fn only_the_recorded_process_is_killed() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .env(crate::LAB_MARKER, "process-test")
            .spawn()
            .expect("sleep starts");
        let record = ProcessRecord::of(child.id().cast_signed()).expect("it runs");
        let reused = ProcessRecord { start_ticks: record.start_ticks + 1, ..record };

        reused.kill().expect("another start time is another process");
        assert!(record.is_running());
        // spawn() returns while the kernel is still putting the new program's environment together.
        while !marked(crate::LAB_MARKER, "process-test").contains(&record) {
            assert!(record.is_running());
        }

        record.kill().expect("killed");
        assert!(!record.is_running());
        child.wait().expect("reaped");
        record.kill().expect("gone is fine");
    }
}
