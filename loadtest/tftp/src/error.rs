use std::io;

/// Why a load cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TftpLoadError {
    #[error("{field}: {remedy}")]
    Plan { field: &'static str, remedy: &'static str },
    #[error(
        "this is the host's own network, and a load may fill it for everyone on it. Run it in a \
         network namespace (`ip netns exec …`), or add --i-own-this-network if nobody minds"
    )]
    OthersNetwork,
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
}

impl TftpLoadError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
