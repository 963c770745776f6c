//! DHCPv4 in tables: what is bad, split, overloaded or too long.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]
#![allow(clippy::type_complexity, reason = "the columns of a table say what they are")]

use ironherd_wire::dhcp::{Encoder, Header, Message, MessageType, code, sub_option};
use ironherd_wire::error::DhcpError;
use proptest::prelude::*;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x77, 0, 0x10];

/// A request with these bytes as its options, and whatever else `change` puts into it.
fn request(options: &[u8], change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, &Header::request(MAC, 0x1234_5678), 1472).finish();
    bytes.truncate(240);
    change(&mut bytes);
    bytes.extend_from_slice(options);
    bytes
}

#[test]
fn noise_is_refused_by_name() {
    let good = request(&[53, 1, 1, 255], |_| {});
    let rows = [
        (good.clone(), Ok(())),
        (good[..240].to_vec(), Ok(())),
        (good[..239].to_vec(), Err(DhcpError::Truncated)),
        (Vec::new(), Err(DhcpError::Truncated)),
        (request(&[], |it| it[239] = 0), Err(DhcpError::Cookie)),
        (vec![0; 300], Err(DhcpError::Cookie)),
    ];
    for (bytes, want) in rows {
        assert_eq!(Message::parse(&bytes).map(|_| ()), want, "{} bytes", bytes.len());
    }
}

#[test]
fn options_are_found_and_joined_wherever_they_lie() {
    let file = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        move |it: &mut [u8]| it[108..108 + bytes.len()].copy_from_slice(&bytes)
    };
    let sname = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        move |it: &mut [u8]| it[44..44 + bytes.len()].copy_from_slice(&bytes)
    };
    let both = |it: &mut [u8]| {
        file(b"\x0c\x02bc\xff")(it);
        sname(b"\x0c\x02de\xff")(it);
    };
    let rows: [(&str, Vec<u8>, Option<&[u8]>); 13] = [
        ("plain", request(b"\x0c\x03abc\xff", |_| {}), Some(b"abc")),
        ("empty", request(b"\x0c\x00\xff", |_| {}), Some(b"")),
        ("behind padding", request(b"\0\0\x0c\x01a\xff", |_| {}), Some(b"a")),
        ("without End", request(b"\x0c\x01a", |_| {}), Some(b"a")),
        ("behind End", request(b"\xff\x0c\x01a", |_| {}), None),
        ("adjacent pieces", request(b"\x0c\x01a\x0c\x02bc\xff", |_| {}), Some(b"abc")),
        ("pieces apart", request(b"\x0c\x01a\x0f\x01x\x0c\x01b\xff", |_| {}), Some(b"ab")),
        ("cut short", request(b"\x0c\x09abc", |_| {}), None),
        ("before a cut", request(b"\x0c\x01a\x0f\x09bc", |_| {}), Some(b"a")),
        ("in file", request(b"\x34\x01\x01\xff", file(b"\x0c\x01f\xff")), Some(b"f")),
        ("not in file", request(b"\x34\x01\x02\xff", file(b"\x0c\x01f\xff")), None),
        ("in sname", request(b"\x34\x01\x02\xff", sname(b"\x0c\x01s\xff")), Some(b"s")),
        ("in all", request(b"\x34\x01\x03\x0c\x01a\xff", both), Some(b"abcde")),
    ];
    for (name, bytes, want) in rows {
        let message = Message::parse(&bytes).unwrap();
        let got = message.option(code::HOSTNAME).map(|it| it.read(<[u8]>::to_vec));
        assert_eq!(got.as_deref(), want, "{name}");
    }
}

/// One bad option hides neither the good ones before nor those behind it.
#[test]
fn an_option_of_the_wrong_form_counts_as_absent() {
    let bytes =
        request(b"\x32\x03abc\x35\x01\x03\x36\x05abcde\x39\x01a\x5d\x03\0\x07\0\xff", |_| {});
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.message_type(), Some(MessageType::Request));
    assert_eq!(message.requested_address(), None);
    assert_eq!(message.server_id(), None);
    assert_eq!(message.reply_bytes_max(), 548);
    assert!(message.has_architecture(7));
    for kind in [0, 9, 255] {
        let bytes = request(&[53, 1, kind, 255], |_| {});
        assert_eq!(Message::parse(&bytes).unwrap().message_type(), None, "type {kind}");
    }
}

