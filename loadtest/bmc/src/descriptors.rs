//! Closing what a careless parent left open.

use std::fs;

/// `O_CLOEXEC` as `/proc/PID/fdinfo` prints it (octal, all Linux architectures we run on).
const CLOSE_ON_EXEC: u32 = 0o2_000_000;

/// Closes every descriptor above stderr that this process inherited from the one that ran it.
///
/// `ipmi_sim` runs its helpers with its sockets still open. A machine started from such a helper
/// would hold the BMC's UDP port for as long as it runs, also after the BMC is gone. Inherited
/// descriptors are those without close-on-exec: whatever Rust opened itself has that flag.
pub fn close_inherited() {
    let Ok(entries) = fs::read_dir("/proc/self/fdinfo") else { return };
    let inherited: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| 2 < *fd)
        .filter(|fd| {
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
            info.lines()
                .find_map(|line| line.strip_prefix("flags:"))
                .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
                .is_some_and(|flags| flags & CLOSE_ON_EXEC == 0)
        })
        .collect();
    for fd in inherited {
        let _ = nix::unistd::close(fd); // Nothing is lost if it cannot be closed.
    }
}
