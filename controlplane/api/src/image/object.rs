//! One image, as people see it.

use async_graphql::{Context, ID, Object};

use super::{ImageKind, ImageState};
use crate::answer::app;
use crate::id::{self, Kind};
use crate::scalar::{At, Long};

/// A file that machines boot from or get written to their disks.
#[derive(Clone, Debug)]
pub(crate) struct Image(pub(crate) ironherd_app::Image);

/// A file that machines boot from or get written to their disks.
#[Object]
impl Image {
    /// Global id.
    pub(crate) async fn id(&self) -> ID {
        id::encode(Kind::Image, &self.0.id.to_text())
    }

    /// Its name, unique among the images of its kind.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is for.
    async fn kind(&self) -> ImageKind {
        self.0.kind.into()
    }

    /// SHA-256 of its bytes, 64 hexadecimal digits.
    async fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// Number of its bytes.
    async fn size_bytes(&self) -> Long {
        self.0.size_bytes.into()
    }

    /// Bytes that it fills on a disk, where that is known.
    async fn disk_bytes(&self) -> Option<Long> {
        self.0.disk_bytes.map(Into::into)
    }

    /// Whether it can be used.
    async fn state(&self) -> ImageState {
        self.0.state.into()
    }

    /// Where to PUT its bytes, as a path of this server.
    async fn upload_path(&self) -> String {
        format!("/images/{}", self.0.sha256)
    }

    /// Number of bytes that have arrived.
    async fn received_bytes(&self, ctx: &Context<'_>) -> Long {
        app(ctx).image_received_bytes(&self.0).into()
    }

    /// Processor architecture it runs on; null for any.
    async fn architecture(&self) -> Option<&str> {
        self.0.architecture.as_deref()
    }

    /// When it was made known.
    async fn created_at(&self) -> At {
        self.0.created.into()
    }
}
