//! The archive format of initial RAM file systems: `cpio -H newc`, without timestamps or owners,
//! so that the same content gives the same bytes.
//!
//! Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.

use std::collections::BTreeMap;

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

#[derive(Debug)]
struct Entry {
    mode: u32,
    body: Vec<u8>,
    device: (u32, u32),
}

/// A file tree in memory. Parents are made as needed.
#[derive(Debug, Default)]
pub(super) struct Archive {
    // Ordered by path, which puts every folder before what is in it.
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    pub(super) fn folder(&mut self, path: &str) {
        self.parents(path);
        self.entries.entry(path.to_owned()).or_insert_with(|| Entry {
            mode: DIRECTORY | 0o755,
            body: Vec::new(),
            device: (0, 0),
        });
    }

    pub(super) fn file(&mut self, path: &str, mode: u32, body: Vec<u8>) {
        self.parents(path);
        let entry = Entry { mode: REGULAR | mode, body, device: (0, 0) };
        self.entries.insert(path.to_owned(), entry);
    }

    pub(super) fn symlink(&mut self, path: &str, target: &str) {
        self.parents(path);
        let entry = Entry { mode: SYMLINK | 0o777, body: target.into(), device: (0, 0) };
        self.entries.insert(path.to_owned(), entry);
    }

    pub(super) fn character_device(&mut self, path: &str, mode: u32, device: (u32, u32)) {
        self.parents(path);
        let entry = Entry { mode: CHARACTER_DEVICE | mode, body: Vec::new(), device };
        self.entries.insert(path.to_owned(), entry);
    }

    fn parents(&mut self, path: &str) {
        if let Some((parent, _)) = path.rsplit_once('/')
            && !self.entries.contains_key(parent)
        {
            self.folder(parent);
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for ((path, entry), inode) in self.entries.iter().zip(1..) {
            append(&mut out, inode, path, entry);
        }
        let trailer = Entry { mode: 0, body: Vec::new(), device: (0, 0) };
        append(&mut out, 0, "TRAILER!!!", &trailer);
        out
    }
}

fn append(out: &mut Vec<u8>, inode: u32, path: &str, entry: &Entry) {
    let links = if entry.mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let fields = [
        inode,
        entry.mode,
        0, // Owner and group are root.
        0,
        links,
        0, // No time: builds are repeatable.
        size(entry.body.len()),
        0,
        0,
        entry.device.0,
        entry.device.1,
        size(path.len() + 1),
        0,
    ];
    out.extend(b"070701");
    for field in fields {
        out.extend(format!("{field:08X}").bytes());
    }
    out.extend(path.bytes());
    out.push(0);
    pad(out);
    out.extend(&entry.body);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_their_content() {
        let mut archive = Archive::default();
        archive.file("usr/bin/a", 0o755, b"x".to_vec());
        archive.symlink("init", "usr/bin/a");
        archive.character_device("dev/console", 0o600, (5, 1));
        let names: Vec<&str> = archive.entries.keys().map(String::as_str).collect();
        assert_eq!(names, ["dev", "dev/console", "init", "usr", "usr/bin", "usr/bin/a"]);
        let bytes = archive.to_bytes();
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(&bytes[..6], b"070701");
        assert!(bytes.windows(10).any(|it| it == b"TRAILER!!!"));
        assert_eq!(archive.to_bytes(), bytes, "repeatable");
    }

    #[test]
    fn headers_keep_the_fixed_size() {
        let mut archive = Archive::default();
        archive.file("abc", 0o644, vec![7; 5]);
        let bytes = archive.to_bytes();
        // 110 bytes of header, "abc\0" to 114, padded to 116, then the body padded to 124.
        assert_eq!(&bytes[116..121], [7; 5]);
        assert_eq!(&bytes[124..130], b"070701");
    }
}
