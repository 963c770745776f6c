//! Whole Ethernet frames with IPv4 and UDP, for clients that cannot answer ARP yet.

use std::net::{SocketAddrV4, SocketAddrV6};

pub const ETHERNET_BYTES: usize = 14;
pub const IPV4_BYTES: usize = 20;
pub const IPV6_BYTES: usize = 40;
pub const UDP_BYTES: usize = 8;
/// What stands before the payload.
pub const HEADER_BYTES: usize = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const PROTOCOL_UDP: u8 = 17;
const TTL: u8 = 64;
const CLASS_CS6: u8 = 0xc0; // Network control: what keeps machines booting goes first.

/// One UDP datagram and the cards it travels between.
#[derive(Clone, Copy, Debug)]
pub struct UdpFrame<'a> {
    pub source_mac: [u8; 6],
    pub destination_mac: [u8; 6],
    pub source: SocketAddrV4,
    pub destination: SocketAddrV4,
    /// At most 65,507 bytes; the caller keeps it below the link's MTU, for nothing is fragmented.
    pub payload: &'a [u8],
}

/// Appends the frame to `out`, checksums included. `false`: no IPv4 packet is that long.
pub fn udp_ipv4(out: &mut Vec<u8>, frame: &UdpFrame<'_>) -> bool {
    let Ok(udp_len) = u16::try_from(UDP_BYTES + frame.payload.len()) else { return false };
    let Some(ip_len) = udp_len.checked_add(20) else { return false };

    let mut ip = [0; IPV4_BYTES];
    ip[0] = 0x45; // Version 4, five words.
    ip[1] = CLASS_CS6;
    ip[2..4].copy_from_slice(&ip_len.to_be_bytes());
    ip[8] = TTL; // Identification and flags stay 0: DF is off, some boot ROMs dislike it.
    ip[9] = PROTOCOL_UDP;
    ip[12..16].copy_from_slice(&frame.source.ip().octets());
    ip[16..20].copy_from_slice(&frame.destination.ip().octets());
    let checksum = Checksum::new().add(&ip).finish();
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());

    let mut udp = [0; UDP_BYTES];
    udp[0..2].copy_from_slice(&frame.source.port().to_be_bytes());
    udp[2..4].copy_from_slice(&frame.destination.port().to_be_bytes());
    udp[4..6].copy_from_slice(&udp_len.to_be_bytes());
    let pseudo = Checksum::new().add(&ip[12..20]).add(&[0, PROTOCOL_UDP]).add(&udp[4..6]);
    let checksum = match pseudo.add(&udp).add(frame.payload).finish() {
        0 => 0xffff, // Zero would mean "no checksum" (RFC 768).
        sum => sum,
    };
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());

    out.reserve(HEADER_BYTES + frame.payload.len());
    out.extend_from_slice(&frame.destination_mac);
    out.extend_from_slice(&frame.source_mac);
    out.extend_from_slice(&ETHERTYPE_IPV4);
    out.extend_from_slice(&ip);
    out.extend_from_slice(&udp);
    out.extend_from_slice(frame.payload);
    true
}

/// Appends the same over IPv6: `macs` and `peers` are who sends and who shall receive. `false`: no
/// packet without a jumbo header is that long.
pub fn udp_ipv6(
    out: &mut Vec<u8>,
    macs: ([u8; 6], [u8; 6]),
    peers: (SocketAddrV6, SocketAddrV6),
    payload: &[u8],
) -> bool {
    let Ok(udp_len) = u16::try_from(UDP_BYTES + payload.len()) else { return false };
    let (source, destination) = peers;
    let mut ip = [0; IPV6_BYTES];
    ip[0] = 0x6c; // Version 6, class CS6.
    ip[4..6].copy_from_slice(&udp_len.to_be_bytes());
    ip[6] = PROTOCOL_UDP;
    ip[7] = TTL;
    ip[8..24].copy_from_slice(&source.ip().octets());
    ip[24..40].copy_from_slice(&destination.ip().octets());

    let mut udp = [0; UDP_BYTES];
    udp[0..2].copy_from_slice(&source.port().to_be_bytes());
    udp[2..4].copy_from_slice(&destination.port().to_be_bytes());
    udp[4..6].copy_from_slice(&udp_len.to_be_bytes());
    let pseudo = Checksum::new().add(&ip[8..40]).add(&[0, PROTOCOL_UDP]).add(&udp[4..6]);
    let checksum = match pseudo.add(&udp).add(payload).finish() {
        0 => 0xffff, // A checksum is a must here (RFC 8200 §8.1), and zero would mean none.
        sum => sum,
    };
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());

    let (source_mac, destination_mac) = macs;
    out.extend_from_slice(&destination_mac);
    out.extend_from_slice(&source_mac);
    out.extend_from_slice(&ETHERTYPE_IPV6);
    out.extend_from_slice(&ip);
    out.extend_from_slice(&udp);
    out.extend_from_slice(payload);
    true
}

