//! The few things asked of the kernel and of the RAM system's other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, UnmountFlags};
use rustix::system::RebootCommand;

use crate::console::say;

const POLL: Duration = Duration::from_millis(100);

/// Switches the machine off. If the kernel refuses, says so and waits to be switched off.
pub(crate) fn power_off() -> ! {
    say("powering off");
    end(RebootCommand::PowerOff)
}

pub(crate) fn reboot() -> ! {
    say("rebooting");
    end(RebootCommand::Restart)
}

fn end(command: RebootCommand) -> ! {
    rustix::fs::sync();
    let error = rustix::system::reboot(command);
    loop {
        say(&format!("the kernel refused: {error:?}; switch the machine off by hand"));
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Runs a program to its end. On failure the error is its last words.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let words = text(&output.stderr);
    let words = words.lines().next_back().unwrap_or("no message");
    Err(format!("{program} {}: {} ({words})", arguments.join(" "), output.status))
}

/// Runs one of busybox's programs.
pub(crate) fn busybox(arguments: &[&str]) -> Result<String, String> {
    run("/bin/busybox", arguments)
}

/// Loads kernel modules by name or alias. Unknown ones are skipped: most aliases have no driver.
pub(crate) fn modprobe(names: &[String]) {
    const AT_ONCE: usize = 256;
    for names in names.chunks(AT_ONCE) {
        let arguments: Vec<&str> =
            ["modprobe", "-a", "-q"].into_iter().chain(names.iter().map(String::as_str)).collect();
        // Its status is that of the last alias alone, so it says nothing.
        let _ = busybox(&arguments);
    }
}

/// Waits until `ready` gives a value or the time is up.
pub(crate) fn wait_for<T>(limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = ready() {
            return Some(value);
        }
        if limit <= started.elapsed() {
            return None;
        }
        std::thread::sleep(POLL);
    }
}

/// A mounted file system, unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Mount {
    point: PathBuf,
    mounted: bool,
}

impl Mount {
    pub(crate) fn new(device: &Path, point: &Path, kinds: &[&str]) -> Result<Self, String> {
        std::fs::create_dir_all(point).map_err(|error| format!("{}: {error}", point.display()))?;
        let mut last = "no file system kind given".to_owned();
        for kind in kinds {
            match rustix::mount::mount(device, point, *kind, MountFlags::empty(), None) {
                Ok(()) => return Ok(Self { point: point.to_owned(), mounted: true }),
                Err(error) => last = format!("{kind}: {error}"),
            }
        }
        Err(format!("cannot mount {}: {last}", device.display()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.point
    }

    /// Unmounts now; what was written is on the disk when this returns `Ok`.
    pub(crate) fn close(mut self) -> Result<(), String> {
        self.mounted = false;
        rustix::mount::unmount(&self.point, UnmountFlags::empty())
            .map_err(|error| format!("cannot unmount {}: {error}", self.point.display()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted {
            // Only reached when the task has failed already, with a better reason than this one.
            let _ = rustix::mount::unmount(&self.point, UnmountFlags::DETACH);
        }
    }
}
