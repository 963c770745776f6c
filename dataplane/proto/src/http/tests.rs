use std::net::{Ipv4Addr, SocketAddr};

use ironherd_snapshot::{BootFile, Index, Mac, Snapshot};

use super::{Config, Connection, Context, Output, SEND_BYTES_MAX};
use crate::fixture::{MemoryFiles, at_ms, pattern};
use crate::token::Stamp;
use crate::{BootStage, DropReason, Event, Files as _, Link};

const LINK: Link = Link {
    index: 2,
    address: Ipv4Addr::new(10, 77, 0, 1),
    host6: None,
    http_port: 5248,
    gateway_port: 5249,
};
/// A card whose address is not the client's.
const ANOTHERS: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x66]);
pub(super) const KERNEL_BYTES: usize = 700_000;

/// One connection, what it may serve, and what it has sent.
pub(super) struct Rig {
    connection: Connection,
    snapshot: Index,
    files: MemoryFiles,
    nonces: u8,
    ms: u64,
    pub(super) sent: Vec<u8>,
}

impl Rig {
    pub(super) fn new() -> Self {
        let late = BootFile { name: "late.efi".into(), sha256: "0".repeat(64), size_bytes: 7 };
        let snapshot = Snapshot { files: vec![late], ..Snapshot::default() };
        let files = MemoryFiles::default()
            .with("snponly.efi", pattern(5_000))
            .with("grub/grub.cfg", "set timeout=1\n")
            .with("ephemeral/amd64/vmlinuz", pattern(KERNEL_BYTES))
            .with("empty", "")
            .arriving(&"e".repeat(64));
        let peer = SocketAddr::from(([10, 77, 1, 1], 40_000));
        let connection = Connection::new(Config::default(), peer, LINK, at_ms(0));
        Self { connection, snapshot: Index::new(snapshot), files, nonces: 0, ms: 0, sent: vec![] }
    }

    pub(super) fn handle(&mut self, bytes: &[u8]) -> Result<(), DropReason> {
        let nonces = &mut self.nonces;
        let mut stamp = || {
            *nonces += 1;
            Stamp { nonce: [*nonces; 16], day: 20_000 }
        };
        let Self { snapshot, files, .. } = self;
        let owns = |_, mac| mac != ANOTHERS;
        let mut context = Context { snapshot, files, stamp: &mut stamp, owns: &owns };
        self.connection.handle_bytes(&mut context, bytes, at_ms(self.ms))
    }

    /// Takes everything the connection sends, `step` bytes at a time at most; whether it closed.
    pub(super) fn drain(&mut self, step: usize) -> bool {
        loop {
            match self.connection.poll_output() {
                Output::Send(bytes) => {
                    assert!(!bytes.is_empty() && bytes.len() <= SEND_BYTES_MAX);
                    let taken = bytes.len().min(step);
                    self.sent.extend_from_slice(&bytes[..taken]);
                    self.connection.handle_sent(taken, at_ms(self.ms));
                }
                Output::Wait { .. } => return false,
                Output::Close => return true,
            }
        }
    }

    /// Asks over a connection of its own and reads the one answer.
    fn ask(request: &str) -> Answer {
        let mut rig = Self::new();
        let handled = rig.handle(request.as_bytes());
        let closed = rig.drain(usize::MAX);
        let (head, body) = split(&rig.sent);
        Answer {
            head,
            body,
            closed,
            handled,
            events: std::iter::from_fn(|| rig.connection.poll_event()).collect(),
        }
    }

    fn tag(&self, name: &str) -> String {
        self.files.open(name).unwrap().sha256.to_string()
    }
}

struct Answer {
    head: String,
    body: Vec<u8>,
    closed: bool,
    handled: Result<(), DropReason>,
    events: Vec<Event>,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ str| line.starts_with(&format!("{name}: "));
        self.head.lines().find(|it| line(it)).map(|it| &it[name.len() + 2..])
    }
}

pub(super) fn split(sent: &[u8]) -> (String, Vec<u8>) {
    let end = sent.windows(4).position(|it| it == b"\r\n\r\n").expect("a whole head") + 4;
    (String::from_utf8(sent[..end].to_vec()).unwrap(), sent[end..].to_vec())
}

pub(super) fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 10.77.0.1\r\n{headers}\r\n")
}

