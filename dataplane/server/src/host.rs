//! What the host should allow a rack, checked once at start.

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Each connection takes a descriptor; a storm of machines takes thousands.
const FILES_WANTED: u64 = 16_384;

/// Kernel settings that end a boot storm badly when they are small: path, least good value, why.
const SETTINGS: [(&str, u64, &str); 2] = [
    (
        "/proc/sys/net/ipv4/neigh/default/gc_thresh3",
        8192,
        "with more machines on the network than this, their TFTP and HTTP stalls for want of ARP",
    ),
    (
        "/proc/sys/net/core/somaxconn",
        4096,
        "more connections at once than this wait for a repeat of their first packet",
    ),
];

/// Raises what we may raise ourselves, and warns of the rest.
pub(crate) fn prepare() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Who set the lower bound did so for programs that use select(2); we do not.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    if let Some(files) = maximum.filter(|it| *it < FILES_WANTED) {
        tracing::warn!(
            id = "rack.host.files",
            files,
            "few open files are allowed: raise `ulimit -n`"
        );
    }
    for (path, least, why) in SETTINGS {
        // Absent in some namespaces: then it is not ours to judge.
        if let Some(value) = read(Path::new(path)).filter(|it| *it < least) {
            let name = path.trim_start_matches("/proc/sys/").replace('/', ".");
            tracing::warn!(id = "rack.host.setting", name, value, least, why, "a setting is small");
        }
    }
}

fn read(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
