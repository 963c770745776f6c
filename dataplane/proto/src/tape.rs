//! The last DHCP packets of a shard, kept so that someone can look at them afterwards.
//!
//! A ring of bytes of a fixed size: the newest packet takes the room of the oldest. Keeping one
//! copies it once and allocates nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ironherd_snapshot::Mac;

use crate::{DropReason, Instant};

/// One datagram that came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub at: Instant,
    /// The kernel's index of the interface.
    pub interface: u32,
    /// Whether we sent it.
    pub sent: bool,
    /// The client's card; all zeros where it cannot be told.
    pub mac: Mac,
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// Why it got no answer.
    pub dropped: Option<DropReason>,
    /// The DHCP message.
    pub payload: &'a [u8],
}

/// The last packets, oldest first.
#[derive(Debug)]
pub struct Tape {
    bytes: Box<[u8]>,
    start: usize, // Where the oldest packet is, and where the next goes: both below the length.
    end: usize,
    used: usize, // Bytes between the two, padding too: it tells a full tape from an empty one.
}

/// What stands before each payload; see [`header`].
const HEADER: usize = 64;
/// Packets begin at multiples of this.
const ALIGN: usize = 8;
/// Instead of a length: the rest up to the end of the buffer is unused.
const PADDING: u32 = u32::MAX;
const NOT_DROPPED: u16 = u16::MAX;

impl Tape {
    /// A tape of about so many bytes; 0 keeps nothing. The memory is touched only as it fills.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let bytes = vec![0; bytes - bytes % ALIGN].into_boxed_slice();
        Self { bytes, start: 0, end: 0, used: 0 }
    }

    /// Keeps a packet; the oldest go as far as they must. One that is longer than the whole tape
    /// is not kept.
    pub fn record(&mut self, packet: &Packet<'_>) {
        let size = size(packet.payload.len());
        if self.bytes.len() < size || u32::try_from(packet.payload.len()).is_err() {
            return;
        }
        let until_end = self.bytes.len() - self.end;
        let padding = if until_end < size { until_end } else { 0 };
        while self.bytes.len() < self.used + padding + size {
            if self.used == 0 {
                (self.start, self.end) = (0, 0); // Empty: it fits at the beginning.
                break;
            }
            self.forget_oldest();
        }
        if 0 < padding && 0 < self.end {
            self.bytes[self.end..self.end + 4].copy_from_slice(&PADDING.to_le_bytes());
            self.used += padding;
            self.end = 0;
        }
        let (head, rest) = self.bytes[self.end..].split_at_mut(HEADER);
        head.copy_from_slice(&header(packet));
        rest[..packet.payload.len()].copy_from_slice(packet.payload);
        self.used += size;
        self.end = self.after(self.end, size);
    }

    /// What is kept, oldest first.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'_>> + '_ {
        let (mut at, mut left) = (self.start, self.used);
        std::iter::from_fn(move || {
            while 0 < left {
                let len = self.len_at(at);
                if len == PADDING {
                    left -= self.bytes.len() - at;
                    at = 0;
                    continue;
                }
                let (head, rest) = self.bytes[at..].split_at(HEADER);
                let packet = read(head, &rest[..len as usize]);
                let size = size(len as usize);
                left -= size;
                at = self.after(at, size);
                return Some(packet);
            }
            None
        })
    }

    /// Another tape with those packets alone that fit: the newest, as far as there is room.
    #[must_use]
    pub fn only(&self, bytes_max: usize, fits: impl Fn(&Packet<'_>) -> bool) -> Self {
        let mut only = Self::new(self.bytes.len().min(bytes_max));
        for packet in self.packets().filter(fits) {
            only.record(&packet);
        }
        only
    }

    /// The place behind a packet.
    fn after(&self, at: usize, size: usize) -> usize {
        let after = at + size;
        if after == self.bytes.len() { 0 } else { after }
    }

    fn len_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(field(&self.bytes[at..]))
    }

    fn forget_oldest(&mut self) {
        match self.len_at(self.start) {
            PADDING => {
                self.used -= self.bytes.len() - self.start;
                self.start = 0;
            }
            len => {
                let size = size(len as usize);
                self.used -= size;
                self.start = self.after(self.start, size);
            }
        }
    }
}

/// Bytes that a payload takes, its header included.
fn size(payload: usize) -> usize {
    HEADER + payload.next_multiple_of(ALIGN)
}

/// The first bytes as an array. Every caller has more.
fn field<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[..N]);
    field
}

