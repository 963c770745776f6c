use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use ironherd_domain::{ImageState, Refusal};
use ironherd_store::{SnapshotChange, image};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::work::{not_found, transact};
use crate::{Actor, Answer, App, CommandError};

const FIELD: [&str; 1] = ["body"];

/// The bytes of one image while they arrive. Dropped before [`ImageUpload::finish`], it leaves
/// nothing behind.
pub struct ImageUpload {
    app: App,
    actor: Actor,
    sha256: String,
    size_bytes: u64,
    received: u64,
    digest: Context,
    file: File,
    part: Part,
}

/// The unfinished file, removed unless it became an image.
struct Part {
    path: PathBuf,
    kept: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: a part that stays is removed when the region serves next.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl std::fmt::Debug for ImageUpload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut it = f.debug_struct("ImageUpload");
        it.field("sha256", &self.sha256).field("received", &self.received).finish_non_exhaustive()
    }
}

impl App {
    /// Begins to take the bytes of an announced image. `None`: they are here already.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `SIZE_MISMATCH`, `DISK_FULL`.
    pub async fn image_upload_begin(
        &self,
        actor: &Actor,
        sha256: &str,
        content_length: Option<u64>,
    ) -> Answer<Option<ImageUpload>> {
        actor.must_be_user()?;
        let rows = image::by_sha256(&mut self.read().await?, sha256).await?;
        let Some(first) = rows.first() else { return Err(not_found("image", "sha256").into()) };
        if rows.iter().all(|it| it.state == ImageState::Ready) {
            return Ok(None);
        }
        if content_length.is_some_and(|it| it != first.size_bytes) {
            let sent = content_length.unwrap_or_default();
            return Err(size_mismatch(first.size_bytes, sent).into());
        }
        let name = format!(".part-{sha256}-{}", Uuid::now_v7());
        let path = self.inner.data_dir.join("images").join(name);
        let upload = self.upload_at(actor, sha256, first.size_bytes, &path).await?;
        Ok(Some(upload))
    }

    async fn upload_at(
        &self,
        actor: &Actor,
        sha256: &str,
        size_bytes: u64,
        path: &Path,
    ) -> Answer<ImageUpload> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path).await;
        let file = file.map_err(|error| refused(error, size_bytes))?;
        self.inner.uploads().insert(sha256.to_owned(), 0);
        Ok(ImageUpload {
            app: self.clone(),
            actor: actor.clone(),
            sha256: sha256.to_owned(),
            size_bytes,
            received: 0,
            digest: Context::new(&SHA256),
            file,
            part: Part { path: path.to_owned(), kept: false },
        })
    }
}

impl ImageUpload {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// Refusals: `DISK_FULL`; `SIZE_MISMATCH` once more arrives than was announced.
    pub async fn write(&mut self, bytes: &[u8]) -> Answer<()> {
        self.received += bytes.len() as u64;
        if self.size_bytes < self.received {
            return Err(size_mismatch(self.size_bytes, self.received).into());
        }
        self.digest.update(bytes);
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| refused(error, self.size_bytes))?;
        self.app.inner.uploads().insert(self.sha256.clone(), self.received);
        Ok(())
    }

    /// Checks size and digest, makes the file durable and the image READY.
    ///
    /// # Errors
    /// Refusals: `SIZE_MISMATCH`, `DIGEST_MISMATCH`, `DISK_FULL`. The bytes are discarded then.
    pub async fn finish(mut self) -> Answer<()> {
        if self.received != self.size_bytes {
            return Err(size_mismatch(self.size_bytes, self.received).into());
        }
        let digest = std::mem::replace(&mut self.digest, Context::new(&SHA256)).finish();
        let got = hex::encode(digest.as_ref());
        if got != self.sha256 {
            let why = format!(
                "The bytes have the SHA-256 {got}, not {}. They were discarded; send them again, \
                 or announce the image with the digest of this file.",
                self.sha256
            );
            return Err(Refusal::new("DIGEST_MISMATCH", &FIELD, why).into());
        }
        let synced = match self.file.flush().await {
            Ok(()) => self.file.sync_all().await,
            Err(error) => Err(error),
        };
        synced.map_err(|error| refused(error, self.size_bytes))?;
        let path = self.app.image_path(&self.sha256);
        tokio::fs::rename(&self.part.path, &path).await?;
        self.part.kept = true;
        if let Some(folder) = path.parent() {
            File::open(folder).await?.sync_all().await?;
        }
        let (app, sha256) = (self.app.clone(), self.sha256.clone());
        transact!(app, &self.actor, |work| {
            image::ready(&mut work.tx, &sha256).await?;
            for it in image::by_sha256(&mut work.tx, &sha256).await? {
                work.event(None, "IMAGE_READY", format!("{} ({})", it.name, it.kind));
            }
            work.touch(SnapshotChange::Settings);
            Ok(())
        })
    }
}

