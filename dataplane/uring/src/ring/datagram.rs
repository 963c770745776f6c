use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::opcode;
use io_uring::types::{Fixed, RecvMsgOut};

use super::{Done, FAILURES_MAX, GROUP_DATAGRAMS, LARGE_SLOT_BYTES, Rearm, Ring, SOCKETS_MAX};
use crate::buffers::Buffer;
use crate::error::RingError;
use crate::slots::{Address, Route, SlotPool};
use crate::token::{Generation, Kind, Token};

/// A socket that a ring owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId(pub(crate) u32);

impl SocketId {
    /// A small number to file the socket under: they count from 0 in the order of adding.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A datagram as it lies in the ring's memory.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub source: SocketAddr,
    /// Index of the interface it came in on.
    pub interface: u32,
    /// Our address on that interface, which an answer is to come from; of an IPv6 multicast the
    /// kernel does not tell, and this is `::`.
    pub local: IpAddr,
    /// The address that it was sent to, maybe a broadcast or multicast.
    pub destination: IpAddr,
    pub payload: &'a [u8],
}

/// One send. The payload is copied into the ring.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub socket: SocketId,
    pub to: Target,
    /// Interface and source address; absent: the routing table chooses.
    pub source: Option<Source>,
    pub payload: &'a [u8],
    /// Cuts the payload into datagrams of so many bytes (the last may be shorter).
    pub segment_bytes: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Udp(SocketAddr),
    /// For a frame socket: the payload is a whole Ethernet frame.
    Link {
        interface: u32,
        mac: [u8; 6],
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// 0: any.
    pub interface: u32,
    /// Of the same family as the target. Unspecified: the kernel chooses one of the interface's.
    pub address: IpAddr,
}

/// Why a send was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendRefused {
    /// Every slot is in flight. Try again after the next turn.
    Full,
    /// Longer than the largest slot (64 KiB).
    TooLong,
    /// The ring is broken; the next submit says how.
    Broken,
}

#[derive(Debug)]
pub(crate) struct Receiver {
    socket: OwnedFd, // Keeps the port bound; operations use the registered copy.
    template: Box<libc::msghdr>,
    failures: u32, // In a row.
}

/// Room for the sender's address (a sockaddr_in6 takes 28 bytes) and for either PKTINFO.
const NAME_BYTES: u32 = 32;
const CONTROL_BYTES: usize = 64;

/// After io_uring_recvmsg_out (16 bytes), the name and the control data.
const PAYLOAD_AT: usize = 16 + NAME_BYTES as usize + CONTROL_BYTES;

/// In the index of a send: the slot is one of the large ones.
const LARGE: u32 = 1 << 31;

/// So many destinations may refuse UDP_SEGMENT before all sends are plain.
const PLAIN_MAX: usize = 4096;

impl Ring {
    /// Takes over a bound UDP socket and receives from it until the ring is dropped.
    ///
    /// # Errors
    /// [`RingError::Register`] when the table (256 sockets) is full.
    pub fn add_datagram_socket(&mut self, socket: OwnedFd) -> Result<SocketId, RingError> {
        let id = self.add_send_socket(socket)?;
        self.rearm.push_back(Rearm::Datagram(id));
        Ok(id)
    }

    /// Takes over a socket that only sends, like [`socket::frames`](crate::socket::frames).
    ///
    /// # Errors
    /// [`RingError::Register`] when the table (256 sockets) is full.
    pub fn add_send_socket(&mut self, socket: OwnedFd) -> Result<SocketId, RingError> {
        let index = u32::try_from(self.memory.receivers.len()).unwrap_or(SOCKETS_MAX);
        if index == SOCKETS_MAX {
            let source = std::io::Error::from_raw_os_error(libc::ENFILE);
            return Err(RingError::Register { source });
        }
        self.io
            .submitter()
            .register_files_update(index, &[socket.as_raw_fd()])
            .map_err(|source| RingError::Register { source })?;
        // SAFETY: a msghdr is plain integers and pointers; all zero is valid and empty.
        let mut template: libc::msghdr = unsafe { std::mem::zeroed() };
        // Only these two are read: they say how much room each buffer gives to the addresses.
        template.msg_namelen = NAME_BYTES;
        template.msg_controllen = CONTROL_BYTES;
        let template = Box::new(template);
        self.memory.receivers.push(Receiver { socket, template, failures: 0 });
        Ok(SocketId(index))
    }

    /// The port that a socket of this ring is bound to.
    #[must_use]
    pub fn local_port(&self, socket: SocketId) -> u16 {
        let receiver = self.memory.receivers.get(socket.0 as usize);
        receiver.and_then(|it| crate::socket::local_port(&it.socket).ok()).unwrap_or(0)
    }