#[test]
fn only_one_ethernet_card_names_a_client() {
    let rows: [(&str, fn(&mut [u8]), bool); 7] = [
        ("a card", |_| {}, true),
        ("hlen 0", |it| it[2] = 0, false),
        ("hlen 16", |it| it[2] = 16, false),
        ("hlen 255", |it| it[2] = 255, false),
        ("InfiniBand", |it| it[1] = 32, false),
        ("no address", |it| it[28..34].fill(0), false),
        ("broadcast", |it| it[28..34].fill(255), false),
    ];
    for (name, change, want) in rows {
        let bytes = request(&[255], change);
        assert_eq!(Message::parse(&bytes).unwrap().ethernet(), want.then_some(MAC), "{name}");
    }
}

#[test]
fn user_class_is_read_raw_and_in_rfc_3004_form() {
    let rows: [(&[u8], bool); 8] = [
        (b"iPXE", true),
        (b"\x04iPXE", true),
        (b"\x03abc\x04iPXE", true),
        (b"\x05iPXE2", false),
        (b"iPXE2", false),
        (b"\x09iPXE", false),
        (b"\x00", false),
        (b"", false),
    ];
    for (value, want) in rows {
        let mut options = vec![77, u8::try_from(value.len()).unwrap()];
        options.extend_from_slice(value);
        let bytes = request(&options, |_| {});
        assert_eq!(Message::parse(&bytes).unwrap().has_user_class(b"iPXE"), want, "{value:?}");
    }
}

#[test]
fn a_uuid_that_names_no_board_is_none() {
    let uuid = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
    let text_order = [4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16];
    let rows = [
        ([&[97, 17, 0][..], &uuid].concat(), Some(text_order)),
        ([&[97, 17, 1][..], &uuid].concat(), None),
        ([&[97, 16][..], &uuid].concat(), None),
        ([&[97, 17, 0][..], &[0; 16]].concat(), None),
        ([&[97, 17, 0][..], &[255; 16]].concat(), None),
    ];
    for (options, want) in rows {
        let bytes = request(&options, |_| {});
        assert_eq!(Message::parse(&bytes).unwrap().uuid(), want, "{options:?}");
    }
}

#[test]
fn sub_options_end_at_the_first_that_lies() {
    let rows: [(&[u8], u8, Option<&[u8]>); 6] = [
        (b"\x05\x04abcd\x0b\x01x", 11, Some(b"x")),
        (b"\x05\x04abcd\x0b\x01x", 5, Some(b"abcd")),
        (b"\x05\x04abcd\x0b\x02x", 11, None),
        (b"\x00\x06\x01\x08\xff", 6, Some(b"\x08")),
        (b"\xff\x06\x01\x08", 6, None),
        (b"\x05", 5, None),
    ];
    for (bytes, wanted, want) in rows {
        assert_eq!(sub_option(bytes, wanted), want, "{bytes:?}");
    }
}

#[test]
fn the_encoder_pads_splits_and_keeps_its_bound() {
    let mut out = Vec::new();
    Encoder::new(&mut out, &Header::request(MAC, 1), 548).finish();
    assert_eq!(out.len(), 300);

    for (len, fits) in [(0, true), (255, true), (256, true), (297, true), (305, false)] {
        let mut out = vec![0xaa; 3]; // What stands in the buffer already stays.
        let mut encoder = Encoder::new(&mut out, &Header::request(MAC, 1), 548);
        assert_eq!(encoder.option(code::BOOT_FILE, &vec![7; len]), fits, "{len} bytes");
        encoder.finish();
        assert_eq!(out[..3], [0xaa; 3]);
        assert!(out.len() - 3 <= 548);
        let message = Message::parse(&out[3..]).unwrap();
        let read = message.option(code::BOOT_FILE).map(|it| it.len());
        assert_eq!(read, fits.then_some(len));
    }
}

#[test]
fn what_is_held_back_still_fits_at_the_end() {
    let relay = request(&[&[82, 250][..], &[3; 250], &[82, 20], &[4; 20]].concat(), |_| {});
    let request = Message::parse(&relay).unwrap();
    let echo = request.option(code::RELAY_AGENT).unwrap();
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, &Header::reply_to(&request), 548);
    encoder.hold_back(echo.echo_bytes());
    assert!(!encoder.option(code::MESSAGE, &[b'x'; 60]), "would take the echo's room");
    assert!(encoder.option(code::MESSAGE, &[b'x'; 30]));
    assert!(encoder.echo_held_back(code::RELAY_AGENT, &echo));
    encoder.finish();
    assert_eq!(out[240 + 32..], relay[240..].iter().copied().chain([255]).collect::<Vec<_>>());
}

