//! Slow file work that must survive a crash, on a thread of its own.
//!
//! The thread runs tokio-uring, whose limits (no multishot, no linked operations) do no harm here.
//! It is fenced by [`ColdFiles`], since that crate is not maintained.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::thread;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_uring::fs::{File, OpenOptions};

pub(crate) type ColdFuture<'a> = Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;

/// Every method ends only when the work is done; with "synced" it survives a power cut.
pub(crate) trait ColdFiles: Send + Sync + fmt::Debug {
    /// Writes at an offset, and makes the file if it is not there. Not synced.
    fn write_at(&self, path: PathBuf, offset: u64, bytes: Bytes) -> ColdFuture<'_>;
    /// Syncs `from`, names it `to`, and syncs the folder.
    fn publish(&self, from: PathBuf, to: PathBuf) -> ColdFuture<'_>;
    /// Puts `bytes` in place of the whole file, in one step, synced.
    fn replace(&self, path: PathBuf, bytes: Bytes) -> ColdFuture<'_>;
    /// Removes a file; it is fine if there is none.
    fn remove(&self, path: PathBuf) -> ColdFuture<'_>;
}

enum Work {
    WriteAt { path: PathBuf, offset: u64, bytes: Bytes },
    Publish { from: PathBuf, to: PathBuf },
    Replace { path: PathBuf, bytes: Bytes },
    Remove { path: PathBuf },
}

struct Job {
    work: Work,
    done: oneshot::Sender<io::Result<()>>,
}

/// [`ColdFiles`] on a tokio-uring thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct UringFiles {
    jobs: mpsc::Sender<Job>,
}

const JOBS_MAX: usize = 64;

impl UringFiles {
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, mut queue) = mpsc::channel::<Job>(JOBS_MAX);
        thread::Builder::new().name("rack-cold".to_owned()).spawn(move || {
            tokio_uring::start(async move {
                // Each job is its own task: a long sync holds up nobody who waits for another.
                while let Some(job) = queue.recv().await {
                    tokio_uring::spawn(async move {
                        // Whoever asked may have gone; the work is done all the same.
                        let _ = job.done.send(carry_out(job.work).await);
                    });
                }
            });
        })?;
        Ok(Self { jobs })
    }

    fn queue(&self, work: Work) -> ColdFuture<'_> {
        Box::pin(async move {
            let (done, outcome) = oneshot::channel();
            let gone = || io::Error::other("the thread for files has ended");
            self.jobs.send(Job { work, done }).await.map_err(|_| gone())?;
            outcome.await.map_err(|_| gone())?
        })
    }
}

impl ColdFiles for UringFiles {
    fn write_at(&self, path: PathBuf, offset: u64, bytes: Bytes) -> ColdFuture<'_> {
        self.queue(Work::WriteAt { path, offset, bytes })
    }

    fn publish(&self, from: PathBuf, to: PathBuf) -> ColdFuture<'_> {
        self.queue(Work::Publish { from, to })
    }

    fn replace(&self, path: PathBuf, bytes: Bytes) -> ColdFuture<'_> {
        self.queue(Work::Replace { path, bytes })
    }

    fn remove(&self, path: PathBuf) -> ColdFuture<'_> {
        self.queue(Work::Remove { path })
    }
}

async fn carry_out(work: Work) -> io::Result<()> {
    match work {
        Work::WriteAt { path, offset, bytes } => {
            let file = OpenOptions::new().create(true).write(true).open(&path).await?;
            let written = write_all(&file, bytes, offset).await;
            file.close().await?;
            written
        }
        Work::Publish { from, to } => publish(&from, &to).await,
        Work::Replace { path, bytes } => {
            let temporary = path.with_extension("new");
            let mut options = OpenOptions::new();
            options.create(true).write(true).truncate(true);
            let file = options.open(&temporary).await?;
            let written = write_all(&file, bytes, 0).await;
            file.close().await?;
            written?;
            publish(&temporary, &path).await
        }
        Work::Remove { path } => match tokio_uring::fs::remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

async fn write_all(file: &File, bytes: Bytes, offset: u64) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let (written, _) = file.write_all_at(bytes, offset).await;
    written
}

async fn publish(from: &Path, to: &Path) -> io::Result<()> {
    let file = File::open(from).await?;
    let synced = file.sync_all().await;
    file.close().await?;
    synced?;
    tokio_uring::fs::rename(from, to).await?;
    // The name is on disk only once its folder is.
    let folder = File::open(to.parent().unwrap_or(Path::new("."))).await?;
    let synced = folder.sync_all().await;
    folder.close().await?;
    synced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_written_named_replaced_and_removed() {
        let files = match UringFiles::start() {
            Ok(files) => files,
            Err(error) => panic!("no thread: {error}"),
        };
        let folder = tempfile::tempdir().unwrap();
        let (part, whole) = (folder.path().join("a.part"), folder.path().join("a"));
        files.write_at(part.clone(), 0, Bytes::from_static(b"one ")).await.unwrap();
        files.write_at(part.clone(), 4, Bytes::from_static(b"two")).await.unwrap();
        files.publish(part.clone(), whole.clone()).await.unwrap();
        assert_eq!(std::fs::read_to_string(&whole).unwrap(), "one two");
        assert!(!part.exists());
        files.replace(whole.clone(), Bytes::from_static(b"new")).await.unwrap();
        assert_eq!(std::fs::read_to_string(&whole).unwrap(), "new");
        files.remove(whole.clone()).await.unwrap();
        files.remove(whole.clone()).await.unwrap();
        assert!(files.publish(part, whole).await.is_err(), "nothing there to publish");
    }
}