    /// Reads a received datagram. `None`: it was cut off, or its interface is unknown.
    #[must_use]
    pub fn datagram<'a>(&'a self, socket: SocketId, buffer: &'a Buffer) -> Option<Datagram<'a>> {
        let receiver = self.memory.receivers.get(socket.0 as usize)?;
        let bytes = self.memory.datagrams.bytes(buffer);
        let message = RecvMsgOut::parse(bytes, &receiver.template).ok()?;
        if message.is_payload_truncated() || message.is_control_data_truncated() {
            return None;
        }
        let source = parse_name(message.name_data())?;
        let (interface, local, destination) = parse_control(message.control_data())?;
        // `parse` proves the lengths; its own slice would not outlive it.
        let payload = bytes.get(PAYLOAD_AT..)?.get(..message.payload_data().len())?;
        Some(Datagram { source, interface, local, destination, payload })
    }

    /// Whether a send of `bytes` would find a slot.
    #[must_use]
    pub fn can_send(&self, bytes: usize) -> bool {
        let small = bytes <= self.memory.small.payload_bytes() && 0 < self.memory.small.free();
        small || 0 < self.memory.large.free()
    }

    /// Queues one send. Nothing reports its success; failures are counted.
    ///
    /// # Errors
    /// [`SendRefused::Full`] is back-pressure: nothing is allocated for it.
    pub fn send(&mut self, outgoing: Outgoing<'_>) -> Result<(), SendRefused> {
        let len = outgoing.payload.len();
        if LARGE_SLOT_BYTES < len {
            return Err(SendRefused::TooLong);
        }
        let to = match outgoing.to {
            Target::Udp(to) => Address::Udp(to),
            Target::Link { interface, mac } => Address::Link { interface, mac },
        };
        let whole = match outgoing.to {
            Target::Udp(to) => !self.plain_always && !self.plain.contains(&to.ip()),
            Target::Link { .. } => true,
        };
        let whole_bytes = u16::try_from(len).unwrap_or(u16::MAX);
        let route = Route {
            socket: outgoing.socket.0,
            to,
            source: outgoing.source.map(|it| (it.interface, it.address)),
            segment_bytes: outgoing.segment_bytes.unwrap_or(whole_bytes),
        };
        let small = match self.memory.small.fill(route, outgoing.payload, whole) {
            Some(index) => Some(index),
            None => self.memory.large.fill(route, outgoing.payload, whole).map(|it| it | LARGE),
        };
        let index = small.ok_or(SendRefused::Full)?;
        self.push_send(index).map_err(|_| SendRefused::Broken)
    }

    fn slots(&mut self, index: u32) -> (&mut SlotPool, u32) {
        match index & LARGE {
            0 => (&mut self.memory.small, index),
            _ => (&mut self.memory.large, index & !LARGE),
        }
    }

    fn push_send(&mut self, index: u32) -> Result<(), RingError> {
        let (slots, place) = self.slots(index);
        let Some(message) = slots.message(place) else { return Ok(()) };
        let Some(slot) = slots.slot(place) else { return Ok(()) };
        let token = Token::new(Kind::Send, slot.generation, index);
        let entry = opcode::SendMsg::new(Fixed(slot.route.socket), message).build();
        self.push(&entry, token)
    }

    /// Ends a send, or goes on with the next segment, or repeats it without segmentation.
    pub(super) fn finish_send(&mut self, token: Token, result: i32) -> Result<(), RingError> {
        let (slots, place) = self.slots(token.index);
        let Some(slot) = slots.slot_mut(place).filter(|it| it.generation == token.generation)
        else {
            self.counters.late += 1;
            return Ok(());
        };
        let segmented = slot.whole && usize::from(slot.route.segment_bytes) < slot.len;
        if let Ok(sent) = usize::try_from(result) {
            slot.sent += sent;
            if !slot.whole && 0 < sent && slot.sent < slot.len {
                return self.push_send(token.index);
            }
        } else if segmented && refuses_segmentation(-result) {
            slot.whole = false;
            let to = slot.route.to;
            self.remember_plain(to);
            return self.push_send(token.index);
        } else {
            self.counters.send_failures += 1;
        }
        let (slots, place) = self.slots(token.index);
        slots.release(place);
        Ok(())
    }

    fn remember_plain(&mut self, to: Address) {
        self.counters.segmentation_refused += 1;
        if let Address::Udp(to) = to {
            self.plain.insert(to.ip());
        }
        // A network where most refuse is slow either way; the set stays bounded.
        self.plain_always = PLAIN_MAX <= self.plain.len();
    }

