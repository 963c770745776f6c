//! The table of options: every row reads and writes, and what is refused is refused.

use dhcproto::v4::{Decodable as _, Decoder, DhcpOption, DhcpOptions};
use ironherd_wire::dhcp::catalog::{self, Family, Kind};

/// Each kind with good values, as written and as read back, and with bad ones.
#[test]
fn values_are_read_and_written_by_their_kind() {
    type Row = (Kind, &'static str, Option<(&'static [u8], &'static str)>);
    let rows: [Row; 38] = [
        (Kind::Address, "10.0.0.1", Some((&[10, 0, 0, 1], "10.0.0.1"))),
        (Kind::Address, "10.0.0.1, 10.0.0.2", None),
        (
            Kind::Addresses,
            "10.0.0.1,10.0.0.2",
            Some((&[10, 0, 0, 1, 10, 0, 0, 2], "10.0.0.1, 10.0.0.2")),
        ),
        (Kind::Addresses, "10.0.0.1,", None),
        (Kind::Addresses, "", None),
        (Kind::Addresses, "fd00::1", None),
        (
            Kind::AddressPairs,
            "10.0.0.0 10.0.0.1",
            Some((&[10, 0, 0, 0, 10, 0, 0, 1], "10.0.0.0 10.0.0.1")),
        ),
        (Kind::AddressPairs, "10.0.0.0", None),
        (Kind::Addresses6, "::1", Some((&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "::1"))),
        (Kind::Addresses6, "10.0.0.1", None),
        (Kind::U8, "255", Some((&[255], "255"))),
        (Kind::U8, "256", None),
        (Kind::U16, "1500", Some((&[5, 220], "1500"))),
        (Kind::U16, "-1", None),
        (Kind::U16s, "68, 296", Some((&[0, 68, 1, 40], "68, 296"))),
        (Kind::I32, "-3600", Some((&[255, 255, 241, 240], "-3600"))),
        (Kind::Seconds, "1800", Some((&[0, 0, 7, 8], "1800"))),
        (Kind::Seconds, "1h", None),
        (Kind::Bool, "Yes", Some((&[1], "true"))),
        (Kind::Bool, "off", Some((&[0], "false"))),
        (Kind::Bool, "2", None),
        (Kind::Text, " http://x/y ", Some((b"http://x/y", "http://x/y"))),
        (Kind::Text, "a\nb", None),
        (Kind::Domain, "lab.example", Some((b"\x03lab\x07example\x00", "lab.example"))),
        (Kind::Domain, "lab..example", None),
        (Kind::Domain, "", None),
        (Kind::Domains, "a.b., c", Some((b"\x01a\x01b\x00\x01c\x00", "a.b, c"))),
        (Kind::Domains, "a b", None),
        (
            Kind::Routes,
            "0.0.0.0/0 via 10.0.0.1",
            Some((&[0, 10, 0, 0, 1], "0.0.0.0/0 via 10.0.0.1")),
        ),
        (
            Kind::Routes,
            "10.17.0.0/16 via 10.0.0.1, 10.9.1.1/32 via 10.0.0.2",
            Some((
                &[16, 10, 17, 10, 0, 0, 1, 32, 10, 9, 1, 1, 10, 0, 0, 2],
                "10.17.0.0/16 via 10.0.0.1, 10.9.1.1/32 via 10.0.0.2",
            )),
        ),
        (Kind::Routes, "10.17.0.1/16 via 10.0.0.1", None),
        (Kind::Routes, "10.17.0.0/33 via 10.0.0.1", None),
        (Kind::Routes, "10.17.0.0/16", None),
        (Kind::Params, "a bc", Some((b"\x00\x01a\x00\x02bc", "a bc"))),
        (Kind::Bytes, "0x0a1B", Some((&[10, 27], "0x0a1b"))),
        (Kind::Bytes, "0a:1b", Some((&[10, 27], "0x0a1b"))),
        (Kind::Bytes, "0a1", None),
        (Kind::Bytes, "xy", None),
    ];
    for (kind, text, want) in rows {
        let got = kind.parse(text).ok();
        assert_eq!(got.as_deref(), want.map(|it| it.0), "{kind:?} {text:?}");
        let Some((bytes, shown)) = want else { continue };
        assert_eq!(kind.show(bytes), shown, "{kind:?} {text:?}");
        assert_eq!(kind.parse(shown).as_deref(), Ok(bytes), "{kind:?} {text:?}");
    }
}

#[test]
fn bytes_of_no_such_kind_are_shown_as_hexadecimal() {
    let rows: [(Kind, &[u8]); 9] = [
        (Kind::Address, &[10, 0, 0]),
        (Kind::Addresses, &[10, 0, 0, 1, 10]),
        (Kind::U16, &[1]),
        (Kind::Bool, &[2]),
        (Kind::Text, &[b'a', 0]),
        (Kind::Domains, &[9, b'a']),
        (Kind::Routes, &[33, 1, 2, 3, 4]),
        (Kind::Routes, &[16, 10]),
        (Kind::Params, &[0, 9, b'a']),
    ];
    for (kind, bytes) in rows {
        assert!(kind.show(bytes).starts_with("0x"), "{kind:?} {bytes:?}");
    }
}

#[test]
fn rows_are_in_order_with_names_of_their_own() {
    for family in [Family::V4, Family::V6] {
        let rows = catalog::all(family);
        assert!(rows.is_sorted_by(|a, b| a.code < b.code), "{family:?}");
        for row in rows {
            assert_eq!(catalog::by_name(family, row.name), Some(row));
            let shouted = row.name.to_ascii_uppercase().replace('-', "_");
            assert_eq!(catalog::by_name(family, &shouted), Some(row));
            assert_eq!(catalog::by_code(family, row.code), Some(row));
            assert_eq!(catalog::refused(family, row.code), None, "{}", row.name);
        }
        assert_eq!(catalog::by_name(family, "no-such-option"), None);
        assert_eq!(catalog::kind(family, 224), Kind::Bytes, "a code without a row");
    }
}

#[test]
fn what_the_server_says_itself_is_refused() {
    for code in [0, 1, 50, 51, 52, 53, 54, 55, 57, 58, 59, 61, 82, 93, 97, 255, 256] {
        assert!(catalog::refused(Family::V4, code).is_some(), "{code}");
    }
    for code in [0, 1, 2, 3, 6, 9, 13, 25, 61, 79] {
        assert!(catalog::refused(Family::V6, code).is_some(), "{code}");
    }
    for (family, code) in [(Family::V4, 43), (Family::V4, 224), (Family::V6, 23), (Family::V6, 999)]
    {
        assert_eq!(catalog::refused(family, code), None, "{code}");
    }
}

/// A second opinion on the formats that are easy to get wrong.
#[test]
fn another_decoder_reads_what_we_write() {
    let rows: [(u8, &str, &str); 7] = [
        (3, "10.0.0.1, 10.0.0.2", "Router([10.0.0.1, 10.0.0.2])"),
        (2, "-3600", "TimeOffset(-3600)"),
        (26, "9000", "InterfaceMtu(9000)"),
        (19, "true", "IpForwarding(true)"),
        (119, "a.example, b.example", "a.example"),
        (121, "10.0.0.0/8 via 10.0.0.1", "10.0.0.0/8"),
        (66, "10.0.0.9", "TFTPServerName"),
    ];
    for (code, text, part) in rows {
        let data = catalog::kind(Family::V4, code.into()).parse(text).expect("a value");
        let len = u8::try_from(data.len()).expect("a short value");
        let bytes = [&[code, len][..], &data, &[255]].concat();
        let read = DhcpOptions::decode(&mut Decoder::new(&bytes)).expect("they decode");
        let option = read.get(code.into()).expect("the option is there");
        assert!(!matches!(option, DhcpOption::Unknown(_)), "{code}");
        let shown = format!("{option:?}");
        assert!(shown.contains(part), "{code}: {shown}");
    }
}
