use std::cell::UnsafeCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use memmap2::{MmapOptions, MmapRaw};

use crate::token::Generation;

/// What `sendmsg` points into, at an address that never moves.
#[repr(C)]
struct Header {
    message: libc::msghdr,
    part: libc::iovec,
    name: Name,
    control: Control,
}

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Name([u8; NAME_BYTES]);

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

/// A sockaddr_in6 (28 bytes) is the longest name, padded to 32.
const NAME_BYTES: usize = 32;

/// Room for IPV6_PKTINFO (16 + 20, padded to 40; IP_PKTINFO takes 32) and UDP_SEGMENT (16 + 2,
/// padded to 24).
const CONTROL_BYTES: usize = 64;

/// Where and how one slot's bytes go; stays until the last of its sends is completed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) socket: u32,
    pub(crate) to: Address,
    pub(crate) source: Option<(u32, IpAddr)>,
    /// Length of each datagram; the last may be shorter.
    pub(crate) segment_bytes: u16,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Address {
    Udp(SocketAddr),
    Link { interface: u32, mac: [u8; 6] },
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) generation: Generation,
    pub(crate) route: Route,
    pub(crate) len: usize,
    /// How much has gone out, when segments are sent one by one.
    pub(crate) sent: usize,
    /// Whether all segments are in one send (UDP_SEGMENT).
    pub(crate) whole: bool,
}

/// Send slots of one size. When all are in flight, sending waits: nothing is allocated.
pub(crate) struct SlotPool {
    headers: Box<[UnsafeCell<Header>]>,
    payloads: MmapRaw,
    payload_bytes: usize,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl std::fmt::Debug for SlotPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlotPool").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

impl SlotPool {
    pub(crate) fn new(count: u32, payload_bytes: usize) -> io::Result<Self> {
        let bytes = count as usize * payload_bytes;
        let payloads = MmapRaw::from(MmapOptions::new().len(bytes).map_anon()?);
        let route = Route {
            socket: 0,
            to: Address::Udp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
            source: None,
            segment_bytes: 0,
        };
        let idle =
            || Slot { generation: Generation::default(), route, len: 0, sent: 0, whole: true };
        Ok(Self {
            headers: (0..count).map(|_| UnsafeCell::new(Header::empty())).collect(),
            payloads,
            payload_bytes,
            slots: (0..count).map(|_| idle()).collect(),
            free: (0..count).rev().collect(),
        })
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    /// Copies one message into a free slot.
    pub(crate) fn fill(&mut self, route: Route, payload: &[u8], whole: bool) -> Option<u32> {
        if self.payload_bytes < payload.len() {
            return None;
        }
        let index = self.free.pop()?;
        let place = self.payload(index);
        // SAFETY: a free slot is in no send, its memory holds `payload_bytes` bytes, and a
        // caller's slice cannot overlap memory that is never given out.
        unsafe { std::ptr::copy_nonoverlapping(payload.as_ptr(), place, payload.len()) };
        let slot = self.slots.get_mut(index as usize)?;
        *slot = Slot { generation: slot.generation, route, len: payload.len(), sent: 0, whole };
        Some(index)
    }

    pub(crate) fn slot(&self, index: u32) -> Option<&Slot> {
        self.slots.get(index as usize)
    }

    pub(crate) fn slot_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.slots.get_mut(index as usize)
    }

    pub(crate) fn release(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.generation = slot.generation.next();
            self.free.push(index);
        }
    }

    /// Writes the header for the next send of a slot and tells where it stands.
    ///
    /// Call it only while no send of this slot is in flight.
    pub(crate) fn message(&mut self, index: u32) -> Option<*const libc::msghdr> {
        let slot = self.slots.get(index as usize)?;
        let segment = usize::from(slot.route.segment_bytes).max(1);
        let rest = slot.len.saturating_sub(slot.sent);
        let len = if slot.whole { rest } else { rest.min(segment) };
        let gso = (slot.whole && segment < slot.len).then_some(slot.route.segment_bytes);
        let (name, name_bytes) = encode_name(slot.route.to);
        let (control, control_bytes) = encode_control(slot.route.source, gso);
        let sent = slot.sent;
        // SAFETY: `sent` <= len <= payload_bytes, so this stays inside the slot's memory.
        let first = unsafe { self.payload(index).add(sent) };
        let header = self.headers.get(index as usize)?.get();
        // SAFETY: the cell is valid, and no send in flight lets the kernel read it now.
        let header = unsafe { &mut *header };
        header.part = libc::iovec { iov_base: first.cast(), iov_len: len };
        header.name = name;
        header.control = control;
        header.message.msg_name = (&raw mut header.name).cast();
        header.message.msg_namelen = name_bytes;
        header.message.msg_iov = &raw mut header.part;
        header.message.msg_iovlen = 1;
        header.message.msg_control = match control_bytes {
            0 => std::ptr::null_mut(),
            _ => (&raw mut header.control).cast(),
        };
        header.message.msg_controllen = control_bytes;
        Some(&raw const header.message)
    }

