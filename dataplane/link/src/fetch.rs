use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use ironherd_snapshot::BootFile;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, RANGE};
use sha2::Digest;
use tokio::sync::{mpsc, watch};

use crate::LinkConfig;
use crate::backoff::Backoff;
use crate::store::{Partial, Store};
use crate::transport::{LinkError, Region};

/// Why a download ended without its file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the file's bytes do not have its digest")]
    Digest,
    #[error("the file is longer than announced")]
    TooLong,
    #[error("it could not be stored: {0}")]
    Store(#[from] std::io::Error),
}

/// A few at once: one big image must not hold up a small boot file behind it.
const DOWNLOADS_MAX: usize = 3;
/// Written to disk in one go.
const CHUNK_BYTES: usize = 1 << 20;

/// Fetches what the snapshot names and the store lacks, smallest first, each once at a time.
pub(crate) async fn run(
    config: &LinkConfig,
    region: &Region,
    store: &dyn Store,
    mut wanted: watch::Receiver<Arc<Vec<BootFile>>>,
    arrived: mpsc::Sender<String>,
) {
    let mut running = FuturesUnordered::new();
    let mut in_flight: HashSet<String> = HashSet::new();
    loop {
        let files = Arc::clone(&wanted.borrow_and_update());
        let missing = missing(&files, &in_flight, store);
        if missing.is_empty() && in_flight.is_empty() && !files.is_empty() {
            let wanted: HashSet<String> = files.iter().map(|it| it.sha256.clone()).collect();
            if let Err(error) = store.retain(&wanted).await {
                tracing::warn!(id = "link.cache", %error, "old boot files could not be removed");
            }
        }
        for file in missing.into_iter().take(DOWNLOADS_MAX - in_flight.len().min(DOWNLOADS_MAX)) {
            in_flight.insert(file.sha256.clone());
            running.push(fetch_patiently(config, region, store, file, wanted.clone()));
        }
        tokio::select! {
            Some((sha256, whole)) = running.next() => {
                in_flight.remove(&sha256);
                if whole && arrived.send(sha256).await.is_err() {
                    return;
                }
            }
            changed = wanted.changed() => if changed.is_err() { return },
        }
    }
}

fn missing(files: &[BootFile], in_flight: &HashSet<String>, store: &dyn Store) -> Vec<BootFile> {
    let mut seen = HashSet::new();
    let lacks = |it: &&BootFile| !in_flight.contains(&it.sha256) && !store.holds(it);
    let mut missing: Vec<_> = files.iter().filter(lacks).cloned().collect();
    missing.retain(|it| seen.insert(it.sha256.clone())); // Two names may share one content.
    missing.sort_by_key(|it| it.size_bytes);
    missing
}

/// Tries until the file is whole, or until nobody wants it any more.
async fn fetch_patiently(
    config: &LinkConfig,
    region: &Region,
    store: &dyn Store,
    file: BootFile,
    wanted: watch::Receiver<Arc<Vec<BootFile>>>,
) -> (String, bool) {
    let mut backoff = Backoff::new(config.retry_first, config.retry_max);
    // What is on disk is digested once; after a cut the digest goes on from memory.
    let mut partial = None;
    while wanted.borrow().iter().any(|it| it.sha256 == file.sha256) {
        match fetch(region, store, &file, &mut partial, &mut backoff).await {
            Ok(()) => return (file.sha256, true),
            Err(error) => {
                let name = &file.name;
                tracing::warn!(id = "link.fetch", %error, name, "a boot file did not arrive");
            }
        }
        backoff.wait().await;
    }
    (file.sha256, false)
}

/// Downloads one file, from where the last try ended.
pub(crate) async fn fetch(
    region: &Region,
    store: &dyn Store,
    file: &BootFile,
    progress: &mut Option<Partial>,
    backoff: &mut Backoff,
) -> Result<(), FetchError> {
    let sha256 = file.sha256.as_str();
    let mut partial = match progress.take() {
        Some(partial) => partial,
        None => store.partial(sha256).await?,
    };
    if file.size_bytes < partial.bytes {
        store.discard(sha256).await?;
        partial = Partial::default();
    }
    if partial.bytes < file.size_bytes {
        let outcome = stream(region, store, file, &mut partial, backoff).await;
        if let Err(error) = outcome {
            let resumable = matches!(error, FetchError::Link(_));
            if resumable {
                *progress = Some(partial);
            } else {
                store.discard(sha256).await?;
            }
            return Err(error);
        }
    }
    if partial.bytes == 0 {
        store.append(sha256, 0, Bytes::new()).await?; // An empty file is a file, too.
    }
    if hex::encode(partial.digest.finalize()) != sha256 {
        store.discard(sha256).await?;
        return Err(FetchError::Digest);
    }
    store.keep(sha256).await?;
    Ok(())
}

async fn stream(
    region: &Region,
    store: &dyn Store,
    file: &BootFile,
    partial: &mut Partial,
    backoff: &mut Backoff,
) -> Result<(), FetchError> {
    let sha256 = file.sha256.as_str();
    let mut request = region.get(&format!("/images/{sha256}"))?;
    if 0 < partial.bytes {
        request = request.header(RANGE, format!("bytes={}-", partial.bytes));
    }
    let mut response = request.send().await.map_err(LinkError::from)?;
    match response.status() {
        StatusCode::OK if 0 < partial.bytes => {
            // The region sends it all again.
            store.discard(sha256).await?;
            *partial = Partial::default();
        }
        StatusCode::OK => {}
        StatusCode::PARTIAL_CONTENT if continues_at(&response, partial.bytes) => {}
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            return Err(LinkError::Unauthenticated(status).into());
        }
        status => return Err(LinkError::Status(status).into()),
    }
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    let cut = loop {
        match response.chunk().await {
            Ok(Some(bytes)) => chunk.extend_from_slice(&bytes),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
        if CHUNK_BYTES <= chunk.len() {
            store_chunk(store, file, partial, std::mem::take(&mut chunk)).await?;
            backoff.reset(); // It gets on: the next cut deserves a prompt retry.
        }
    };
    store_chunk(store, file, partial, chunk).await?;
    match cut {
        Some(error) => Err(LinkError::from(error).into()),
        None if partial.bytes < file.size_bytes => {
            Err(LinkError::Answer("the download ended early".to_owned()).into())
        }
        None => Ok(()),
    }
}

async fn store_chunk(
    store: &dyn Store,
    file: &BootFile,
    partial: &mut Partial,
    chunk: Vec<u8>,
) -> Result<(), FetchError> {
    if chunk.is_empty() {
        return Ok(());
    }
    let len = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
    if file.size_bytes < partial.bytes + len {
        return Err(FetchError::TooLong);
    }
    partial.digest.update(&chunk);
    store.append(&file.sha256, partial.bytes, Bytes::from(chunk)).await?;
    partial.bytes += len;
    Ok(())
}

/// Whether a 206 starts where we stopped: bytes glued on elsewhere would only show at the end.
fn continues_at(response: &reqwest::Response, offset: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|it| it.to_str().ok());
    range.is_some_and(|it| it.starts_with(&format!("bytes {offset}-")))
}
