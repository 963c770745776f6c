//! Which server makes a lease durable before it says so: looked at, not believed.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde::Serialize;

use crate::load::Loader;
use crate::process::{Process, command};
use crate::rows::Compared as _;
use crate::servers::{Kind, Running, SERVER_CORE};

/// What one server did to its disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Evidence {
    pub(crate) server: &'static str,
    pub(crate) syncs: u64,
    pub(crate) leases: u64,
    /// Where the count comes from.
    pub(crate) seen_by: &'static str,
}

const LOOK: Duration = Duration::from_secs(1);

/// Counts the sync calls of a peer while it grants leases.
pub(crate) fn watch(
    kind: Kind,
    namespace: &str,
    running: &Running,
    loader: &mut Loader<'_>,
) -> anyhow::Result<Evidence> {
    let trace = running.folder.join("trace");
    let place = crate::process::Place { namespace, core: SERVER_CORE };
    let mut strace = command(place, "strace");
    strace.args(["-f", "-q", "-e", "trace=fsync,fdatasync,sync_file_range,msync,sync", "-o"]);
    strace.arg(&trace).args(["-p", &running.process.id().to_string()]);
    let strace = Process::start(&mut strace, "strace", &running.folder.join("strace.log"))?;
    let outcome = loader.closed(16, kind.clients().min(500), LOOK)?;
    strace.signal(Signal::INT);
    strace.stop()?;
    let text = fs::read_to_string(trace)?;
    let syncs = text.lines().filter(|line| line.contains("sync") && line.contains('(')).count();
    Ok(Evidence {
        server: kind.name(),
        syncs: u64::try_from(syncs).unwrap_or_default(),
        leases: outcome.completed,
        seen_by: "strace",
    })
}

/// The ring syncs without a system call of its own; the rack's counters tell.
pub(crate) fn told(kind: Kind, running: Running, leases: u64) -> anyhow::Result<Evidence> {
    let Running { process, folder } = running;
    process.stop()?;
    let text = fs::read_to_string(folder.join("metrics")).unwrap_or_default();
    let name = "ironherd_rack_journal_commits_total ";
    let count = text.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
    let syncs = count.unwrap_or_default();
    Ok(Evidence { server: kind.name(), syncs, leases, seen_by: "journal_commits_total" })
}