#[test]
fn a_script_goes_to_its_own_machine_only() {
    for path in ["/ipxe/52-54-00-77-00-66", "/grub/52:54:00:77:00:66", "/foreign", "/boot/foreign"]
    {
        for method in ["GET", "HEAD"] {
            let answer = Rig::ask(&get(path, "").replacen("GET", method, 1));
            assert_eq!(answer.status(), 403, "{method} {path}");
            assert_eq!(answer.handled, Err(DropReason::HttpNotHolder), "{method} {path}");
            assert_eq!(answer.events, [], "{method} {path}: nothing that the region would act on");
            assert!(answer.closed, "{method} {path}");
            assert!(!String::from_utf8_lossy(&answer.body).contains("token"), "{path}");
        }
    }
}

#[test]
fn routes_lead_to_files_scripts_or_nothing() {
    let tag = Rig::new().tag("snponly.efi");
    let rows = [
        // Path, status, content type, bytes of the body if they are a file's.
        ("/boot/snponly.efi", 200, "application/efi", Some(5_000)),
        ("/snponly.efi", 200, "application/efi", Some(5_000)),
        ("//snponly.efi", 200, "application/efi", Some(5_000)),
        ("//boot//snponly%2eefi?x=1", 200, "application/efi", Some(5_000)),
        ("/boot/ephemeral/amd64/vmlinuz", 200, "application/octet-stream", Some(KERNEL_BYTES)),
        ("/grub/grub.cfg", 200, "text/plain", Some(14)),
        ("/boot/empty", 200, "application/octet-stream", Some(0)),
        (&format!("/images/{tag}"), 200, "application/octet-stream", Some(5_000)),
        (&format!("/images/{}", tag.to_uppercase()), 200, "application/octet-stream", Some(5_000)),
        ("/ipxe/52-54-00-77-00-10", 200, "text/plain", None),
        ("/ipxe/52:54:00:77:00:10", 200, "text/plain", None),
        ("/grub/52-54-00-77-00-10", 200, "text/plain", None),
        ("/made", 200, "text/plain", None),
        ("/boot/made", 200, "text/plain", None),
        ("/ipxe/52-54", 404, "text/plain", None),
        ("/boot/late.efi", 503, "text/plain", None),
        (&format!("/images/{}", "e".repeat(64)), 503, "text/plain", None),
        (&format!("/images/{}", "f".repeat(64)), 404, "text/plain", None),
        ("/images/../snponly.efi", 404, "text/plain", None),
        ("/images/short", 404, "text/plain", None),
        ("/boot/absent", 404, "text/plain", None),
        ("/../etc/passwd", 404, "text/plain", None),
        ("/", 404, "text/plain", None),
    ];
    for (path, status, content_type, bytes) in rows {
        let answer = Rig::ask(&get(path, ""));
        assert_eq!((answer.status(), answer.handled), (status, Ok(())), "{path}");
        assert_eq!(answer.header("Content-Type"), Some(content_type), "{path}");
        let length: usize = answer.header("Content-Length").unwrap().parse().unwrap();
        assert_eq!(length, answer.body.len(), "{path}");
        assert!(!answer.closed, "{path}");
        assert_eq!(answer.header("ETag").is_some(), bytes.is_some(), "{path}");
        assert_eq!(answer.header("Retry-After").is_some(), status == 503, "{path}");
        if let Some(bytes) = bytes {
            assert_eq!(answer.body.len(), bytes, "{path}");
        } else {
            assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{path}");
        }
    }
}

