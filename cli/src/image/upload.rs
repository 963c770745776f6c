//! `ironherd image upload`: registers images and sends their bytes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::header::CONTENT_LENGTH;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::debian::sidecar;
use super::manifest::{self, BuiltFile, ImageKind, Manifest};
use crate::client::Client;
use crate::output::Column;

const CREATE: &str = include_str!("../documents/image_create.graphql");
const CHUNK_BYTES: usize = 256 << 10;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

pub(super) const COLUMNS: &[Column] =
    &[("ID", "/id"), ("NAME", "/name"), ("KIND", "/kind"), ("RESULT", "/result")];

#[derive(Args, Clone, Debug)]
pub(crate) struct UploadArgs {
    /// A folder with a manifest.json, or an image file.
    pub(crate) path: PathBuf,
    /// Name of the image; only for a single file. Default: from its sidecar, else the file's name.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Kind of the image; only for a single file. Default: from its sidecar, else its first bytes.
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) kind: Option<ImageKind>,
    /// Architecture of the machines the image is for.
    #[arg(long, default_value = "amd64")]
    pub(crate) arch: String,
    /// Delete images of the same name and kind that have other content, as for a newer agent.
    #[arg(long)]
    pub(crate) replace: bool,
}

/// One image in the region.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Uploaded {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: ImageKind,
    /// `uploaded`, or `present` if the region had it already.
    pub(crate) result: &'static str,
}

/// Uploads everything `args.path` stands for. What the region has already is not sent again.
pub(crate) async fn upload(client: &Client, args: &UploadArgs) -> anyhow::Result<Vec<Uploaded>> {
    let (folder, files) = files(args)?;
    if args.replace {
        delete_older(client, &files).await?;
    }
    let mut uploaded = Vec::new();
    for file in files {
        let path = folder.join(&file.file);
        uploaded.push(upload_one(client, &path, &file).await?);
    }
    Ok(uploaded)
}

async fn delete_older(client: &Client, files: &[BuiltFile]) -> anyhow::Result<()> {
    for image in super::list(client).await? {
        let same = |it: &&BuiltFile| image["name"] == it.name && image["kind"] == json!(it.kind);
        if files.iter().find(same).is_some_and(|it| image["sha256"] != it.sha256) {
            client.run(super::DELETE, json!({ "id": image["id"] })).await?;
        }
    }
    Ok(())
}

fn files(args: &UploadArgs) -> anyhow::Result<(PathBuf, Vec<BuiltFile>)> {
    if args.path.is_dir() {
        if args.name.is_some() || args.kind.is_some() {
            bail!("a folder's manifest names its images; --name and --kind are for a single file");
        }
        let manifest = Manifest::read(&args.path.join(manifest::FILE))?;
        return Ok((args.path.clone(), manifest.files));
    }
    let folder = args.path.parent().map(Path::to_owned).unwrap_or_default();
    let file_name = args.path.file_name().context("the path is no file")?.to_string_lossy();
    let mut file = match Manifest::read(&sidecar(&args.path)) {
        Ok(Manifest { files, .. }) if files.len() == 1 => files[0].clone(),
        _ => described(&args.path, &args.arch)?,
    };
    file.file = file_name.into_owned();
    if let Some(name) = &args.name {
        file.name.clone_from(name);
    }
    if let Some(kind) = args.kind {
        file.kind = kind;
    }
    Ok((folder, vec![file]))
}

/// Describes a file that nobody wrote a sidecar for.
fn described(path: &Path, architecture: &str) -> anyhow::Result<BuiltFile> {
    let (sha256, size_bytes) = manifest::digest(path)?;
    let mut magic = [0; 4];
    let read =
        std::fs::File::open(path).and_then(|mut it| std::io::Read::read_exact(&mut it, &mut magic));
    let kind = match read {
        Ok(()) if magic == ZSTD_MAGIC => ImageKind::DiskZstd,
        _ => ImageKind::DiskRaw,
    };
    Ok(BuiltFile {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        file: String::new(),
        kind,
        architecture: architecture.to_owned(),
        sha256,
        size_bytes,
        disk_bytes: (kind == ImageKind::DiskRaw).then_some(size_bytes),
    })
}

