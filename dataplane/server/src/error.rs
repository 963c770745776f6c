use std::io;
use std::path::PathBuf;

use ironherd_link::LinkError;
use ironherd_uring::RingError;

/// Why a rack cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RackError {
    #[error("port {port} ({service}) could not be opened: {source}. {remedy}")]
    Port { service: &'static str, port: u16, source: io::Error, remedy: &'static str },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "{}: a lease journal of version {version}, which this version of Ironherd cannot read. \
         Start the version that wrote it, or move the file away and lose its leases",
        path.display()
    )]
    JournalVersion { path: PathBuf, version: u8 },
    #[error("another rack works in this data folder: it holds {}", path.display())]
    Locked { path: PathBuf },
    #[error(transparent)]
    Ring(#[from] RingError),
    #[error("the list of network interfaces could not be read: {0}")]
    Interfaces(io::Error),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("a thread could not be started: {0}")]
    Thread(io::Error),
    #[error("a thread of the rack ended without a word; its panic is in the log")]
    Panicked,
}

impl RackError {
    pub(crate) fn port(service: &'static str, port: u16, source: io::Error) -> Self {
        let remedy = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "Another program has it (`ss -lunpt` shows which): stop that, or turn this service \
                 off or move it in [rack]"
            }
            io::ErrorKind::PermissionDenied => {
                "Run as root or with CAP_NET_BIND_SERVICE, CAP_NET_RAW and CAP_NET_ADMIN"
            }
            _ => "Turn this service off or move it in [rack]",
        };
        Self::Port { service, port, source, remedy }
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