    pub(super) fn arm_datagrams(&mut self, socket: SocketId) -> Result<(), RingError> {
        let Some(receiver) = self.memory.receivers.get(socket.0 as usize) else { return Ok(()) };
        let template = &raw const *receiver.template;
        let entry = opcode::RecvMsgMulti::new(Fixed(socket.0), template, GROUP_DATAGRAMS).build();
        self.push(&entry, Token::new(Kind::Datagram, Generation::default(), socket.0))
    }

    pub(super) fn finish_datagram(
        &mut self,
        token: Token,
        result: i32,
        buffer: Option<u16>,
        more: bool,
        batch: &mut Vec<Done>,
    ) -> Result<(), RingError> {
        let socket = SocketId(token.index);
        if !more {
            // The kernel ends a multishot receive on any error: arm it again.
            self.rearm.push_back(Rearm::Datagram(socket));
        }
        let buffer = buffer
            .map(|id| self.memory.datagrams.take(id, u32::try_from(result).unwrap_or_default()));
        let memory = &mut *self.memory;
        let Some(receiver) = memory.receivers.get_mut(token.index as usize) else {
            self.counters.late += 1;
            return Ok(());
        };
        match (result, buffer) {
            (0.., Some(buffer)) => {
                receiver.failures = 0;
                self.counters.datagrams += 1;
                batch.push(Done::Datagram { socket, buffer });
                return Ok(());
            }
            (_, Some(buffer)) => memory.datagrams.recycle(buffer),
            (_, None) => {}
        }
        match -result {
            libc::ENOBUFS => self.counters.starved += 1, // Every buffer is in use: not fatal.
            errno => {
                receiver.failures += 1;
                if FAILURES_MAX < receiver.failures {
                    return Err(RingError::Receive { errno });
                }
            }
        }
        Ok(())
    }
}

/// EINVAL: a segment is longer than the path MTU. EIO: the card cannot even checksum it.
fn refuses_segmentation(errno: i32) -> bool {
    matches!(errno, libc::EINVAL | libc::EIO | libc::EMSGSIZE | libc::EOPNOTSUPP)
}

fn parse_name(name: &[u8]) -> Option<SocketAddr> {
    let [family @ .., p1, p0, a, b, c, d] = name.get(..8)? else { return None };
    let port = u16::from_be_bytes([*p1, *p0]);
    match i32::from(u16::from_ne_bytes(family.try_into().ok()?)) {
        libc::AF_INET => Some(SocketAddr::from((Ipv4Addr::new(*a, *b, *c, *d), port))),
        libc::AF_INET6 => {
            let address: [u8; 16] = name.get(8..24)?.try_into().ok()?;
            let scope = u32::from_ne_bytes(name.get(24..28)?.try_into().ok()?);
            Some(SocketAddrV6::new(address.into(), port, 0, scope).into())
        }
        _ => None,
    }
}

/// Finds IP_PKTINFO or IPV6_PKTINFO: interface index, our address there, the datagram's
/// destination.
fn parse_control(mut control: &[u8]) -> Option<(u32, IpAddr, IpAddr)> {
    while 16 <= control.len() {
        let len = usize::from_ne_bytes(control.get(..8)?.try_into().ok()?);
        let level = i32::from_ne_bytes(control.get(8..12)?.try_into().ok()?);
        let kind = i32::from_ne_bytes(control.get(12..16)?.try_into().ok()?);
        let value = control.get(16..len).unwrap_or_default();
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => return parse_info(value),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => return parse_info6(value),
            _ => control = control.get(len.max(16).next_multiple_of(8)..)?,
        }
    }
    None
}

/// Reads an in_pktinfo.
fn parse_info(value: &[u8]) -> Option<(u32, IpAddr, IpAddr)> {
    let info: [u8; 12] = value.get(..12)?.try_into().ok()?;
    let [i0, i1, i2, i3, l0, l1, l2, l3, d0, d1, d2, d3] = info;
    let interface = u32::from_ne_bytes([i0, i1, i2, i3]);
    Some((interface, IpAddr::from([l0, l1, l2, l3]), IpAddr::from([d0, d1, d2, d3])))
}

/// Reads an in6_pktinfo.
fn parse_info6(value: &[u8]) -> Option<(u32, IpAddr, IpAddr)> {
    let destination: [u8; 16] = value.get(..16)?.try_into().ok()?;
    let destination = Ipv6Addr::from(destination);
    let interface = u32::from_ne_bytes(value.get(16..20)?.try_into().ok()?);
    let local = if destination.is_multicast() { Ipv6Addr::UNSPECIFIED } else { destination };
    Some((interface, local.into(), destination.into()))
}
