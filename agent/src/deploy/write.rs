//! The image stream onto the disk: digest, decoding, zero skipping, big aligned writes.
//!
//! The first chunk, with the partition table in it, is held back until the digest of the whole
//! stream is right. A disk with a half or wrong image on it therefore never looks bootable.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rustix::fs::{FallocateFlags, OFlags};
use sha2::{Digest, Sha256};

use super::disk::wipe_range;
use crate::console::say;
use crate::progress::{Progress, TaskError};
use crate::protocol::ImageFormat;

const CHUNK_BYTES: usize = 4 << 20;
/// Zeros are looked for in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;
/// Enough for O_DIRECT on any disk.
const ALIGNMENT: usize = 4096;
/// One is written, one is decoded, one waits.
const BUFFERS: usize = 3;
/// Old tables and signatures live within this far of both ends.
const SIGNATURE_BYTES: u64 = 1 << 20;
/// Long deallocations are cut into pieces, so that an order from the region gets through.
const PUNCH_BYTES: u64 = 4 << 30;

#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) format: ImageFormat,
    /// Of the stream as served, in hex.
    pub(super) sha256: String,
}

#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) node: PathBuf,
    pub(super) disk_bytes: u64,
    pub(super) sector_bytes: u32,
    /// Size after decoding, if the region knows it.
    pub(super) image_bytes: Option<u64>,
}

/// Writes the image. On any error the disk is left without a partition table.
pub(super) fn write(
    stream: impl Read,
    image: &Image,
    target: &Target,
    progress: &Progress,
) -> Result<(), TaskError> {
    let step = progress.current_step();
    let failed = |error: io::Error| {
        // An order or a lost session comes through the stream as an error of its own kind.
        progress.check().err().unwrap_or_else(|| TaskError::failed(&step, error))
    };
    let node = open(target, false).map_err(failed)?;
    wipe_ends(&node, target).map_err(failed)?;
    let zeroed = punch(&node, target, progress)?;
    let disk = Disk { file: open(target, true).map_err(failed)?, zeroed };
    let mut stream = Digesting { inner: stream, digest: Sha256::new() };
    let first = copy(&mut stream, image.format, disk, target).map_err(failed)?;

    let got = hex::encode(stream.digest.finalize());
    if got != image.sha256.to_ascii_lowercase() {
        wipe_ends(&node, target).map_err(failed)?;
        let reason = format!(
            "the image arrived with the digest {got} instead of {}; the disk was left without a \
             partition table",
            image.sha256
        );
        return Err(TaskError::failed(&step, reason));
    }
    node.write_all_at(&first, 0).and_then(|()| node.sync_all()).map_err(failed)
}

fn open(target: &Target, direct: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if direct {
        let mut unbuffered = options.clone();
        let flags = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
        if let Ok(file) = unbuffered.custom_flags(flags).open(&target.node) {
            return Ok(file);
        }
        say("this disk takes no unbuffered writes; using buffered ones");
    }
    let named = |error| io::Error::other(format!("{}: {error}", target.node.display()));
    options.open(&target.node).map_err(named)
}

fn wipe_ends(node: &File, target: &Target) -> io::Result<()> {
    let length = SIGNATURE_BYTES.min(target.disk_bytes);
    wipe_range(node, 0, length)?;
    wipe_range(node, target.disk_bytes - length, length)?;
    node.sync_all()
}

/// Lets the disk drop the blocks the image will cover. True if they now read as zeros for sure:
/// the kernel promises that for a punched hole, and refuses where the disk cannot.
fn punch(node: &File, target: &Target, progress: &Progress) -> Result<bool, TaskError> {
    let Some(length) = target.image_bytes else { return Ok(false) };
    let length = length.next_multiple_of(u64::from(target.sector_bytes)).min(target.disk_bytes);
    let mut at = 0;
    while at < length {
        progress.check()?;
        let n = PUNCH_BYTES.min(length - at);
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if rustix::fs::fallocate(node, flags, at, n).is_err() {
            return Ok(false);
        }
        at += n;
    }
    Ok(true)
}

/// Passes bytes through and digests them.
struct Digesting<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.digest.update(&buffer[..n]);
        Ok(n)
    }
}

/// Memory that O_DIRECT accepts: its start is aligned.
struct Buffer {
    memory: Vec<u8>,
    start: usize,
    filled: usize,
}