impl Drop for ImageUpload {
    fn drop(&mut self) {
        self.app.inner.uploads().remove(&self.sha256);
    }
}

fn size_mismatch(announced: u64, sent: u64) -> Refusal {
    let why = format!(
        "The image was announced with {announced} bytes, but {sent} were sent. Send the whole \
         file, or announce it with its real size."
    );
    Refusal::new("SIZE_MISMATCH", &FIELD, why)
}

fn refused(error: std::io::Error, size_bytes: u64) -> CommandError {
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        let why = format!(
            "The disk of the region's data folder is full: the image needs {size_bytes} bytes. \
             Delete images or make room, then send it again."
        );
        return CommandError::refused("DISK_FULL", &FIELD, why);
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::ImageCreate;

    const SHA256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    async fn app() -> (tempfile::TempDir, App) {
        let folder = tempfile::tempdir().unwrap();
        let app = App::open(folder.path(), None).await.unwrap();
        (folder, app)
    }

    fn admin() -> Actor {
        Actor::System("test")
    }

    #[tokio::test]
    async fn a_full_disk_is_said_and_leaves_nothing() {
        let (_folder, app) = app().await;
        let full = Path::new("/dev/full"); // Takes no byte: every write says ENOSPC.
        let mut upload = app.upload_at(&admin(), SHA256_OF_ABC, 3, full).await.unwrap();
        upload.part.kept = true; // The device must survive the test.
        let error = match upload.write(b"abc").await {
            Ok(()) => upload.finish().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.code(), Some("DISK_FULL"));
        assert!(app.inner.uploads().is_empty());
    }

    #[tokio::test]
    async fn bytes_become_an_image_only_with_their_digest() {
        let (folder, app) = app().await;
        let input = ImageCreate {
            name: "abc".into(),
            kind: ironherd_domain::ImageKind::DiskRaw,
            sha256: SHA256_OF_ABC.into(),
            size_bytes: 3,
            architecture: None,
            disk_bytes: None,
        };
        let image = app.image_create(&admin(), input).await.unwrap();
        assert_eq!(image.state, ImageState::Uploading);
        let rows: [(&[u8], Option<&str>); 4] = [
            (b"abd", Some("DIGEST_MISMATCH")),
            (b"ab", Some("SIZE_MISMATCH")),
            (b"abcd", Some("SIZE_MISMATCH")),
            (b"abc", None),
        ];
        for (bytes, want) in rows {
            let upload = app.image_upload_begin(&admin(), SHA256_OF_ABC, None).await.unwrap();
            let mut upload = upload.unwrap();
            let got = match upload.write(bytes).await {
                Ok(()) => upload.finish().await,
                Err(error) => {
                    drop(upload);
                    Err(error)
                }
            };
            assert_eq!(got.err().and_then(|it| it.code()), want, "{bytes:?}");
            let files = std::fs::read_dir(folder.path().join("images")).unwrap().count();
            assert_eq!(files, usize::from(want.is_none()), "{bytes:?}");
        }
        let image = app.image(&admin(), image.id).await.unwrap().unwrap();
        assert_eq!(image.state, ImageState::Ready);
        let again = app.image_upload_begin(&admin(), SHA256_OF_ABC, Some(3)).await.unwrap();
        assert!(again.is_none());
        let unknown = app.image_upload_begin(&admin(), "00", None).await.unwrap_err();
        assert_eq!(unknown.code(), Some("NOT_FOUND"));
    }
}
