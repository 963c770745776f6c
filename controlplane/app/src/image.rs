use ironherd_domain::{ImageId, ImageKind, ImageState, Refusal};
use ironherd_store::{Image, SnapshotChange, image, machine};

use std::path::PathBuf;

use crate::work::{Halt, not_found, transact};
use crate::{Actor, Answer, App, CommandError, ImageCreate, PageRequest, Paged};

const NAME_CHARS_MAX: usize = 128;

impl App {
    /// # Errors
    /// [`CommandError::Forbidden`] unless a user asks; so for all queries about images.
    pub async fn image(&self, actor: &Actor, id: ImageId) -> Answer<Option<Image>> {
        actor.must_be_user()?;
        Ok(image::by_id(&mut self.read().await?, id).await?)
    }

    /// # Errors
    /// See [`App::image`].
    pub async fn images_by_id(&self, actor: &Actor, ids: &[ImageId]) -> Answer<Vec<Image>> {
        actor.must_be_user()?;
        Ok(image::by_ids(&mut self.read().await?, ids).await?)
    }

    /// # Errors
    /// See [`App::image`]. Refusals: `CURSOR_INVALID`.
    pub async fn images(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Image>> {
        actor.must_be_user()?;
        let rows = image::page(&mut self.read().await?, page.cursor()?, page.limit() + 1).await?;
        Ok(page.cut(rows, |it| it.id.to_text()))
    }

    /// Announces an image; its bytes are then PUT to `/images/<sha256>`. The same image announced
    /// twice is one image. If the bytes are here already, it is READY at once.
    ///
    /// # Errors
    /// Refusals: `NAME_INVALID`, `NAME_TAKEN`, `SHA256_INVALID`, `SIZE_INVALID`.
    pub async fn image_create(&self, actor: &Actor, input: ImageCreate) -> Answer<Image> {
        actor.must_be_user()?;
        check(&input)?;
        let have = tokio::fs::metadata(self.image_path(&input.sha256)).await;
        let have = have.is_ok_and(|it| it.len() == input.size_bytes);
        let it = Image {
            id: ImageId::new(),
            name: input.name,
            kind: input.kind,
            sha256: input.sha256,
            size_bytes: input.size_bytes,
            disk_bytes: input.disk_bytes,
            architecture: input.architecture,
            state: if have { ImageState::Ready } else { ImageState::Uploading },
            created: self.now(),
        };
        transact!(self, actor, |work| {
            let same = image::by_sha256(&mut work.tx, &it.sha256).await?;
            let same = same.into_iter().find(|old| old.kind == it.kind && old.name == it.name);
            if let Some(old) = same {
                return Ok(old);
            }
            image::insert(&mut work.tx, &it).await.map_err(|error| {
                Halt::from(error).taken(|_| {
                    let why = format!(
                        "There is another {} named `{}`. Delete it first, or choose another name.",
                        it.kind, it.name
                    );
                    Refusal::new("NAME_TAKEN", &["input", "name"], why)
                })
            })?;
            work.event(None, "IMAGE_CREATED", format!("{} ({})", it.name, it.kind));
            if have {
                work.touch(SnapshotChange::Settings);
            }
            Ok(it.clone())
        })
    }

    /// Forgets an image and, if no other image has the same content, its bytes.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `IMAGE_IN_USE`.
    pub async fn image_delete(&self, actor: &Actor, id: ImageId) -> Answer<ImageId> {
        actor.must_be_user()?;
        let orphan: Answer<Option<String>> = transact!(self, actor, |work| {
            let found = image::by_id(&mut work.tx, id).await?;
            let Some(it) = found else { return Err(not_found("image", "id").into()) };
            if let Some(user) = machine::with_image(&mut work.tx, id).await? {
                let why = format!("`{}` is on the machine `{}`.", it.name, user.hostname);
                return Err(Refusal::new("IMAGE_IN_USE", &["id"], why).into());
            }
            image::delete(&mut work.tx, id).await?;
            work.event(None, "IMAGE_DELETED", format!("{} ({})", it.name, it.kind));
            work.touch(SnapshotChange::Settings);
            let others = image::by_sha256(&mut work.tx, &it.sha256).await?;
            Ok(others.is_empty().then_some(it.sha256))
        });
        if let Some(sha256) = orphan? {
            // Racks that still serve it have their own copy. A file that stays does no harm.
            if let Err(error) = tokio::fs::remove_file(self.image_path(&sha256)).await {
                tracing::debug!(event = "image_file_kept", %sha256, %error, "no file to remove");
            }
        }
        Ok(id)
    }

    /// Where the bytes of an image are, or will be.
    #[must_use]
    pub fn image_path(&self, sha256: &str) -> PathBuf {
        self.inner.data_dir.join("images").join(sha256)
    }

    /// Bytes that have arrived.
    #[must_use]
    pub fn image_received_bytes(&self, image: &Image) -> u64 {
        match image.state {
            ImageState::Ready => image.size_bytes,
            ImageState::Uploading => {
                self.inner.uploads().get(&image.sha256).copied().unwrap_or_default()
            }
        }
    }

    /// The file for a download by a rack or a user; `None` if it is not here.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`] if an agent asks: agents fetch from their rack.
    pub async fn image_file(&self, actor: &Actor, sha256: &str) -> Answer<Option<PathBuf>> {
        if matches!(actor, Actor::Agent(_)) {
            return Err(CommandError::Forbidden);
        }
        let rows = image::by_sha256(&mut self.read().await?, sha256).await?;
        let ready = rows.iter().any(|it| it.state == ImageState::Ready);
        Ok(ready.then(|| self.image_path(sha256)))
    }
}

fn check(input: &ImageCreate) -> Result<(), Refusal> {
    let letters = |it: char| it.is_ascii_alphanumeric() || "._-/+".contains(it);
    let disk = input.kind.is_disk();
    let parts = input.name.split('/').all(|it| !it.is_empty() && it != "." && it != "..");
    let characters = input.name.chars().all(|it| letters(it) || (disk && it == ' '));
    if !parts || !characters || NAME_CHARS_MAX < input.name.len() {
        let why = "An image's name has 1 to 128 letters, digits and `._-+`, with single slashes \
                   between its parts.";
        return Err(Refusal::new("NAME_INVALID", &["input", "name"], why));
    }
    if !is_sha256(&input.sha256) {
        let why = "Write the SHA-256 of the bytes as 64 lower-case hexadecimal digits.";
        return Err(Refusal::new("SHA256_INVALID", &["input", "sha256"], why));
    }
    if input.size_bytes == 0 || i64::try_from(input.size_bytes).is_err() {
        let why = "The size is the number of bytes that will be sent, and not zero.";
        return Err(Refusal::new("SIZE_INVALID", &["input", "sizeBytes"], why));
    }
    if input.kind == ImageKind::DiskRaw && input.disk_bytes.is_some_and(|it| it != input.size_bytes)
    {
        let why = "A raw disk image is as large as the disk it makes: leave diskBytes out.";
        return Err(Refusal::new("SIZE_INVALID", &["input", "diskBytes"], why));
    }
    Ok(())
}

pub(crate) fn is_sha256(text: &str) -> bool {
    let digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(digit)
}
