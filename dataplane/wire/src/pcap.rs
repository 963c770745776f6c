//! Files of packets for tcpdump and Wireshark: classic pcap with Ethernet frames.

use std::net::SocketAddr;

use crate::frame::{self, UdpFrame};

/// Magic of microseconds in little-endian order, version 2.4, zone and accuracy 0, at most 65,535
/// bytes a frame, link type 1 (Ethernet).
pub const HEADER: [u8; 24] =
    [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
/// Before each frame: seconds, microseconds, bytes kept, bytes that there were.
pub const RECORD_BYTES: usize = 16;
/// Ethernet, IPv6 and UDP.
pub const HEADERS_BYTES_MAX: usize = frame::ETHERNET_BYTES + frame::IPV6_BYTES + frame::UDP_BYTES;

/// One UDP datagram, to be shown as the frame that it was in.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Microseconds since 1970.
    pub at_us: u64,
    pub source_mac: [u8; 6],
    pub destination_mac: [u8; 6],
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub payload: &'a [u8],
}

/// Appends one frame, put together anew: what a socket gives has lost its headers. `false`: it
/// fits no frame, or the addresses are of two kinds; then nothing is appended.
pub fn append(out: &mut Vec<u8>, datagram: &Datagram<'_>) -> bool {
    let Datagram { source_mac, destination_mac, payload, .. } = *datagram;
    let before = out.len();
    out.extend_from_slice(&[0; RECORD_BYTES]);
    let written = match (datagram.source, datagram.destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => frame::udp_ipv4(
            out,
            &UdpFrame { source_mac, destination_mac, source, destination, payload },
        ),
        (SocketAddr::V6(source), SocketAddr::V6(destination)) => {
            let macs = (source_mac, destination_mac);
            frame::udp_ipv6(out, macs, (source, destination), payload)
        }
        _ => false,
    };
    let bytes = out.len() - before - RECORD_BYTES;
    // A frame that is longer than the header of the file allows.
    let Some(len) = u16::try_from(bytes).ok().filter(|_| written) else {
        out.truncate(before);
        return false;
    };
    let seconds = u32::try_from(datagram.at_us / 1_000_000).unwrap_or(u32::MAX);
    let micros = u32::try_from(datagram.at_us % 1_000_000).unwrap_or_default();
    let words = [seconds, micros, u32::from(len), u32::from(len)];
    for (place, word) in out[before..].chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(payload: &[u8]) -> Datagram<'_> {
        Datagram {
            at_us: 1_700_000_000_000_123,
            source_mac: [2, 0, 0, 0, 0, 1],
            destination_mac: [0xff; 6],
            source: "0.0.0.0:68".parse().unwrap(),
            destination: "255.255.255.255:67".parse().unwrap(),
            payload,
        }
    }

    #[test]
    fn a_record_is_laid_out_as_the_format_says() {
        let mut out = Vec::new();
        assert!(append(&mut out, &datagram(b"xyz")));
        let mut want = Vec::new();
        for word in [1_700_000_000_u32, 123, 45, 45] {
            want.extend_from_slice(&word.to_le_bytes());
        }
        assert_eq!(out[..16], want);
        assert_eq!(out.len(), 16 + 14 + 20 + 8 + 3);
        assert_eq!(&out[16..28], b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01");
        assert!(out.ends_with(b"xyz"));
    }

    #[test]
    fn what_fits_no_frame_leaves_no_trace() {
        let mut out = HEADER.to_vec();
        let mixed = Datagram { source: "[fe80::1]:546".parse().unwrap(), ..datagram(b"x") };
        assert!(!append(&mut out, &mixed));
        assert!(!append(&mut out, &datagram(&vec![0; 65_530])));
        assert_eq!(out, HEADER);
    }
}