impl Buffer {
    fn new() -> Self {
        let memory = vec![0; CHUNK_BYTES + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        Self { memory, start, filled: 0 }
    }

    /// Fills the buffer as far as the stream goes and pads the end to a whole sector.
    fn fill(&mut self, source: &mut impl Read, sector_bytes: usize) -> io::Result<()> {
        let space = &mut self.memory[self.start..self.start + CHUNK_BYTES];
        let mut filled = 0;
        while filled < CHUNK_BYTES {
            match source.read(&mut space[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.filled = filled.next_multiple_of(sector_bytes).min(CHUNK_BYTES);
        space[filled..self.filled].fill(0);
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.filled]
    }
}

struct Disk {
    file: File,
    zeroed: bool,
}

impl Disk {
    /// Writes one chunk: runs of data as they are, runs of zeros by the cheapest safe means.
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let zero = is_zero(piece(bytes, done));
            let mut end = done;
            while end < bytes.len() && is_zero(piece(bytes, end)) == zero {
                end += piece(bytes, end).len();
            }
            let (run, offset) = (&bytes[done..end], at + done as u64);
            let cheap = zero && (self.zeroed || self.zero_range(offset, run.len() as u64));
            if !cheap {
                self.file.write_all_at(run, offset)?;
            }
            done = end;
        }
        Ok(())
    }

    fn zero_range(&self, at: u64, length: u64) -> bool {
        let flags = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&self.file, flags, at, length).is_ok()
    }
}

fn piece(bytes: &[u8], at: usize) -> &[u8] {
    &bytes[at..bytes.len().min(at + PIECE_BYTES)]
}

fn is_zero(bytes: &[u8]) -> bool {
    // Comparing a slice with itself, moved by one byte, runs at memory speed.
    bytes.first().is_none_or(|&first| first == 0 && bytes[1..] == bytes[..bytes.len() - 1])
}

/// Decodes and writes everything but the first chunk, which it gives back.
fn copy(
    stream: &mut impl Read,
    format: ImageFormat,
    disk: Disk,
    target: &Target,
) -> io::Result<Vec<u8>> {
    let (full_in, full_out) = sync_channel(BUFFERS);
    let (empty_in, empty_out) = sync_channel(BUFFERS);
    for _ in 0..BUFFERS {
        // The channel holds as many as there are, so this cannot block or fail.
        let _ = empty_in.send(Buffer::new());
    }
    let writer = std::thread::spawn(move || write_chunks(&disk, &full_out, &empty_in));
    let decoded = match format {
        ImageFormat::DiskRaw => fill_chunks(stream, target, &empty_out, &full_in),
        ImageFormat::DiskZstd => {
            let mut decoder = zstd::Decoder::new(&mut *stream)?;
            fill_chunks(&mut decoder, target, &empty_out, &full_in)
        }
    };
    drop(full_in);
    let written =
        writer.join().unwrap_or_else(|_| Err(io::Error::other("the disk writer panicked")));
    // A writer that died is why the decoder could not go on: its reason is the better one.
    written?;
    let first = decoded?;
    // Whatever follows the last frame belongs to the digest too.
    io::copy(stream, &mut io::sink())?;
    Ok(first)
}

fn fill_chunks(
    source: &mut impl Read,
    target: &Target,
    empty: &Receiver<Buffer>,
    full: &SyncSender<(u64, Buffer)>,
) -> io::Result<Vec<u8>> {
    let sector_bytes = usize::try_from(target.sector_bytes).unwrap_or(512);
    let gone = || io::Error::other("the disk writer stopped");
    let mut first = None;
    let mut at = 0;
    loop {
        let mut buffer = empty.recv().map_err(|_| gone())?;
        buffer.fill(source, sector_bytes)?;
        let filled = buffer.filled;
        if target.disk_bytes < at + filled as u64 {
            return Err(io::Error::other("the image is larger than the disk"));
        }
        if first.is_none() {
            first = Some(buffer.bytes().to_vec());
            buffer.memory.fill(0); // Until the digest is known to be right.
        }
        full.send((at, buffer)).map_err(|_| gone())?;
        at += filled as u64;
        if filled < CHUNK_BYTES {
            // Zeros were skipped where the announced length was known to be zero already.
            let announced = target.image_bytes.map(|it| it.next_multiple_of(sector_bytes as u64));
            if let Some(announced) = announced.filter(|it| *it != at) {
                let reason = format!(
                    "the image unpacks to {at} bytes instead of {announced}; upload it again with \
                     the right diskBytes"
                );
                return Err(io::Error::other(reason));
            }
            return Ok(first.unwrap_or_default());
        }
    }
}

fn write_chunks(
    disk: &Disk,
    full: &Receiver<(u64, Buffer)>,
    empty: &SyncSender<Buffer>,
) -> io::Result<()> {
    for (at, buffer) in full {
        disk.write(buffer.bytes(), at)?;
        // Nobody waits for buffers once the stream has ended.
        let _ = empty.send(buffer);
    }
    disk.file.sync_all()
}

#[cfg(test)]
mod tests;
