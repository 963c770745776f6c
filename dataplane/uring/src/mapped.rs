use std::fs::File;
use std::io;

use bytes::Bytes;
use memmap2::{Advice, Mmap};

/// Maps a whole file, read-only, as shared bytes. The mapping lives as long as the last clone.
///
/// Only for files that never shrink while mapped, like the rack's cache: a file there is written
/// under another name, renamed when whole and unlinked at its end, never changed in place.
///
/// # Errors
/// What `mmap` says. An empty file is fine and gives empty bytes.
pub fn map_file(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the file is not truncated while mapped, by the rule above; an unlink leaves the
    // pages valid. A write from outside would tear data, but the digest named it before.
    let map = unsafe { Mmap::map(file) }?;
    // Advice alone: a kernel that refuses it serves the same bytes.
    let _ = map.advise(Advice::Sequential);
    Ok(Bytes::from_owner(map))
}