/// Length 4, interface 4, instant 8, card 6, reason 2, both addresses 16 each, both ports 2 each,
/// sent 1; the rest is unused. Ours alone: it never leaves the process.
fn header(packet: &Packet<'_>) -> [u8; HEADER] {
    let mut head = [0; HEADER];
    let dropped = packet.dropped.map_or(NOT_DROPPED, |it| it as u16);
    let len = u32::try_from(packet.payload.len()).unwrap_or_default();
    head[0..4].copy_from_slice(&len.to_le_bytes());
    head[4..8].copy_from_slice(&packet.interface.to_le_bytes());
    head[8..16].copy_from_slice(&packet.at.as_nanos().to_le_bytes());
    head[16..22].copy_from_slice(&packet.mac.0);
    head[22..24].copy_from_slice(&dropped.to_le_bytes());
    head[24..40].copy_from_slice(&wide(packet.from.ip()));
    head[40..56].copy_from_slice(&wide(packet.to.ip()));
    head[56..58].copy_from_slice(&packet.from.port().to_le_bytes());
    head[58..60].copy_from_slice(&packet.to.port().to_le_bytes());
    head[60] = u8::from(packet.sent);
    head
}

fn read<'a>(head: &[u8], payload: &'a [u8]) -> Packet<'a> {
    let port = |at: usize| u16::from_le_bytes(field(&head[at..]));
    let address = |at: usize| narrow(field(&head[at..]));
    let dropped = usize::from(u16::from_le_bytes(field(&head[22..])));
    Packet {
        at: Instant::from_nanos(u64::from_le_bytes(field(&head[8..]))),
        interface: u32::from_le_bytes(field(&head[4..])),
        sent: head[60] != 0,
        mac: Mac(field(&head[16..])),
        from: SocketAddr::new(address(24), port(56)),
        to: SocketAddr::new(address(40), port(58)),
        dropped: DropReason::ALL.get(dropped).copied(),
        payload,
    }
}

fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(it) => it.to_ipv6_mapped().octets(),
        IpAddr::V6(it) => it.octets(),
    }
}

fn narrow(octets: [u8; 16]) -> IpAddr {
    let wide = Ipv6Addr::from(octets);
    wide.to_ipv4_mapped().map_or(IpAddr::V6(wide), |it: Ipv4Addr| IpAddr::V4(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u64, payload: &[u8]) -> Packet<'_> {
        Packet {
            at: Instant::from_nanos(number),
            interface: 3,
            sent: number.is_multiple_of(2),
            mac: Mac([2, 0, 0, 0, 0, u8::try_from(number % 251).unwrap()]),
            from: "10.77.0.1:67".parse().unwrap(),
            to: "[fe80::1]:546".parse().unwrap(),
            dropped: number.is_multiple_of(3).then_some(DropReason::DhcpNoAddress),
            payload,
        }
    }

    #[test]
    fn the_newest_packets_are_kept_whole_and_in_order() {
        let payload: Vec<u8> = (0..=255).cycle().take(700).collect();
        for bytes in [0, 64, 71, 1000, 1024, 4096, 65_536] {
            let mut tape = Tape::new(bytes);
            let mut wanted: Vec<(u64, usize)> = Vec::new();
            for number in 1..500_u64 {
                let len = usize::try_from(number * 7919 % 601).unwrap();
                tape.record(&packet(number, &payload[..len]));
                if size(len) <= bytes / ALIGN * ALIGN {
                    wanted.push((number, len));
                }
                let kept: Vec<Packet<'_>> = tape.packets().collect();
                assert!(kept.len() <= wanted.len());
                let newest = &wanted[wanted.len() - kept.len()..];
                for (kept, (number, len)) in kept.iter().zip(newest) {
                    assert_eq!(*kept, packet(*number, &payload[..*len]), "{bytes}");
                }
                // All that fits is kept, but for padding and the one packet that went for it.
                let used: usize = kept.iter().map(|it| size(it.payload.len())).sum();
                let full = wanted.len() == kept.len() || bytes < used + 2 * size(601);
                assert!(full, "{bytes}: {used} used at {number}");
            }
        }
    }

    #[test]
    fn a_copy_holds_what_fits_the_question() {
        let mut tape = Tape::new(64 << 10);
        for number in 1..100 {
            tape.record(&packet(number, &[7; 240]));
        }
        let one = tape.only(usize::MAX, |it| it.mac.0[5] == 42);
        let got: Vec<u64> = one.packets().map(|it| it.at.as_nanos()).collect();
        assert_eq!(got, [42]);
        let newest = tape.only(3 * size(240), |_| true);
        let got: Vec<u64> = newest.packets().map(|it| it.at.as_nanos()).collect();
        assert_eq!(got, [97, 98, 99]);
    }
}
