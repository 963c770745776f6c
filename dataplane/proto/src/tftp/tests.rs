use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ironherd_wire::tftp::{
    ErrorCode, Granted, Packet, parse, push_ack, push_error, push_read_request,
};

use super::{Config, Counts, Send, Server};
use crate::fixture::{MemoryFiles, at_ms, pattern};
use crate::{BootStage, DropReason, Event};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));

fn client(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 77, 1, 1], port))
}

/// One server with files, and the time.
struct Rig {
    server: Server,
    files: MemoryFiles,
    ms: u64,
}

impl Rig {
    fn new(config: Config) -> Self {
        let files = MemoryFiles::default()
            .arriving("late.efi")
            .with("snponly.efi", pattern(10_000))
            .with("empty", "")
            .with("menu.cfg", "one\ntwo\rthree\r\n")
            .with("long.cfg", "x".repeat(65_537));
        Self { server: Server::new(config), files, ms: 1_000 }
    }

    fn request(&mut self, from: SocketAddr, payload: &[u8]) -> Result<(), DropReason> {
        self.server.handle_request(&self.files, from, LOCAL, payload, at_ms(self.ms))
    }

    fn read(&mut self, from: SocketAddr, name: &str, asked: Granted) -> Result<(), DropReason> {
        let mut payload = Vec::new();
        push_read_request(&mut payload, name, &asked);
        self.request(from, &payload)
    }

    fn ack(&mut self, sent: Send, block: u16) -> Result<(), DropReason> {
        let mut payload = Vec::new();
        push_ack(&mut payload, block);
        self.server.handle_packet(sent.socket, sent.to, &payload, at_ms(self.ms))
    }

    fn error(&mut self, sent: Send, code: ErrorCode) -> Result<(), DropReason> {
        let mut payload = Vec::new();
        push_error(&mut payload, code, "User aborted the transfer");
        self.server.handle_packet(sent.socket, sent.to, &payload, at_ms(self.ms))
    }

    /// The next send and its datagrams.
    fn output(&mut self) -> Option<(Send, Vec<Vec<u8>>)> {
        let mut out = Vec::new();
        let send = self.server.poll_output(&mut out)?;
        Some((send, out.chunks(send.segment_bytes).map(<[u8]>::to_vec).collect()))
    }

    /// The blocks of the next send.
    fn blocks(&mut self) -> (Send, Vec<u16>) {
        let (send, datagrams) = self.output().expect("something to send");
        let blocks = datagrams.iter().map(|it| match parse(it).unwrap() {
            Packet::Data { block, .. } => block,
            other => panic!("{other:?} is no block"),
        });
        (send, blocks.collect())
    }

    fn wait(&mut self, ms: u64) {
        self.ms += ms;
        self.server.handle_timeouts(at_ms(self.ms));
    }
}

fn windowed(block_bytes: u16, window_blocks: u16) -> Granted {
    let (block_bytes, window_blocks) = (Some(block_bytes), Some(window_blocks));
    Granted { block_bytes, window_blocks, ..Granted::default() }
}