#[test]
fn methods_ranges_and_conditions_are_answered() {
    let tag = Rig::new().tag("snponly.efi");
    let quoted = format!("\"{tag}\"");
    let rows = [
        // Method, headers, status, Content-Length, bytes of the body, Content-Range.
        ("GET", String::new(), 200, "5000", 5_000, None),
        ("HEAD", String::new(), 200, "5000", 0, None),
        ("HEAD", "Range: bytes=0-9\r\n".into(), 200, "5000", 0, None),
        ("GET", "Range: bytes=0-9\r\n".into(), 206, "10", 10, Some("bytes 0-9/5000")),
        ("GET", "Range: bytes=4990-\r\n".into(), 206, "10", 10, Some("bytes 4990-4999/5000")),
        ("GET", "Range: bytes=0-1,5-6\r\n".into(), 200, "5000", 5_000, None),
        ("GET", "Range: bytes=5000-\r\n".into(), 416, "0", 0, Some("bytes */5000")),
        ("GET", format!("If-None-Match: {quoted}\r\n"), 304, "5000", 0, None),
        ("HEAD", format!("If-None-Match: {quoted}\r\n"), 304, "5000", 0, None),
        ("GET", "If-None-Match: \"other\"\r\n".into(), 200, "5000", 5_000, None),
        ("GET", "If-Match: \"other\"\r\n".into(), 412, "21", 21, None),
        (
            "GET",
            format!("If-Match: {quoted}\r\nRange: bytes=9-9\r\n"),
            206,
            "1",
            1,
            Some("bytes 9-9/5000"),
        ),
        ("GET", "If-Range: \"old\"\r\nRange: bytes=9-9\r\n".into(), 200, "5000", 5_000, None),
        ("DELETE", String::new(), 405, "29", 29, None),
    ];
    for (method, headers, status, length, bytes, content_range) in rows {
        let request = format!("{method} /boot/snponly.efi HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        let answer = Rig::ask(&request);
        assert_eq!(answer.status(), status, "{request}");
        assert_eq!(answer.header("Content-Length"), Some(length), "{request}");
        assert_eq!(answer.body.len(), bytes, "{request}");
        assert_eq!(answer.header("Content-Range"), content_range, "{request}");
        assert!(!answer.closed, "{request}");
    }
}

#[test]
fn what_ends_a_connection() {
    let long = get("/boot/empty", &format!("X: {}\r\n", "y".repeat(9_000)));
    let deep = get("/boot/empty", "").repeat(65);
    let rows = [
        // Bytes, what the caller counts, status of the first answer, whether it closes.
        (get("/boot/empty", ""), Ok(()), 200, false),
        (get("/boot/empty", "Connection: close\r\n"), Ok(()), 200, true),
        ("HEAD /boot/empty HTTP/1.1\r\nHost: a\r\n\r\n".into(), Ok(()), 200, false),
        ("GET /boot/empty HTTP/1.0\r\n\r\n".into(), Ok(()), 200, true),
        ("GET /boot/empty HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".into(), Ok(()), 200, false),
        ("\x16\x03\x01\n".into(), Err(DropReason::HttpMalformed), 400, true),
        ("GET /boot/empty HTTP/1.1\r\n\r\n".into(), Err(DropReason::HttpMalformed), 400, true),
        (long, Err(DropReason::HttpHeadTooLarge), 431, true),
        (
            get("/boot/empty", "Content-Length: 3\r\n") + "GET",
            Err(DropReason::HttpBodyRefused),
            400,
            true,
        ),
        (
            "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            Err(DropReason::HttpBodyRefused),
            405,
            true,
        ),
        (deep, Err(DropReason::HttpPipelineTooDeep), 200, true),
    ];
    for (bytes, handled, status, closes) in rows {
        let answer = Rig::ask(&bytes);
        let shown = bytes.get(..60).unwrap_or(&bytes);
        assert_eq!((answer.handled, answer.status()), (handled, status), "{shown}");
        assert_eq!(answer.closed, closes, "{shown}");
        let announced = answer.header("Connection") == Some("close");
        assert!(announced == closes || handled == Err(DropReason::HttpPipelineTooDeep), "{shown}");
    }
}

/// EDK2 asks for the head, then for the file, on one connection; old builds hang if it closes.
#[test]
fn edk2_gets_head_then_file_on_one_connection() {
    let mut rig = Rig::new();
    let rest = "/snponly.efi HTTP/1.1\r\nHost: 10.77.0.1\r\nAccept: */*\r\n\
        User-Agent: UefiHttpBoot/1.0\r\n\r\n";
    rig.handle(format!("HEAD {rest}").as_bytes()).unwrap();
    assert!(!rig.drain(usize::MAX));
    let (head, body) = split(&std::mem::take(&mut rig.sent));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Content-Length: 5000\r\n"));
    assert_eq!((body.len(), rig.connection.poll_event()), (0, None));
    rig.handle(format!("GET {rest}").as_bytes()).unwrap();
    assert!(!rig.drain(usize::MAX));
    let (file_head, body) = split(&rig.sent);
    assert_eq!((file_head, body), (head, pattern(5_000)));
}

#[test]
fn events_tell_of_starts_only() {
    let file = Event::BootByAddress {
        address: [10, 77, 1, 1].into(),
        stage: BootStage::Http,
        detail: "boot/snponly.efi, 5000 bytes".to_owned(),
    };
    let part = Event::BootByAddress {
        address: [10, 77, 1, 1].into(),
        stage: BootStage::Http,
        detail: "boot/snponly.efi, 10 bytes".to_owned(),
    };
    let rows = [
        (get("/boot/snponly.efi", ""), Some(file)),
        (get("/boot/snponly.efi", "Range: bytes=0-9\r\n"), Some(part)),
        (get("/boot/snponly.efi", "Range: bytes=10-19\r\n"), None),
        (get("/boot/snponly.efi", "Range: bytes=9999-\r\n"), None),
        ("HEAD /boot/snponly.efi HTTP/1.1\r\nHost: a\r\n\r\n".into(), None),
        ("HEAD /ipxe/52-54-00-77-00-10 HTTP/1.1\r\nHost: a\r\n\r\n".into(), None),
        (get("/boot/absent", ""), None),
    ];
    for (request, want) in rows {
        assert_eq!(Rig::ask(&request).events, Vec::from_iter(want), "{request}");
    }
    let events = Rig::ask(&get("/ipxe/52-54-00-77-00-10", "")).events;
    let mac = "52:54:00:77:00:10".parse().unwrap();
    assert!(matches!(&events[..], [Event::Boot { mac: it, .. }] if *it == mac), "{events:?}");
}

#[test]
fn patience_has_an_end() {
    let config = Config::default();
    let rows = [
        // Bytes, how long it may last, what is counted then.
        ("", config.idle, Ok(())),
        ("GET /boot/em", config.head, Err(DropReason::HttpHeadTimeout)),
        (&get("/boot/snponly.efi", ""), config.stalled, Err(DropReason::HttpStalled)),
    ];
    for (bytes, patience, reason) in rows {
        let mut rig = Rig::new();
        rig.handle(bytes.as_bytes()).unwrap();
        let ms = u64::try_from(patience.as_millis()).unwrap();
        assert_eq!(rig.connection.next_deadline(), at_ms(ms).instant, "{bytes}");
        assert_eq!(rig.connection.handle_timeout(at_ms(ms - 1)), Ok(()), "{bytes}");
        assert_ne!(rig.connection.poll_output(), Output::Close, "{bytes}");
        assert_eq!(rig.connection.handle_timeout(at_ms(ms)), reason, "{bytes}");
        assert_eq!(rig.connection.poll_output(), Output::Close, "{bytes}");
    }
}

#[test]
fn a_trickled_head_does_not_buy_time_and_a_taken_byte_does() {
    let mut rig = Rig::new();
    for (second, byte) in get("/boot/snponly.efi", "").bytes().take(9).enumerate() {
        rig.ms = 1_000 * second as u64;
        rig.handle(&[byte]).unwrap();
    }
    assert_eq!(rig.connection.next_deadline(), at_ms(10_000).instant);

    let mut rig = Rig::new();
    rig.handle(get("/boot/snponly.efi", "").as_bytes()).unwrap();
    rig.connection.handle_sent(1, at_ms(5_000));
    let want = at_ms(5_000).instant + Config::default().stalled;
    assert_eq!(rig.connection.next_deadline(), want);
}

#[test]
fn queued_answers_outlive_the_clients_half_of_the_connection() {
    let mut rig = Rig::new();
    rig.handle((get("/boot/snponly.efi", "") + "GET /part").as_bytes()).unwrap();
    rig.connection.handle_end();
    assert!(rig.drain(usize::MAX));
    assert_eq!(split(&rig.sent).1.len(), 5_000);
    assert!(!rig.connection.wants_bytes());
}

#[test]
fn a_deep_pipeline_stops_reading_before_it_breaks() {
    let mut rig = Rig::new();
    let mut asked = 0;
    while rig.connection.wants_bytes() {
        rig.handle(get("/boot/empty", "").as_bytes()).unwrap();
        asked += 1;
    }
    assert!((2..=64).contains(&asked));
    assert!(!rig.drain(usize::MAX));
    assert!(rig.connection.wants_bytes());
    assert_eq!(rig.sent.windows(4).filter(|it| it == b"\r\n\r\n").count(), asked);
}

#[test]
fn a_body_is_a_slice_of_the_file_itself() {
    let mut rig = Rig::new();
    let file = rig.files.open("ephemeral/amd64/vmlinuz").unwrap().bytes;
    rig.handle(get("/boot/ephemeral/amd64/vmlinuz", "Range: bytes=5-\r\n").as_bytes()).unwrap();
    let Output::Send(head) = rig.connection.poll_output() else { panic!("no head") };
    rig.connection.handle_sent(head.len(), at_ms(0));
    let Output::Send(body) = rig.connection.poll_output() else { panic!("no body") };
    assert_eq!((body.as_ptr(), body.len()), (file[5..].as_ptr(), SEND_BYTES_MAX));
}
