//! Files that machines boot from or get written to their disks.

mod input;
mod mutation;
mod object;
mod payload;
mod query;

use async_graphql::Enum;

pub(crate) use self::mutation::ImageMutation;
pub(crate) use self::object::Image;
pub(crate) use self::query::ImageQuery;

/// What an image is for.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::ImageKind")]
pub(crate) enum ImageKind {
    /// A file that firmware fetches by its name, e.g. a boot loader.
    BootFile,
    /// The kernel of the system that carries the agent.
    EphemeralKernel,
    /// The initial RAM disk of the system that carries the agent.
    EphemeralInitrd,
    /// A whole disk, compressed with zstd.
    DiskZstd,
    /// A whole disk as it is.
    DiskRaw,
}

/// Whether an image can be used.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ironherd_domain::ImageState")]
pub(crate) enum ImageState {
    /// Its bytes are still missing: send them to `uploadPath`.
    Uploading,
    /// Its bytes are here and have the digest that was promised.
    Ready,
}
