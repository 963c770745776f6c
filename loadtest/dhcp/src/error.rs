use std::io;
use std::net::Ipv4Addr;

/// Why a load cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    #[error("{field}: {remedy}")]
    Plan { field: &'static str, remedy: &'static str },
    #[error(
        "this is the host's own network, and a load takes addresses from everyone on it. Run it in \
         a network namespace (`ip netns exec …`), or add --i-own-this-network if nobody minds"
    )]
    OthersNetwork,
    #[error("there is no interface {name:?} that is up; `ip link` shows which there are")]
    Interface { name: String },
    #[error("no interface holds {address}, which the way to the server starts from")]
    Route { address: Ipv4Addr },
    #[error("{server} does not answer ARP: is the server's address right, and its link up?")]
    Neighbour { server: Ipv4Addr },
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
}

impl LoadError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
