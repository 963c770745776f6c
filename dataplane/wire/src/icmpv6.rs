//! Router Solicitation and Advertisement (RFC 4861), only to end a wait; Neighbor Solicitation and
//! Advertisement, only to learn whether somebody uses an address.
//!
//! iPXE stalls 13 s after its DHCPv4 ACK while nobody answers its router solicitations. An
//! advertisement with lifetime 0 ends the stall and makes nobody use us as a router.

use std::net::Ipv6Addr;

use crate::frame::Checksum;

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;
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

/// What an advertisement says. The default is that of a router that routes nothing: no lifetime,
/// no prefix, neither managed nor other configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Advertisement {
    /// Seconds as a default router; 0: none.
    pub router_lifetime_seconds: u16,
    /// The M flag: DHCPv6 gives addresses.
    pub managed: bool,
    /// The O flag: DHCPv6 tells the rest.
    pub other: bool,
    pub prefixes: Vec<Prefix>,
}

/// A prefix of the link itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    pub address: Ipv6Addr,
    pub len: u8,
    /// The A flag: hosts may make addresses of their own in it.
    pub autonomous: bool,
    pub valid_seconds: u32,
    pub preferred_seconds: u32,
}

const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;
const PREFIX_INFORMATION: u8 = 3;
const ON_LINK: u8 = 0x80;
const AUTONOMOUS: u8 = 0x40;
/// More would not fit a frame.
const PREFIXES_MAX: usize = 32;

/// Appends an advertisement.
///
/// The checksum is right for `source` (link-local) and `destination`; a raw ICMPv6 socket writes
/// its own over it.
pub fn router_advertisement(
    out: &mut Vec<u8>,
    source_mac: [u8; 6],
    source: Ipv6Addr,
    destination: Ipv6Addr,
    says: &Advertisement,
) {
    let flag = |is, flag| if is { flag } else { 0 };
    let mut message = vec![0; 16];
    message[0] = ROUTER_ADVERTISEMENT;
    message[5] = flag(says.managed, MANAGED) | flag(says.other, OTHER);
    message[6..8].copy_from_slice(&says.router_lifetime_seconds.to_be_bytes());
    message.extend_from_slice(&[SOURCE_LINK_LAYER, 1]);
    message.extend_from_slice(&source_mac);
    for prefix in says.prefixes.iter().take(PREFIXES_MAX) {
        let flags = ON_LINK | flag(prefix.autonomous, AUTONOMOUS);
        message.extend_from_slice(&[PREFIX_INFORMATION, 4, prefix.len, flags]);
        message.extend_from_slice(&prefix.valid_seconds.to_be_bytes());
        message.extend_from_slice(&prefix.preferred_seconds.to_be_bytes());
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(&prefix.address.octets());
    }
    let len = u32::try_from(message.len()).unwrap_or_default();
    let checksum = Checksum::new()
        .add(&source.octets())
        .add(&destination.octets())
        .add(&len.to_be_bytes())
        .add(&[0, 0, 0, NEXT_HEADER_ICMPV6])
        .add(&message)
        .finish();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(&message);
}

/// The group that whoever uses an address listens to (RFC 4291 §2.7.1).
#[must_use]
pub const fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    let mut group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0).octets();
    (group[13], group[14], group[15]) = (a, b, c);
    Ipv6Addr::from_octets(group)
}

/// Asks who uses an address (RFC 4861 §4.3), as one who would send there: whoever does answers. A
/// raw ICMPv6 socket fills the checksum in.
#[must_use]
pub fn neighbor_solicitation(source_mac: [u8; 6], target: Ipv6Addr) -> [u8; 32] {
    let mut message = [0; 32];
    message[0] = NEIGHBOR_SOLICITATION;
    message[8..24].copy_from_slice(&target.octets());
    (message[24], message[25]) = (SOURCE_LINK_LAYER, 1);
    message[26..].copy_from_slice(&source_mac);
    message
}

/// Who says that it uses an address: the target of a Neighbor Advertisement (RFC 4861 §4.4).
#[must_use]
pub fn neighbor_advertised(message: &[u8]) -> Option<Ipv6Addr> {
    let head: &[u8; 24] = message.first_chunk()?;
    let target: [u8; 16] = *head.last_chunk()?;
    let is_one = (head[0], head[1]) == (NEIGHBOR_ADVERTISEMENT, 0);
    Some(Ipv6Addr::from_octets(target)).filter(|it| is_one && !it.is_multicast())
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
        router_advertisement(&mut out, MAC, source, ALL_NODES, &Advertisement::default());
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

    #[test]
    fn flags_and_prefixes_stand_where_hosts_look() {
        let source: Ipv6Addr = "fe80::1".parse().unwrap();
        let prefix = |autonomous| Prefix {
            address: "fd77::".parse().unwrap(),
            len: 64,
            autonomous,
            valid_seconds: 7200,
            preferred_seconds: 3600,
        };
        let says = Advertisement {
            router_lifetime_seconds: 1800,
            managed: true,
            other: true,
            prefixes: vec![prefix(false), prefix(true)],
        };
        let mut out = Vec::new();
        router_advertisement(&mut out, MAC, source, ALL_NODES, &says);
        assert_eq!(out[4..8], [0, 0xc0, 0x07, 0x08]);
        assert_eq!(out.len(), 24 + 2 * 32);
        for (at, flags) in [(24, 0x80), (56, 0xc0)] {
            assert_eq!(out[at..at + 4], [3, 4, 64, flags]);
            assert_eq!(out[at + 4..at + 12], [0, 0, 0x1c, 0x20, 0, 0, 0x0e, 0x10]);
            assert_eq!(out[at + 16..at + 18], [0xfd, 0x77]);
        }
        let sum = Checksum::new()
            .add(&source.octets())
            .add(&ALL_NODES.octets())
            .add(&[0, 0, 0, 88, 0, 0, 0, 58])
            .add(&out);
        assert_eq!(sum.finish(), 0);
    }

    #[test]
    fn a_neighbor_is_asked_and_its_answer_read() {
        let target: Ipv6Addr = "fd77::12:3456:789a".parse().unwrap();
        assert_eq!(solicited_node(target), "ff02::1:ff56:789a".parse::<Ipv6Addr>().unwrap());
        let asked = neighbor_solicitation(MAC, target);
        assert_eq!(asked[..8], [135, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            (&asked[8..24], &asked[24..]),
            (&target.octets()[..], &[1, 1, 0x52, 0x54, 0, 0x77, 0, 0x10][..])
        );
        // Solicited and overriding, with the target's card.
        let answer = [&[136, 0, 9, 9, 0x60, 0, 0, 0], &target.octets()[..], &[2, 1], &MAC].concat();
        assert_eq!(neighbor_advertised(&answer), Some(target));
        assert_eq!(neighbor_advertised(&answer[..24]), Some(target), "the card may be left out");
        let group = [&answer[..8], &ALL_NODES.octets()].concat();
        for (why, message) in [
            ("short", &answer[..23]),
            ("a question", &asked[..]),
            ("a code", &[&[136, 1], &answer[2..]].concat()),
            ("a group", &group),
        ] {
            assert_eq!(neighbor_advertised(message), None, "{why}");
        }
    }
}
