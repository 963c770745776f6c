//! What a region can be told.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The region's section of `ironherd.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegionConfig {
    /// Where the API and the console answer, when the caller of [`run`](crate::run()) brings no
    /// sockets of its own.
    pub listen: SocketAddr,
    /// Holds the database, the key that seals passwords, and the images.
    pub data_dir: PathBuf,
    /// A PostgreSQL database, e.g. `postgres://ironherd@localhost/ironherd`. Absent: an embedded
    /// SQLite database in `data_dir`.
    pub database_url: Option<String>,
}

impl Default for RegionConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 5240)),
            data_dir: PathBuf::from("./ironherd-data"),
            database_url: None,
        }
    }
}
