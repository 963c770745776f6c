use std::io;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use memmap2::{MmapOptions, MmapRaw};

/// One buffer that the kernel filled. Hand it back with [`Ring::recycle`](crate::Ring::recycle).
///
/// A buffer that is dropped instead is lost to its pool until the ring is closed.
#[derive(Debug)]
#[must_use = "hand it back with Ring::recycle, or the pool runs dry"]
pub struct Buffer {
    pool: u32,
    id: u16,
    len: u32,
}

/// Buffers that the kernel picks from by itself ("provided buffer ring").
#[derive(Debug)]
pub(crate) struct BufferPool {
    name: u32, // Unique in the process: a buffer never reaches another ring's memory.
    entries: MmapRaw,
    memory: MmapRaw,
    count: u16, // A power of two.
    buffer_bytes: u32,
    tail: u16,
    taken: u16, // Invariant: buffers with the kernel + taken == count.
}

static POOLS: AtomicU32 = AtomicU32::new(1);

impl BufferPool {
    /// Registers `count` (a power of two up to 2^15) buffers under `group`.
    pub(crate) fn register(
        ring: &IoUring,
        group: u16,
        count: u16,
        buffer_bytes: u32,
    ) -> io::Result<Self> {
        assert!(count.is_power_of_two() && count <= 1 << 15, "the kernel masks ring indices");
        let entries_bytes = usize::from(count) * size_of::<BufRingEntry>();
        let memory_bytes = usize::from(count) * buffer_bytes as usize;
        let entries = MmapRaw::from(MmapOptions::new().len(entries_bytes).map_anon()?);
        let memory = MmapRaw::from(MmapOptions::new().len(memory_bytes).map_anon()?);
        // SAFETY: the entries are page aligned, zeroed, large enough, and stay mapped until the
        // ring is gone: `Ring` closes the ring before it frees its pools.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                entries.as_mut_ptr().addr() as u64,
                count,
                group,
                0,
            )
        }?;
        let name = POOLS.fetch_add(1, Ordering::Relaxed);
        let mut pool = Self { name, entries, memory, count, buffer_bytes, tail: 0, taken: count };
        for id in 0..count {
            pool.give(id);
        }
        Ok(pool)
    }

    pub(crate) fn owns(&self, buffer: &Buffer) -> bool {
        self.name == buffer.pool
    }

    pub(crate) fn has_free(&self) -> bool {
        self.taken < self.count
    }

    /// Takes note that the kernel handed out buffer `id` with `len` bytes in it.
    pub(crate) fn take(&mut self, id: u16, len: u32) -> Buffer {
        // What `bytes` reads rests on this, so it is checked in every build.
        assert!(id < self.count, "the kernel names a buffer that it was given");
        self.taken = self.taken.saturating_add(1).min(self.count);
        Buffer { pool: self.name, id, len: len.min(self.buffer_bytes) }
    }

    /// The filled part of a buffer.
    pub(crate) fn bytes<'a>(&'a self, buffer: &'a Buffer) -> &'a [u8] {
        assert_eq!(buffer.pool, self.name, "a buffer is read through its own ring");
        let start = usize::from(buffer.id) * self.buffer_bytes as usize;
        // SAFETY: `take`, which alone makes a `Buffer`, checked that `id` < count and cut `len` to
        // a buffer's length: start and end lie inside the mapping of count such buffers.
        let first = unsafe { self.memory.as_ptr().add(start) };
        // SAFETY: the `len` bytes lie inside the mapping, as above. The kernel does not touch them
        // from the completion until `give`, which `recycle` calls with `&mut self` and the `Buffer`
        // by value: neither can be had while this borrow of both lives.
        unsafe { std::slice::from_raw_parts(first, buffer.len as usize) }
    }

    pub(crate) fn recycle(&mut self, buffer: Buffer) {
        assert_eq!(buffer.pool, self.name, "a buffer goes back to its own ring");
        self.give(buffer.id);
    }

    fn give(&mut self, id: u16) {
        let place = usize::from(self.tail & (self.count - 1));
        let base = self.entries.as_mut_ptr().cast::<BufRingEntry>();
        let start = usize::from(id) * self.buffer_bytes as usize;
        let address = self.memory.as_mut_ptr().addr() + start;
        // SAFETY: `place` < count entries, all inside the mapping.
        let entry = unsafe { base.add(place) };
        // SAFETY: the kernel reads only entries before the tail, and this one is behind it. The
        // first entry shares memory with the tail, which the three setters leave alone.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address as u64);
        entry.set_len(self.buffer_bytes);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        self.taken = self.taken.saturating_sub(1);
        // SAFETY: `base` is the first entry of a registered ring.
        let tail = unsafe { BufRingEntry::tail(base) }.cast_mut();
        // SAFETY: the tail is aligned and valid; the kernel only reads it, atomically.
        let tail = unsafe { AtomicU16::from_ptr(tail) };
        tail.store(self.tail, Ordering::Release);
    }
}
