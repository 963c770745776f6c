//! Router Solicitation and Advertisement (RFC 4861), only to end a wait.
//!
//! iPXE stalls 13 s after its DHCPv4 ACK while nobody answers its router solicitations. An
//! advertisement with lifetime 0 ends the stall and makes nobody use us as a router.

use std::net::Ipv6Addr;

use crate::frame::Checksum;

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const SOURCE_LINK_LAYER: u8 = 1;
const NEXT_HEADER_ICMPV6: u8 = 58;
/// Every one of these messages must come with it (RFC 4861 §6.1.1): a router would lower it.
pub const HOP_LIMIT: u8 = 255;
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// A host asks for a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterSolicitation {
    /// The host's card, if it says so.
    pub source_mac: Option<[u8; 6]>,
}

/// Reads an ICMPv6 message whose checksum and hop limit the caller (or the kernel) has checked.
/// `None`: not a well-formed Router Solicitation.
#[must_use]
pub fn parse_router_solicitation(message: &[u8]) -> Option<RouterSolicitation> {
    let (head, mut options) = message.split_at_checked(8)?;
    if head[0] != ROUTER_SOLICITATION || head[1] != 0 {
        return None;
    }
    let mut source_mac = None;
    while let [kind, units, ..] = *options {
        // A length of zero discards the whole message (RFC 4861 §4.6).
        let len = usize::from(units) * 8;
        let (option, rest) = options.split_at_checked(len).filter(|_| units != 0)?;
        if kind == SOURCE_LINK_LAYER && units == 1 {
            source_mac = option[2..].try_into().ok();
        }
        options = rest;
    }
    options.is_empty().then_some(RouterSolicitation { source_mac })
}

/// Appends the advertisement of a router that routes nothing: lifetime 0, no prefix, neither
/// managed nor other configuration.
///
/// The checksum is right for `source` (link-local) and `destination`; a raw ICMPv6 socket writes
/// its own over it.
pub fn router_advertisement(
    out: &mut Vec<u8>,
    source_mac: [u8; 6],
    source: Ipv6Addr,
    destination: Ipv6Addr,
) {
    let mut message = [0; 24];
    message[0] = ROUTER_ADVERTISEMENT;
    message[16..18].copy_from_slice(&[SOURCE_LINK_LAYER, 1]);
    message[18..].copy_from_slice(&source_mac);
    let checksum = Checksum::new()
        .add(&source.octets())
        .add(&destination.octets())
        .add(&[0, 0, 0, 24, 0, 0, 0, NEXT_HEADER_ICMPV6])
        .add(&message)
        .finish();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(&message);
}

#[cfg(test)]
mod tests {
    use super::*;

    type MaybeMac = Option<[u8; 6]>;

    const MAC: [u8; 6] = [0x52, 0x54, 0, 0x77, 0, 0x10];

    #[test]
    fn only_a_whole_solicitation_is_read() {
        let bare = [133, 0, 0, 0, 0, 0, 0, 0];
        let rows: [(Vec<u8>, Option<MaybeMac>); 7] = [
            (bare.to_vec(), Some(None)),
            ([&bare[..], &[1, 1], &MAC].concat(), Some(Some(MAC))),
            // An option nobody knows is stepped over.
            ([&bare[..], &[14, 1, 0, 0, 0, 0, 0, 0, 1, 1], &MAC].concat(), Some(Some(MAC))),
            ([&bare[..], &[1, 0], &MAC].concat(), None),
            ([&bare[..], &[1, 2], &MAC].concat(), None),
            (bare[..7].to_vec(), None),
            ([&[134], &bare[1..]].concat(), None),
        ];
        for (message, want) in rows {
            let got = parse_router_solicitation(&message);
            assert_eq!(got.map(|it| it.source_mac), want, "{message:?}");
        }
    }

    #[test]
    fn the_advertisement_offers_no_route_and_sums_up() {
        let source: Ipv6Addr = "fe80::5054:ff:fe77:1".parse().unwrap();
        let mut out = Vec::new();
        router_advertisement(&mut out, MAC, source, ALL_NODES);
        assert_eq!(out[..2], [134, 0]);
        assert_eq!(out[4..16], [0; 12], "no hop limit, flag, lifetime or timer is set");
        assert_eq!(out[16..], [&[1, 1][..], &MAC].concat());
        let sum = Checksum::new()
            .add(&source.octets())
            .add(&ALL_NODES.octets())
            .add(&[0, 0, 0, 24, 0, 0, 0, 58])
            .add(&out);
        assert_eq!(sum.finish(), 0);
    }
}
