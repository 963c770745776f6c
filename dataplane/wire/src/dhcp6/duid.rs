use std::net::Ipv6Addr;

/// A DUID is a type of two bytes and at most 128 more (RFC 9915 §11.1).
pub const DUID_BYTES_MAX: usize = 130;

const ETHERNET: [u8; 2] = [0, 1];

/// Who a client or server says it is. Compared as bytes; what is inside is a hint at best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Duid<'a>(&'a [u8]);

impl<'a> Duid<'a> {
    /// `None`: shorter or longer than any DUID is.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        (3..=DUID_BYTES_MAX).contains(&bytes.len()).then_some(Self(bytes))
    }

    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The card inside a DUID-LLT or DUID-LL. It may be another card of the same machine.
    #[must_use]
    pub fn ethernet(self) -> Option<[u8; 6]> {
        let (kind, rest) = self.0.split_at_checked(2)?;
        let (hardware, rest) = rest.split_at_checked(2)?;
        let mac = match kind {
            [0, 1] => rest.get(4..)?, // Behind the time it was made.
            [0, 3] => rest,
            _ => return None,
        };
        let mac = <[u8; 6]>::try_from(mac).ok().filter(|_| hardware == ETHERNET)?;
        (mac != [0; 6] && mac[0] & 1 == 0).then_some(mac)
    }

    /// The UUID inside a DUID-UUID (RFC 6355), as it stands there.
    ///
    /// iPXE writes the order of the text form, EDK2 the first three fields little-endian as SMBIOS
    /// keeps them. All zeros and all ones, which boards without a UUID send, are none.
    #[must_use]
    pub fn uuid(self) -> Option<[u8; 16]> {
        let rest = self.0.strip_prefix(&[0, 4])?;
        let uuid = <[u8; 16]>::try_from(rest).ok()?;
        (uuid != [0; 16] && uuid != [255; 16]).then_some(uuid)
    }
}

/// The card that an address was made from (RFC 4291 appendix A). Firmware and most systems make
/// their link-local address so.
#[must_use]
pub fn eui64_mac(address: Ipv6Addr) -> Option<[u8; 6]> {
    let [.., a, b, c, 0xff, 0xfe, d, e, f] = address.octets() else { return None };
    let mac = [a ^ 2, b, c, d, e, f];
    (mac != [0; 6] && mac[0] & 1 == 0).then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0x52, 0x54, 0, 0x77, 0, 0x10];

    #[test]
    fn cards_and_uuids_are_read_out_of_well_formed_ids_only() {
        let uuid = [7; 16];
        let llt = [&[0, 1, 0, 1, 1, 2, 3, 4][..], &MAC].concat();
        let ll = [&[0, 3, 0, 1][..], &MAC].concat();
        let rows = [
            (llt.clone(), Some(MAC), None),
            (ll.clone(), Some(MAC), None),
            ([&[0, 4][..], &uuid].concat(), None, Some(uuid)),
            ([&[0, 4][..], &[0; 16]].concat(), None, None),
            ([&[0, 4][..], &[255; 16]].concat(), None, None),
            ([&[0, 4][..], &[7; 15]].concat(), None, None),
            (vec![0, 2, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6], None, None),
            ([&[0, 3, 0, 6][..], &MAC].concat(), None, None), // Not Ethernet.
            ([&[0, 3, 0, 1][..], &[1, 0, 0x5e, 0, 0, 1]].concat(), None, None), // A group.
            (ll[..9].to_vec(), None, None),
            (llt[..13].to_vec(), None, None),
        ];
        for (bytes, mac, uuid) in rows {
            let duid = Duid::parse(&bytes).unwrap();
            assert_eq!((duid.ethernet(), duid.uuid()), (mac, uuid), "{bytes:?}");
        }
        for len in [0, 2, 131, 1000] {
            assert_eq!(Duid::parse(&vec![1; len]), None);
        }
        assert!(Duid::parse(&[1; 130]).is_some());
    }

    #[test]
    fn a_link_local_address_shows_its_card() {
        let rows = [
            ("fe80::5054:ff:fe77:10", Some(MAC)),
            ("fd77::5054:ff:fe77:10", Some(MAC)),
            ("fe80::1", None),
            ("fe80::200:ff:fe00:0", None),   // All zeros.
            ("fe80::5754:ff:fe77:10", None), // A group address is no card.
        ];
        for (address, want) in rows {
            assert_eq!(eui64_mac(address.parse().unwrap()), want, "{address}");
        }
    }
}
