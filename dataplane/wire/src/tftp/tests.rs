use super::*;

#[test]
fn packets_are_read_or_refused() {
    let asked = Asked::default();
    let request = |name, mode| Request { name, mode, asked };
    let rows: [(&[u8], Result<Packet<'_>, ParseError>); 15] = [
        (b"\0\x01a\0octet\0", Ok(Packet::ReadRequest(request(b"a", Mode::Octet)))),
        (b"\0\x01a\0OcTeT\0", Ok(Packet::ReadRequest(request(b"a", Mode::Octet)))),
        (b"\0\x01a\0NETASCII\0", Ok(Packet::ReadRequest(request(b"a", Mode::Netascii)))),
        (b"\0\x02a\0mail\0", Ok(Packet::WriteRequest(request(b"a", Mode::Other)))),
        (b"\0\x01a\xff\0octet\0\xff\0", Ok(Packet::ReadRequest(request(b"a\xff", Mode::Octet)))),
        (b"\0\x01a\0octet", Err(ParseError::RequestUnterminated)),
        (b"\0\x01", Err(ParseError::RequestUnterminated)),
        (b"\0\x03\0\x07abc", Ok(Packet::Data { block: 7, payload: b"abc" })),
        (b"\0\x04\xff\xff", Ok(Packet::Ack { block: 65_535 })),
        (b"\0\x04\0\x01padding", Ok(Packet::Ack { block: 1 })),
        (b"\0\x05\0\x08no\0more", Ok(Packet::Error { code: 8, message: b"no" })),
        (b"\0\x05\0\x00", Ok(Packet::Error { code: 0, message: b"" })),
        (b"\0\x04\0", Err(ParseError::Truncated)),
        (b"\0", Err(ParseError::Truncated)),
        (b"\0\x09\0\0", Err(ParseError::UnknownOpcode(9))),
    ];
    for (bytes, want) in rows {
        assert_eq!(parse(bytes), want, "{}", bytes.escape_ascii());
    }
    let long = [b"\0\x01".as_slice(), &[b'a'; REQUEST_BYTES_MAX], b"\0octet\0"].concat();
    assert_eq!(parse(&long), Err(ParseError::RequestTooLong));
}

#[test]
fn options_within_their_bounds_count() {
    let rows = [
        // Options, a comma for each NUL; blksize, timeout, tsize, windowsize.
        ("blksize,1468,", Some(1468), None, None, None),
        ("BLKSIZE,8,WindowSize,65535,", Some(8), None, None, Some(65_535)),
        ("blksize,7,", None, None, None, None),
        ("blksize,65465,", None, None, None, None),
        ("blksize,65464,", Some(65_464), None, None, None),
        ("blksize,-1,tsize,0,", None, None, Some(0), None),
        ("blksize,1024,blksize,512,", Some(1024), None, None, None),
        ("timeout,1,", None, Some(1), None, None),
        ("timeout,0,", None, None, None, None),
        ("timeout,255,", None, Some(255), None, None),
        ("timeout,256,", None, None, None, None),
        ("tsize,18446744073709551615,", None, None, Some(u64::MAX), None),
        ("tsize,18446744073709551616,", None, None, None, None),
        ("windowsize,0,", None, None, None, None),
        ("windowsize,65536,", None, None, None, None),
        ("msftwindow,31416,blksize,1456,", Some(1456), None, None, None),
        ("multicast,,blksize,512,", Some(512), None, None, None),
        ("blksize,512,tsize", Some(512), None, None, None),
        ("blksize,512,tsize,0", Some(512), None, None, None),
    ];
    for (options, block_bytes, timeout_seconds, transfer_bytes, window_blocks) in rows {
        let want = Asked { block_bytes, timeout_seconds, transfer_bytes, window_blocks };
        assert_eq!(Asked::parse(options.replace(',', "\0").as_bytes()), want, "{options}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let granted = Granted {
        block_bytes: Some(1468),
        timeout_seconds: Some(3),
        transfer_bytes: Some(173_792),
        window_blocks: None,
    };
    let mut out = Vec::new();
    push_option_ack(&mut out, &granted);
    assert_eq!(out, b"\0\x06tsize\x00173792\0blksize\x001468\0timeout\x003\0");
    let asked = Asked {
        block_bytes: Some(1468),
        timeout_seconds: Some(3),
        transfer_bytes: Some(173_792),
        window_blocks: None,
    };
    assert_eq!(parse(&out), Ok(Packet::OptionAck(asked)));

    out.clear();
    push_read_request(&mut out, "a.efi", &granted);
    let request = Request { name: b"a.efi", mode: Mode::Octet, asked };
    assert_eq!(parse(&out), Ok(Packet::ReadRequest(request)));

    out.clear();
    push_error(&mut out, ErrorCode::NotFound, "no such file");
    assert_eq!(parse(&out), Ok(Packet::Error { code: 1, message: b"no such file" }));

    out.clear();
    push_data_head(&mut out, 258);
    push_ack(&mut out, 258);
    assert_eq!(out, b"\0\x03\x01\x02\0\x04\x01\x02");
}