#[test]
fn options_are_granted_within_our_bounds() {
    let rows = [
        // blksize and windowsize asked, then granted.
        (None, None, None, None),
        (Some(1468), Some(4), Some(1468), Some(4)),
        (Some(1024), None, Some(1024), None),
        (Some(65_464), None, Some(1468), None),
        (Some(8), Some(65_535), Some(8), Some(64)),
        (None, Some(64), None, Some(64)),
        (Some(1468), Some(64), Some(1468), Some(44)), // 44 segments fill one datagram's bounds.
    ];
    for (block_bytes, window_blocks, block_granted, window_granted) in rows {
        let mut rig = Rig::new(Config::default());
        let asked = Granted { block_bytes, window_blocks, ..Granted::default() };
        rig.read(client(2_000), "snponly.efi", asked).unwrap();
        let (_, datagrams) = rig.output().unwrap();
        let got = match parse(&datagrams[0]).unwrap() {
            Packet::OptionAck(asked) => (asked.block_bytes, asked.window_blocks),
            Packet::Data { block: 1, payload } => {
                assert_eq!(payload.len(), 512);
                (None, None)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(got, (block_granted, window_granted), "{block_bytes:?}, {window_blocks:?}");
    }
}

#[test]
fn over_ipv6_blocks_are_shorter_and_answers_come_from_the_address_asked() {
    let local: IpAddr = "fd77::1".parse().unwrap();
    let client: SocketAddr = "[fe80::5054:ff:fe77:10%3]:2000".parse().unwrap();
    // EDK2 asks for 1228; who asks for more than fits must get less than over IPv4.
    for (asked, granted) in [(1228, 1228), (1448, 1448), (1468, 1448)] {
        let mut server = Server::new(Config::default());
        let files = MemoryFiles::default().with("snponly.efi", pattern(10_000));
        let mut payload = Vec::new();
        let asked = Granted { block_bytes: Some(asked), ..Granted::default() };
        push_read_request(&mut payload, "snponly.efi", &asked);
        server.handle_request(&files, client, local, &payload, at_ms(0)).unwrap();
        let mut out = Vec::new();
        let send = server.poll_output(&mut out).unwrap();
        assert_eq!((send.to, send.local), (client, local));
        match parse(&out).unwrap() {
            Packet::OptionAck(it) => assert_eq!(it.block_bytes, Some(granted)),
            other => panic!("{other:?}"),
        }
        let mut ack = Vec::new();
        push_ack(&mut ack, 0);
        server.handle_packet(send.socket, client, &ack, at_ms(1)).unwrap();
        let sent = server.poll_output(&mut out).expect("the first block");
        assert_eq!(sent.to, client);
    }
}

#[test]
fn refusals_are_answered_at_once_and_named() {
    let rows: [(&[u8], DropReason, Option<u16>); 12] = [
        // Request, reason, code of the ERROR.
        (b"\0\x01revocations_sku.efi\0octet\0", DropReason::TftpNotFound, Some(1)),
        (b"\0\x01../snponly.efi\0octet\0", DropReason::TftpNotFound, Some(1)),
        (b"\0\x01\0octet\0", DropReason::TftpNotFound, Some(1)),
        (b"\0\x01late.efi\0octet\0", DropReason::TftpArriving, Some(0)),
        (b"\0\x01foreign\0octet\0", DropReason::TftpNotHolder, Some(2)),
        (b"\0\x01snponly.efi\0netascii\0", DropReason::TftpModeRefused, Some(4)),
        (b"\0\x01snponly.efi\0mail\0", DropReason::TftpModeRefused, Some(4)),
        (b"\0\x02snponly.efi\0octet\0", DropReason::TftpWriteRefused, Some(2)),
        (b"\0\x01snponly.efi\0octet", DropReason::TftpMalformed, None),
        (b"\0\x04\0\x01", DropReason::TftpNotRequest, None),
        (b"\0\x05\0\x08no\0", DropReason::TftpNotRequest, None),
        (b"", DropReason::TftpMalformed, None),
    ];
    for (payload, reason, code) in rows {
        let mut rig = Rig::new(Config::default());
        let refused = rig.request(client(2_000), payload);
        assert_eq!(refused, Err(reason), "{}", payload.escape_ascii());
        let error = rig.output().map(|(send, datagrams)| {
            assert_eq!((send.to, send.local), (client(2_000), LOCAL));
            match parse(&datagrams[0]).unwrap() {
                Packet::Error { code, .. } => code,
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(error, code, "{}", payload.escape_ascii());
        assert_eq!((rig.server.transfers(), rig.output()), (0, None));
        assert_eq!(rig.server.poll_event(), None, "{}", payload.escape_ascii());
    }
}

#[test]
fn names_are_cleaned_before_the_look_up() {
    let names = ["snponly.efi", "/snponly.efi", "//snponly.efi", "\\snponly.efi"];
    for (port, name) in (2_000..).zip(names) {
        let mut rig = Rig::new(Config::default());
        rig.read(client(port), name, Granted::default()).unwrap();
        assert_eq!(rig.blocks().1, [1], "{name}");
    }
}

#[test]
fn a_whole_transfer_with_windows_as_edk2_asks() {
    let mut rig = Rig::new(Config::default());
    let asked = Granted { transfer_bytes: Some(0), ..windowed(1468, 4) };
    rig.read(client(1_824), "snponly.efi", asked).unwrap();
    let (probe, _) = rig.output().unwrap();
    rig.error(probe, ErrorCode::OptionsRefused).unwrap();
    assert_eq!(rig.server.poll_event(), None, "a probe is no boot");

    rig.read(client(1_825), "snponly.efi", windowed(1468, 4)).unwrap();
    let (send, _) = rig.output().unwrap();
    assert_ne!(send.socket, probe.socket, "requests take the sockets in turn");
    rig.ack(send, 0).unwrap();
    let (send, datagrams) = rig.output().unwrap();
    assert_eq!((send.segment_bytes, datagrams.len()), (1472, 4));
    let announced = Event::BootByAddress {
        address: client(0).ip(),
        stage: BootStage::Tftp,
        detail: "snponly.efi".to_owned(),
    };
    assert_eq!((rig.server.poll_event(), rig.server.poll_event()), (Some(announced), None));
    rig.ack(send, 4).unwrap();
    let (send, rest) = rig.output().unwrap();
    let content = datagrams.iter().chain(&rest).flat_map(|it| &it[4..]).copied();
    assert_eq!(content.collect::<Vec<_>>(), pattern(10_000));
    rig.ack(send, 7).unwrap();
    assert_eq!(rig.output(), None);
    assert_eq!(rig.server.counts(), Counts { complete: 1, probes: 1, ..Counts::default() });
    assert_eq!((rig.server.transfers(), rig.server.next_deadline()), (0, None));
}

#[test]
fn acks_move_the_window_or_change_nothing() {
    let mut rig = Rig::new(Config::default());
    rig.read(client(2_000), "snponly.efi", windowed(512, 4)).unwrap();
    let (send, _) = rig.output().unwrap();
    assert_eq!(rig.ack(send, 1), Err(DropReason::TftpAckOutsideWindow));
    rig.ack(send, 0).unwrap();
    assert_eq!(rig.blocks().1, [1, 2, 3, 4]);
    assert_eq!(rig.ack(send, 0), Err(DropReason::TftpAckRepeated));
    assert_eq!(rig.ack(send, 5), Err(DropReason::TftpAckOutsideWindow));
    assert_eq!(rig.ack(send, 65_535), Err(DropReason::TftpAckOutsideWindow));
    assert_eq!(rig.output(), None, "no refused ACK is answered");
    rig.ack(send, 2).unwrap();
    assert_eq!(rig.blocks().1, [3, 4, 5, 6], "an ACK inside the window asks for the rest");
    rig.ack(send, 3).unwrap();
    assert_eq!(rig.blocks().1, [7], "its echo does not");
    rig.ack(send, 7).unwrap();
    assert_eq!(rig.blocks().1, [8, 9, 10, 11]);
    let other = Send { to: client(2_001), ..send };
    assert_eq!(rig.ack(other, 8), Err(DropReason::TftpUnknownTransfer));
    let other = Send { socket: send.socket + 1, ..send };
    assert_eq!(rig.ack(other, 8), Err(DropReason::TftpUnknownTransfer));
}

#[test]
fn a_silent_client_gets_its_window_again_and_is_given_up() {
    let mut rig = Rig::new(Config::default());
    rig.read(client(2_000), "snponly.efi", windowed(512, 2)).unwrap();
    let (send, _) = rig.output().unwrap();
    rig.ack(send, 0).unwrap();
    assert_eq!(rig.blocks().1, [1, 2]);
    let mut resent = 0;
    while let Some(deadline) = rig.server.next_deadline() {
        rig.ms = deadline.as_nanos() / 1_000_000;
        rig.wait(0);
        let mut out = Vec::new();
        resent += u32::from(rig.server.poll_output(&mut out).is_some());
    }
    assert_eq!(resent, 6);
    assert_eq!(rig.server.counts(), Counts { silent: 1, ..Counts::default() });
}

#[test]
fn a_lost_last_ack_is_no_failure() {
    let mut rig = Rig::new(Config::default());
    rig.read(client(2_000), "empty", Granted::default()).unwrap();
    let (_, datagrams) = rig.output().unwrap();
    assert_eq!(datagrams, [b"\0\x03\0\x01"]);
    while rig.server.next_deadline().is_some() {
        rig.wait(1_000);
        while rig.output().is_some() {}
    }
    assert_eq!(rig.server.counts(), Counts { unconfirmed: 1, ..Counts::default() });
}

#[test]
fn a_client_that_asks_for_a_timeout_gets_just_that() {
    let mut rig = Rig::new(Config::default());
    let asked = Granted { timeout_seconds: Some(9), ..Granted::default() };
    rig.read(client(2_000), "snponly.efi", asked).unwrap();
    let (_, datagrams) = rig.output().unwrap();
    assert_eq!(datagrams, [b"\0\x06timeout\x009\0"]);
    rig.wait(8_900); // Beyond the span of the timer wheel.
    assert_eq!(rig.output(), None);
    rig.wait(200);
    assert!(rig.output().is_some());
}

#[test]
fn a_repeated_request_is_answered_again_but_starts_nothing() {
    let mut rig = Rig::new(Config::default());
    for _ in 0..3 {
        rig.read(client(2_000), "snponly.efi", windowed(512, 4)).unwrap();
        let (_, datagrams) = rig.output().unwrap();
        assert_eq!(datagrams, [b"\0\x06blksize\x00512\0windowsize\x004\0"]);
        assert_eq!((rig.server.transfers(), rig.output()), (1, None));
    }
    let send = Send { socket: 0, to: client(2_000), local: LOCAL, segment_bytes: 0 };
    rig.ack(send, 0).unwrap();
    assert_eq!(rig.blocks().1, [1, 2, 3, 4]);
    let again = rig.read(client(2_000), "snponly.efi", windowed(512, 4));
    assert_eq!(again, Err(DropReason::TftpRequestRepeated));
    let other = rig.read(client(2_000), "empty", windowed(512, 4));
    assert_eq!(other, Err(DropReason::TftpRequestRepeated), "an old packet ends no transfer");
    // Two waits in vain: the client must have started over from the same port.
    rig.wait(1_010);
    rig.blocks();
    rig.wait(2_010);
    rig.blocks();
    rig.read(client(2_000), "snponly.efi", windowed(512, 4)).unwrap();
    assert!(matches!(parse(&rig.output().unwrap().1[0]), Ok(Packet::OptionAck(_))));
    assert_eq!(rig.server.counts(), Counts { replaced: 1, ..Counts::default() });
}

#[test]
fn transfers_are_bounded() {
    let mut rig = Rig::new(Config { transfers_max: 2, ..Config::default() });
    for port in 0..2 {
        rig.read(client(2_000 + port), "snponly.efi", windowed(512, 4)).unwrap();
    }
    let full = rig.read(client(2_002), "snponly.efi", windowed(512, 4));
    assert_eq!(full, Err(DropReason::TftpFull));
    let (send, datagrams) = rig.output().unwrap();
    assert_eq!(send.to, client(2_002));
    assert!(matches!(parse(&datagrams[0]), Ok(Packet::Error { code: 0, .. })));
    let (send, _) = rig.output().unwrap();
    rig.error(send, ErrorCode::Undefined).unwrap();
    rig.read(client(2_002), "snponly.efi", windowed(512, 4)).unwrap();
}

#[test]
fn ten_thousand_transfers_all_complete() {
    let mut rig = Rig::new(Config::default());
    let clients = 10_000;
    for number in 0..clients {
        let address = Ipv4Addr::from_bits(0x0a01_0000 + number);
        let from = SocketAddr::from((address, 2_000));
        rig.read(from, "snponly.efi", windowed(1468, 16)).unwrap();
    }
    let mut out = Vec::new();
    while let Some(send) = rig.server.poll_output(&mut out) {
        let last = out.chunks(send.segment_bytes).next_back().unwrap();
        let block = match parse(last).unwrap() {
            Packet::Data { block, .. } => block,
            _ => 0,
        };
        rig.ack(send, block).unwrap();
    }
    assert_eq!(rig.server.counts(), Counts { complete: clients.into(), ..Counts::default() });
    assert_eq!(rig.server.next_deadline(), None);
}

#[test]
fn deadlines_follow_the_measured_round_trip() {
    let mut rig = Rig::new(Config::default());
    rig.read(client(2_000), "snponly.efi", windowed(512, 1)).unwrap();
    let (send, _) = rig.output().unwrap();
    rig.ack(send, 0).unwrap();
    for block in 1..=5 {
        rig.blocks();
        rig.ms += 2;
        rig.ack(send, block).unwrap();
    }
    rig.blocks();
    let wait = rig.server.next_deadline().unwrap().saturating_since(at_ms(rig.ms).instant);
    assert!(wait <= Duration::from_millis(1_000));
    rig.wait(190);
    assert_eq!(rig.output(), None);
    rig.wait(20);
    assert_eq!(rig.blocks().1, [6]);
}

#[test]
fn a_text_in_netascii_has_the_line_ends_of_the_network() {
    let mut rig = Rig::new(Config::default());
    let ask = |rig: &mut Rig, port, name: &str, mode: &str| {
        let request = format!("\0\x01{name}\0{mode}\0tsize\x000\0");
        rig.request(client(port), request.as_bytes())
    };
    ask(&mut rig, 1, "menu.cfg", "NetASCII").unwrap();
    let (sent, datagrams) = rig.output().unwrap();
    let Packet::OptionAck(granted) = parse(&datagrams[0]).unwrap() else { panic!("no OACK") };
    let want = b"one\r\ntwo\r\0three\r\0\r\n";
    assert_eq!(granted.transfer_bytes, Some(want.len() as u64), "as it is sent");
    rig.ack(sent, 0).unwrap();
    let (_, datagrams) = rig.output().unwrap();
    assert_eq!(parse(&datagrams[0]).unwrap(), Packet::Data { block: 1, payload: want });
    ask(&mut rig, 2, "menu.cfg", "octet").unwrap();
    let (sent, _) = rig.output().unwrap();
    rig.ack(sent, 0).unwrap();
    let (_, datagrams) = rig.output().unwrap();
    let payload = b"one\ntwo\rthree\r\n";
    assert_eq!(parse(&datagrams[0]).unwrap(), Packet::Data { block: 1, payload });
    // A boot loader would come out broken, and a long text would be held in memory for each.
    for (port, name) in [(3, "snponly.efi"), (4, "long.cfg")] {
        let refused = ask(&mut rig, port, name, "netascii");
        assert_eq!(refused, Err(DropReason::TftpModeRefused), "{name}");
    }
}