    fn payload(&self, index: u32) -> *mut u8 {
        debug_assert!((index as usize) < self.slots.len());
        // SAFETY: `index` < count, so the offset lies inside the mapping.
        unsafe { self.payloads.as_mut_ptr().add(index as usize * self.payload_bytes) }
    }
}

impl Header {
    fn empty() -> Self {
        Self {
            // SAFETY: a msghdr is plain integers and pointers; all zero is valid and empty.
            message: unsafe { std::mem::zeroed() },
            part: libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 },
            name: Name([0; NAME_BYTES]),
            control: Control([0; CONTROL_BYTES]),
        }
    }
}

/// Lays out a sockaddr_in, sockaddr_in6 or sockaddr_ll byte by byte.
fn encode_name(to: Address) -> (Name, u32) {
    let mut name = [0; NAME_BYTES];
    let bytes = match to {
        Address::Udp(SocketAddr::V4(to)) => {
            put(&mut name, 0, &family(libc::AF_INET));
            put(&mut name, 2, &to.port().to_be_bytes());
            put(&mut name, 4, &to.ip().octets());
            16
        }
        Address::Udp(SocketAddr::V6(to)) => {
            put(&mut name, 0, &family(libc::AF_INET6));
            put(&mut name, 2, &to.port().to_be_bytes());
            put(&mut name, 4, &to.flowinfo().to_be_bytes());
            put(&mut name, 8, &to.ip().octets());
            put(&mut name, 24, &to.scope_id().to_ne_bytes());
            28
        }
        Address::Link { interface, mac } => {
            put(&mut name, 0, &family(libc::AF_PACKET));
            put(&mut name, 4, &interface.to_ne_bytes());
            put(&mut name, 11, &[6]); // Length of the hardware address.
            put(&mut name, 12, &mac);
            20
        }
    };
    (Name(name), bytes)
}

fn encode_control(source: Option<(u32, IpAddr)>, segment_bytes: Option<u16>) -> (Control, usize) {
    let mut control = [0; CONTROL_BYTES];
    let mut at = 0;
    match source {
        Some((interface, IpAddr::V4(address))) => {
            put_control_header(&mut control, at, 12, libc::IPPROTO_IP, libc::IP_PKTINFO);
            put(&mut control, at + 16, &interface.to_ne_bytes());
            put(&mut control, at + 20, &address.octets()); // ipi_spec_dst: the source we want.
            at += 32;
        }
        Some((interface, IpAddr::V6(address))) => {
            put_control_header(&mut control, at, 20, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO);
            put(&mut control, at + 16, &address.octets());
            put(&mut control, at + 32, &interface.to_ne_bytes());
            at += 40;
        }
        None => {}
    }
    if let Some(segment_bytes) = segment_bytes {
        put_control_header(&mut control, at, 2, libc::SOL_UDP, libc::UDP_SEGMENT);
        put(&mut control, at + 16, &segment_bytes.to_ne_bytes());
        at += 24;
    }
    (Control(control), at)
}

/// A cmsghdr: length with itself (8 bytes), level, type.
fn put_control_header(control: &mut [u8], at: usize, len: usize, level: i32, kind: i32) {
    put(control, at, &(16 + len).to_ne_bytes());
    put(control, at + 8, &level.to_ne_bytes());
    put(control, at + 12, &kind.to_ne_bytes());
}

fn put(into: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = into.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn family(family: i32) -> [u8; 2] {
    u16::try_from(family).unwrap_or_default().to_ne_bytes()
}
