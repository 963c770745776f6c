//! Limits, settings, clock and disk.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Access, FlockOperation, access, flock, statvfs};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Finding;
use crate::clock::since_epoch;
use crate::keeper::Layout;

/// Each connection takes a descriptor; a storm of machines takes thousands.
const FILES_WANTED: u64 = 16_384;
/// Journals, and the boot files of a few systems.
const DISK_BYTES_WANTED: u64 = 4 << 30;
/// Below, the next snapshot or journal may not fit.
const DISK_BYTES_LEAST: u64 = 64 << 20;
/// 2025-01-01: no rack of this version has run before.
const YOUNGEST: u64 = 1_735_689_600;

const SECONDS_A_YEAR: u64 = 31_556_952;

/// A kernel setting that ends a boot storm badly when it is small.
struct Setting {
    name: &'static str,
    path: &'static str,
    least: u64,
    why: &'static str,
}

const SETTINGS: [Setting; 4] = [
    Setting {
        name: "neighbours",
        path: "/proc/sys/net/ipv4/neigh/default/gc_thresh3",
        least: 8192,
        why: "With more machines on a link than this, their TFTP and HTTP stalls for want of ARP.",
    },
    Setting {
        name: "neighbours6",
        path: "/proc/sys/net/ipv6/neigh/default/gc_thresh3",
        least: 8192,
        why: "With more machines on a link than this, their boots over IPv6 stall.",
    },
    Setting {
        name: "backlog",
        path: "/proc/sys/net/core/somaxconn",
        least: 4096,
        why: "More HTTP connections at once than this wait for a repeat of their first packet.",
    },
    Setting {
        name: "connection_tracking",
        path: "/proc/sys/net/netfilter/nf_conntrack_max",
        least: 65_536,
        why: "The firewall tracks each TFTP transfer, and drops packets when its table is full.",
    },
];

pub(super) fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Who set the lower bound did so for programs that use select(2); we do not.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// The limits and settings of the host.
pub(super) fn findings() -> Vec<Finding> {
    let settings = SETTINGS.iter().filter_map(setting);
    [open_files()].into_iter().chain(settings).collect()
}

fn open_files() -> Finding {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    match maximum {
        Some(files) if files < FILES_WANTED => {
            let remedy = format!(
                "Each HTTP connection takes one. Allow {FILES_WANTED}: `ulimit -n`, or \
                 LimitNOFILE= in the unit."
            );
            Finding::poor("open_files", format!("at most {files}"), remedy)
        }
        Some(files) => Finding::good("open_files", format!("at most {files}")),
        None => Finding::good("open_files", "any number"),
    }
}

/// `None`: absent in this namespace, or not compiled in. Then it is not ours to judge.
fn setting(it: &Setting) -> Option<Finding> {
    let value: u64 = std::fs::read_to_string(it.path).ok()?.trim().parse().ok()?;
    let key = it.path.trim_start_matches("/proc/sys/").replace('/', ".");
    let found = format!("{key} is {value}");
    Some(if value < it.least {
        Finding::poor(it.name, found, format!("{} `sysctl -w {key}={}`", it.why, it.least))
    } else {
        Finding::good(it.name, found)
    })
}

pub(super) fn clock() -> Finding {
    let now = since_epoch().as_secs();
    let found = format!("the year is {}", 1970 + now / SECONDS_A_YEAR);
    if YOUNGEST <= now {
        return Finding::good("clock", found);
    }
    let remedy = "The clock is years behind: TLS and the tokens of unknown machines fail. Set it, \
                  e.g. with chrony, before the rack starts.";
    Finding::poor("clock", found, remedy)
}

/// Whether the data folder, or the nearest there is above it, can be written, and has room.
pub(super) fn disk(data_dir: &Path) -> Vec<Finding> {
    let Some(there) = data_dir.ancestors().find(|it| it.exists()) else { return Vec::new() };
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let shown = data_dir.display();
    if !there.is_dir() || access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let remedy = format!(
            "The rack keeps its leases there. Give it a folder that this user may write: \
             --data-dir, or `chown` {}.",
            there.display()
        );
        return vec![Finding::bad("data_folder", format!("{shown} cannot be written"), remedy)];
    }
    let mut findings = vec![Finding::good("data_folder", shown.to_string())];
    if let Ok(room) = statvfs(there) {
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let found = format!("{} MiB are free at {}", free >> 20, there.display());
        let wanted = DISK_BYTES_WANTED >> 20;
        findings.push(if free < DISK_BYTES_LEAST {
            let remedy = "A full disk stops all leases. Make room, or move the data folder.";
            Finding::bad("disk", found, remedy)
        } else if free < DISK_BYTES_WANTED {
            let remedy =
                format!("Boot files and leases need about {wanted} MiB; a full disk stops leases.");
            Finding::poor("disk", found, remedy)
        } else {
            Finding::good("disk", found)
        });
    }
    findings
}

/// Whether a rack has this data folder now.
pub(super) fn is_running(data_dir: &Path) -> bool {
    let Ok(lock) = File::open(Layout::new(data_dir).lock) else { return false };
    flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err()
}