async fn upload_one(client: &Client, path: &Path, file: &BuiltFile) -> anyhow::Result<Uploaded> {
    let input = json!({
        "name": file.name,
        "kind": file.kind,
        "sha256": file.sha256,
        "sizeBytes": file.size_bytes,
        "architecture": file.architecture,
        "diskBytes": file.disk_bytes,
    });
    let data = client.run(CREATE, json!({ "input": input })).await;
    let data = data.with_context(|| {
        format!("cannot register {} (--replace deletes an older one)", file.name)
    })?;
    let image = &data["imageCreate"]["image"];
    let text = |name: &str| image[name].as_str().unwrap_or_default().to_owned();
    let ready = text("state") == "READY";
    if !ready {
        let send = send(client, path, file, &text("uploadPath")).await;
        send.with_context(|| format!("cannot upload {}", path.display()))?;
    }
    Ok(Uploaded {
        id: text("id"),
        name: file.name.clone(),
        kind: file.kind,
        result: if ready { "present" } else { "uploaded" },
    })
}

async fn send(
    client: &Client,
    path: &Path,
    file: &BuiltFile,
    upload_path: &str,
) -> anyhow::Result<()> {
    let source = tokio::fs::File::open(path).await?;
    if source.metadata().await?.len() != file.size_bytes {
        bail!("the file's size is not what its manifest says; build it again");
    }
    let bar = progress_bar(file);
    let counted = bar.clone();
    let chunks = stream::try_unfold(source, move |mut source| {
        let counted = counted.clone();
        async move {
            let mut chunk = vec![0; CHUNK_BYTES];
            let n = source.read(&mut chunk).await?;
            chunk.truncate(n);
            counted.inc(n as u64);
            Ok::<_, std::io::Error>((n != 0).then_some((chunk, source)))
        }
    });
    let request = client
        .http
        .put(format!("{}{upload_path}", client.url))
        .bearer_auth(client.token.reveal())
        .header(CONTENT_LENGTH, file.size_bytes)
        .body(reqwest::Body::wrap_stream(chunks));
    let answer = request.send().await;
    bar.finish_and_clear();
    let answer = answer?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let text = answer.text().await.unwrap_or_default();
    let reason = serde_json::from_str::<Value>(&text).ok();
    let reason = reason.as_ref().and_then(|it| it["message"].as_str()).unwrap_or(&text);
    bail!("the region answered {status}: {reason}")
}

/// Draws on a terminal only.
fn progress_bar(file: &BuiltFile) -> ProgressBar {
    let bar = ProgressBar::new(file.size_bytes).with_message(file.name.clone());
    let template = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(path: PathBuf) -> UploadArgs {
        UploadArgs { path, name: None, kind: None, arch: "amd64".to_owned(), replace: false }
    }

    #[test]
    fn a_single_file_is_sniffed_and_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let rows: [(&[u8], ImageKind, Option<u64>); 2] = [
            (&[0x28, 0xB5, 0x2F, 0xFD, 0], ImageKind::DiskZstd, None),
            (b"rawdisk", ImageKind::DiskRaw, Some(7)),
        ];
        for (bytes, kind, disk_bytes) in rows {
            let path = folder.path().join("disk.img");
            std::fs::write(&path, bytes).unwrap();
            let (_, files) = files(&args(path.clone())).unwrap();
            assert_eq!((files[0].kind, files[0].disk_bytes), (kind, disk_bytes));
            assert_eq!(files[0].name, "disk.img");
            let named = UploadArgs { name: Some("mine".to_owned()), ..args(path) };
            assert_eq!(super::files(&named).unwrap().1[0].name, "mine");
        }
    }

    #[test]
    fn a_folder_goes_by_its_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let error = files(&args(folder.path().to_owned())).unwrap_err();
        assert!(error.to_string().contains("manifest.json"), "{error}");
        let text = r#"{"files":[{"name":"snponly.efi","file":"snponly.efi","kind":"BOOT_FILE",
            "architecture":"amd64","sha256":"00","sizeBytes":3}]}"#;
        std::fs::write(folder.path().join(manifest::FILE), text).unwrap();
        let (_, files) = files(&args(folder.path().to_owned())).unwrap();
        assert_eq!(files[0].kind, ImageKind::BootFile);
    }
}