/// Option 52: what finds no room goes into the two fields that are free, and is read from there.
#[test]
fn what_does_not_fit_goes_into_free_fields() {
    let rows = [
        // Named file, long options that ask for room, which fields then hold some.
        (None, &[60, 60, 60][..], None),
        (None, &[250, 30, 100], Some(1)),
        (None, &[250, 30, 100, 50], Some(3)),
        (None, &[250, 30, 100, 50, 60], Some(3)),
        (Some("snponly.efi"), &[250, 30, 50], Some(2)),
        (Some("snponly.efi"), &[250, 30, 100], None),
    ];
    for (file, lens, want) in rows {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, &Header::request(MAC, 1), 548);
        encoder.allow_overload();
        assert!(file.is_none_or(|it| encoder.file(it.as_bytes())));
        let options = (224..).zip(lens.iter().map(|len| vec![7; *len]));
        let written: Vec<_> =
            options.map(|(code, value)| (code, encoder.option(code, &value), value)).collect();
        let is_free = file.is_none() && want.is_none_or(|it| it & 1 == 0);
        assert_eq!(encoder.file(b"late"), is_free, "{lens:?}");
        encoder.finish();
        assert!(out.len() <= 548);
        let message = Message::parse(&out).unwrap();
        let read = |code| message.option(code).map(|it| it.read(<[u8]>::to_vec));
        assert_eq!(read(code::OVERLOAD), want.map(|it| vec![it]), "{file:?} {lens:?}");
        for (code, fits, value) in written {
            assert_eq!(read(code), fits.then_some(value), "{file:?} {lens:?}: {code}");
        }
    }
}

#[test]
fn the_file_field_keeps_room_for_its_nul() {
    for (len, fits) in [(0, true), (127, true), (128, false)] {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, &Header::request(MAC, 1), 548);
        assert_eq!(encoder.file(&vec![b'f'; len]), fits);
        encoder.finish();
        let want = if fits { len } else { 0 };
        assert_eq!(Message::parse(&out).unwrap().file().len(), want);
    }
}

proptest! {
    /// Whatever arrives, reading all of it ends and panics nowhere.
    #[test]
    fn any_bytes_can_be_read(
        mut bytes in prop::collection::vec(any::<u8>(), 240..700),
        overload in 0..4_u8,
    ) {
        bytes[236..240].copy_from_slice(&[99, 130, 83, 99]);
        bytes.splice(240..240, [52, 1, overload]);
        let message = Message::parse(&bytes).unwrap();
        for code in 0..=255 {
            if let Some(value) = message.option(code) {
                let joined: Vec<u8> = value.pieces().flatten().copied().collect();
                prop_assert_eq!(joined.len(), value.len());
                value.read(|it| {
                    assert!(joined.starts_with(it));
                    let _ = sub_option(it, 5);
                });
            }
        }
        let _ = (message.uuid(), message.file(), message.sname(), message.ethernet());
        let _ = (message.has_user_class(b"iPXE"), message.has_architecture(7), message.wants(1));
    }

    /// What is written is read again, in whole, whatever its length.
    #[test]
    fn options_make_the_round_trip(
        options in prop::collection::btree_map(
            1..255_u8,
            prop::collection::vec(any::<u8>(), 0..400),
            0..4,
        ),
        xid in any::<u32>(),
    ) {
        // Option 52 would turn `file` and `sname` into options.
        let options: Vec<_> = options.into_iter().filter(|(code, _)| *code != 52).collect();
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, &Header::request(MAC, xid), 1472);
        let written: Vec<_> =
            options.into_iter().filter(|(code, value)| encoder.option(*code, value)).collect();
        encoder.finish();
        prop_assert!((300..=1472).contains(&out.len()));
        let message = Message::parse(&out).unwrap();
        prop_assert_eq!(message.xid(), xid);
        prop_assert_eq!(message.ethernet(), Some(MAC));
        for (code, value) in written {
            let read = message.option(code).map(|it| it.read(<[u8]>::to_vec));
            prop_assert_eq!(read, Some(value));
        }
    }
}
