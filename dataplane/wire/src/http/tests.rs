use super::*;

#[test]
fn targets_name_files_or_nothing() {
    let rows = [
        ("/boot/snponly.efi", Some("boot/snponly.efi")),
        ("//grubx64.efi", Some("grubx64.efi")),
        ("/a//b///c", Some("a/b/c")),
        ("/a%20b", Some("a b")),
        ("/%2e%2E/etc/passwd", None),
        ("/../etc/passwd", None),
        ("/boot/..%2f..%2fetc", None),
        ("/boot/./x", Some("boot/x")),
        ("/x?token=1#top", Some("x")),
        ("http://10.77.0.1:5248/boot/x", Some("boot/x")),
        ("http://10.77.0.1", None),
        ("/ipxe/52-54-00-77-00-10", Some("ipxe/52-54-00-77-00-10")),
        ("/ipxe/52%3A54%3a00:77:00:10", Some("ipxe/52:54:00:77:00:10")),
        ("/a%2", None),
        ("/a%zz", None),
        ("/a%00b", None),
        ("/a\\b", Some("a/b")),
        ("/", None),
        ("*", Some("*")),
    ];
    for (target, want) in rows {
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let request = parse_request(head.as_bytes()).unwrap().unwrap();
        assert_eq!(request.name().as_ref().map(Name::as_str), want, "{target}");
    }
    let long = format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(2_000));
    assert_eq!(parse_request(long.as_bytes()).unwrap().unwrap().name(), None);
}

#[test]
fn heads_say_what_becomes_of_the_connection() {
    let rows = [
        // Request line, headers, whether it stays, whether a body follows.
        ("GET / HTTP/1.1", "Host: a", true, false),
        ("GET / HTTP/1.1", "host: a\r\nconnection: Close", false, false),
        ("GET / HTTP/1.1", "Host: a\r\nConnection: TE, close", false, false),
        ("GET / HTTP/1.0", "X: y", false, false),
        ("GET / HTTP/1.0", "Connection: Keep-Alive", true, false),
        ("POST / HTTP/1.1", "Host: a\r\nContent-Length: 3", true, true),
        ("GET / HTTP/1.1", "Host: a\r\nContent-Length: 0", true, false),
        ("PUT / HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked", true, true),
    ];
    for (line, headers, keep_alive, has_body) in rows {
        let head = format!("{line}\r\n{headers}\r\n\r\nGET");
        let request = parse_request(head.as_bytes()).unwrap().unwrap();
        assert_eq!((request.keep_alive, request.has_body), (keep_alive, has_body), "{head}");
        assert_eq!(request.head_bytes, head.len() - 3, "{head}");
    }
}

#[test]
fn broken_heads_are_refused() {
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(100));
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "b".repeat(HEAD_BYTES_MAX));
    let endless = "G".repeat(HEAD_BYTES_MAX + 1);
    let rows = [
        ("\x16\x03\x01\x02\x00\x01\n", Err(HeadError::Malformed)), // A TLS hello.
        ("GET /\r\n", Err(HeadError::Malformed)),
        ("GET / HTTP/2.0\r\n\r\n", Err(HeadError::Malformed)),
        ("GET / HTTP/1.1\r\n\r\n", Err(HeadError::Malformed)), // No host.
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Err(HeadError::Malformed)),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", Err(HeadError::Malformed)),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Err(HeadError::Malformed)),
        (&many, Err(HeadError::TooLarge)),
        (&long, Err(HeadError::TooLarge)),
        (&endless, Err(HeadError::TooLarge)),
        ("GET / HT", Ok(None)),
        ("", Ok(None)),
    ];
    for (head, want) in rows {
        let got = parse_request(head.as_bytes()).map(|it| it.map(|it| it.head_bytes));
        assert_eq!(got, want, "{:?}", head.get(..60).unwrap_or(head));
    }
}

#[test]
fn response_heads_are_canonical() {
    let head = ResponseHead {
        status: Status::PartialContent,
        content_bytes: 10,
        content_type: Some("application/efi"),
        tag: Some("abc"),
        content_range: Some(ContentRange::Part { start: 90, end: 100, len: 100 }),
        no_store: false,
        retry_after_seconds: None,
        connection: Connection::Stays,
        unix_seconds: 784_111_777,
    };
    let want = "HTTP/1.1 206 Partial Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Content-Length: 10\r\nContent-Type: application/efi\r\nETag: \"abc\"\r\n\
        Accept-Ranges: bytes\r\nContent-Range: bytes 90-99/100\r\n\r\n";
    check_head(&head, want);

    let status = Status::Unavailable;
    let (content_type, tag, content_range) = (None, None, None);
    let (no_store, retry_after_seconds, connection) = (true, Some(2), Connection::Close);
    let plain = ResponseHead { status, content_type, tag, content_range, ..head };
    let want = "HTTP/1.1 503 Service Unavailable\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Content-Length: 10\r\nCache-Control: no-store\r\nRetry-After: 2\r\n\
        Connection: close\r\n\r\n";
    check_head(&ResponseHead { no_store, retry_after_seconds, connection, ..plain }, want);

    let status = Status::MethodNotAllowed;
    let content_range = Some(ContentRange::Outside { len: 100 });
    let want = "HTTP/1.1 405 Method Not Allowed\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Content-Length: 10\r\nContent-Range: bytes */100\r\nAllow: GET, HEAD\r\n\
        Connection: keep-alive\r\n\r\n";
    let connection = Connection::KeepAlive;
    check_head(&ResponseHead { status, content_range, connection, ..plain }, want);
}

#[track_caller]
fn check_head(head: &ResponseHead<'_>, want: &str) {
    let mut out = Vec::new();
    head.push(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), want);
}