/// The Internet checksum (RFC 1071). Only the last slice added may be of odd length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checksum(u64);

impl Checksum {
    pub(crate) fn new() -> Self {
        Self(0)
    }

    #[must_use]
    pub(crate) fn add(self, bytes: &[u8]) -> Self {
        let mut sum = self.0;
        let mut words = bytes.chunks_exact(2);
        for word in &mut words {
            sum += u64::from(u16::from_be_bytes([word[0], word[1]]));
        }
        if let [odd] = words.remainder() {
            sum += u64::from(u16::from_be_bytes([*odd, 0]));
        }
        Self(sum)
    }

    pub(crate) fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let source = SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 1), 67);
        let destination = SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 137), 68);
        let (source_mac, destination_mac) = ([2, 0, 0, 0, 0, 1], [0x52, 0x54, 0, 0x77, 0, 0x10]);
        let mut out = Vec::new();
        let frame = UdpFrame { source_mac, destination_mac, source, destination, payload };
        assert!(udp_ipv4(&mut out, &frame));
        out
    }

    /// A receiver sums everything, checksums included, and must get all ones.
    #[test]
    fn both_checksums_hold_for_even_and_odd_payloads() {
        for payload in [&b""[..], b"a", b"ab", &[0xff; 1472], &[0xff; 1471]] {
            let out = frame(payload);
            assert_eq!(out.len(), HEADER_BYTES + payload.len());
            let (ip, udp) = (&out[14..34], &out[34..]);
            assert_eq!(Checksum::new().add(ip).finish(), 0);
            let pseudo = Checksum::new().add(&ip[12..20]).add(&[0, 17]).add(&udp[4..6]);
            assert_eq!(pseudo.add(udp).finish(), 0, "{} bytes", payload.len());
        }
    }

    #[test]
    fn the_checksum_holds_over_ipv6() {
        let peer = |text: &str| text.parse().unwrap();
        let peers = (peer("[fe80::1]:547"), peer("[fe80::2]:546"));
        for payload in [&b""[..], b"a", b"ab", &[0xff; 1231]] {
            let mut out = Vec::new();
            assert!(udp_ipv6(&mut out, ([2; 6], [4; 6]), peers, payload));
            assert_eq!(out.len(), ETHERNET_BYTES + IPV6_BYTES + UDP_BYTES + payload.len());
            let (ip, udp) = (&out[14..54], &out[54..]);
            let pseudo = Checksum::new().add(&ip[8..40]).add(&[0, 17]).add(&udp[4..6]);
            assert_eq!(pseudo.add(udp).finish(), 0, "{} bytes", payload.len());
        }
    }

    #[test]
    fn a_frame_is_laid_out_as_on_the_wire() {
        let out = frame(b"x");
        // To, from, IPv4; then the header to its checksum, the addresses; UDP 67 to 68, 9 bytes.
        let ethernet = b"\x52\x54\x00\x77\x00\x10\x02\0\0\0\0\x01\x08\x00";
        let ip = b"\x45\xc0\x00\x1d\0\0\0\0\x40\x11\x64\xed\x0a\x4d\x00\x01\x0a\x4d\x00\x89";
        let want = [&ethernet[..], ip, b"\x00\x43\x00\x44\x00\x09"].concat();
        assert_eq!(out[..40], want);
    }

    #[test]
    fn a_payload_that_no_packet_holds_is_refused() {
        let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
        let payload = &vec![0; 65_508];
        let (source_mac, destination_mac) = ([0; 6], [0; 6]);
        let long = UdpFrame { source_mac, destination_mac, source: any, destination: any, payload };
        assert!(!udp_ipv4(&mut Vec::new(), &long));
    }
}
