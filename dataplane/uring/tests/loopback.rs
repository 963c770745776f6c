//! The ring against the real kernel, over loopback and port 0.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ironherd_uring::socket::{Share, UdpOptions, listener, listener6, local_port, udp, udp6};
use ironherd_uring::{Done, Outgoing, Ring, RingConfig, SocketId, Source, Target};

const PATIENCE: Duration = Duration::from_secs(10);

/// Makes a ring, or says loudly why this test does not run.
fn ring(config: RingConfig) -> Option<Ring> {
    match Ring::new(config) {
        Ok(ring) => Some(ring),
        Err(error)
            if std::env::var_os("IRONHERD_TESTS_REQUIRE_ALL").is_some_and(|it| it == "1") =>
        {
            panic!("IRONHERD_TESTS_REQUIRE_ALL=1, but {error}")
        }
        Err(error) => {
            println!("SKIPPED: {error}");
            None
        }
    }
}

fn small() -> RingConfig {
    RingConfig {
        submissions: 64,
        datagram_buffers: 16,
        stream_buffers: 8,
        small_slots: 32,
        large_slots: 4,
        streams_max: 8,
        ..RingConfig::default()
    }
}

/// Turns the ring until `each` has seen what it waits for.
#[track_caller]
fn turn_until(ring: &mut Ring, mut each: impl FnMut(&mut Ring, Done) -> bool) {
    let start = Instant::now();
    let mut batch = Vec::new();
    loop {
        assert!(start.elapsed() < PATIENCE, "nothing came: {:?}", ring.counters());
        ring.submit_and_wait(Some(Duration::from_millis(100))).unwrap();
        ring.reap_into(&mut batch).unwrap();
        let mut seen = false;
        for done in batch.drain(..) {
            seen |= each(ring, done);
        }
        if seen {
            return;
        }
    }
}

const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

fn open(ring: &mut Ring) -> (SocketId, SocketAddr) {
    open_at(ring, LOOPBACKS[0])
}

fn open_at(ring: &mut Ring, loopback: IpAddr) -> (SocketId, SocketAddr) {
    let socket = match loopback {
        IpAddr::V4(_) => udp(UdpOptions { port: 0, shared: false, dhcp_share: None }).unwrap(),
        IpAddr::V6(_) => udp6(0, false).unwrap(),
    };
    let port = local_port(&socket).unwrap();
    (ring.add_datagram_socket(socket).unwrap(), SocketAddr::new(loopback, port))
}

fn client() -> UdpSocket {
    client_at(LOOPBACKS[0])
}

fn client_at(loopback: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((loopback, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap()
}

#[test]
fn a_datagram_is_echoed_with_its_addresses() {
    for loopback in LOOPBACKS {
        let Some(ring) = ring(small()) else { return };
        check_echo(ring, loopback);
    }
}

#[track_caller]
fn check_echo(mut ring: Ring, loopback: IpAddr) {
    let (socket, server) = open_at(&mut ring, loopback);
    let client = client_at(loopback);
    client.send_to(b"discover", server).unwrap();
    turn_until(&mut ring, |ring, done| {
        let Done::Datagram { socket: on, buffer } = done else { return false };
        let (payload, source) = {
            let datagram = ring.datagram(on, &buffer).expect("whole, with its interface");
            assert_eq!(datagram.source, address(&client));
            assert_eq!((datagram.local, datagram.destination), (loopback, loopback));
            let source = Source { interface: datagram.interface, address: datagram.local };
            (datagram.payload.to_vec(), source)
        };
        assert_eq!(payload, b"discover");
        ring.recycle(buffer);
        let to = Target::Udp(address(&client));
        let source = Some(source);
        let outgoing = Outgoing { socket, to, source, payload: b"offer", segment_bytes: None };
        ring.send(outgoing).unwrap();
        true
    });
    ring.submit_and_wait(Some(Duration::from_millis(100))).unwrap();
    let mut answer = [0; 64];
    let (len, from) = client.recv_from(&mut answer).unwrap();
    assert_eq!((&answer[..len], from), (&b"offer"[..], server));
}

#[test]
fn one_send_becomes_many_datagrams() {
    for loopback in LOOPBACKS {
        let Some(ring) = ring(small()) else { return };
        check_segments(ring, loopback);
    }
}

#[track_caller]
fn check_segments(mut ring: Ring, loopback: IpAddr) {
    let (socket, server) = open_at(&mut ring, loopback);
    let client = client_at(loopback);
    let payload: Vec<u8> = (0..10_000u32).map(|it| it.to_le_bytes()[0]).collect();
    let to = Target::Udp(address(&client));
    let segment_bytes = Some(1468);
    // With a source, so that both kinds of control data stand in one send.
    let source = Some(Source { interface: 0, address: server.ip() });
    ring.send(Outgoing { socket, to, source, payload: &payload, segment_bytes }).unwrap();
    ring.submit_and_wait(Some(Duration::from_millis(100))).unwrap();
    let mut got = Vec::new();
    let mut datagram = [0; 2048];
    while got.len() < payload.len() {
        let len = client.recv(&mut datagram).unwrap();
        assert_eq!(len, (payload.len() - got.len()).min(1468));
        got.extend_from_slice(&datagram[..len]);
    }
    assert_eq!(got, payload);
}

#[test]
fn starved_of_buffers_the_ring_waits_and_goes_on() {
    let Some(mut ring) = ring(RingConfig { datagram_buffers: 2, ..small() }) else { return };
    let (_, server) = open(&mut ring);
    let client = client();
    for number in 0..8u8 {
        client.send_to(&[number], server).unwrap();
    }
    let mut kept = Vec::new();
    turn_until(&mut ring, |_, done| {
        kept.extend(match done {
            Done::Datagram { buffer, .. } => Some(buffer),
            _ => None,
        });
        kept.len() == 2
    });
    // With every buffer in our hands nothing may arrive, and the ring must not spin either.
    let (mut batch, starved) = (Vec::new(), ring.counters().starved);
    for _ in 0..5 {
        ring.submit_and_wait(Some(Duration::from_millis(10))).unwrap();
        ring.reap_into(&mut batch).unwrap();
    }
    assert!(batch.is_empty(), "{batch:?}");
    assert!(ring.counters().starved <= starved + 1, "it armed again and again");
    kept.drain(..).for_each(|buffer| ring.recycle(buffer));
    let mut numbers = 2;
    turn_until(&mut ring, |ring, done| {
        if let Done::Datagram { buffer, .. } = done {
            ring.recycle(buffer);
            numbers += 1;
        }
        numbers == 8
    });
}

#[test]
fn shards_share_out_dhcp_clients_by_their_cards() {
    let Some(mut ring) = ring(small()) else { return };
    let shares = [0, 1, 2].map(|index| Share { index, count: 3 });
    let sockets = shares.map(|share| {
        let options = UdpOptions { port: 0, shared: false, dhcp_share: Some(share) };
        ring.add_datagram_socket(udp(options).unwrap()).unwrap()
    });
    let client = client();
    // A broadcast reaches every socket; loopback has none, so each is sent the same.
    for card in 0..30 {
        let mut discover = [0; 300];
        discover[28..34].copy_from_slice(&[0x52, 0x54, 0, 0x77, 0, card]);
        for socket in sockets {
            client.send_to(&discover, ("127.0.0.1", ring.local_port(socket))).unwrap();
        }
    }
    let mut taken = vec![Vec::new(); 30];
    turn_until(&mut ring, |ring, done| {
        if let Done::Datagram { socket, buffer } = done {
            let card = ring.datagram(socket, &buffer).unwrap().payload[33];
            taken[usize::from(card)].push(socket.index());
            ring.recycle(buffer);
        }
        taken.iter().all(|it| !it.is_empty())
    });
    for (card, by) in taken.iter().enumerate() {
        assert_eq!(by.len(), 1, "card {card} is served by {by:?}");
    }
    for socket in 0..3 {
        let count = taken.iter().filter(|by| by[0] == socket).count();
        assert_eq!(count, 10, "shard {socket}");
    }
}

#[test]
fn a_datagram_longer_than_a_buffer_is_refused() {
    let Some(mut ring) = ring(small()) else { return };
    let (_, server) = open(&mut ring);
    client().send_to(&[7; 4000], server).unwrap();
    turn_until(&mut ring, |ring, done| {
        let Done::Datagram { socket, buffer } = done else { return false };
        assert!(ring.datagram(socket, &buffer).is_none());
        ring.recycle(buffer);
        true
    });
}

#[test]
fn a_stream_is_accepted_read_answered_and_closed() {
    for loopback in LOOPBACKS {
        let Some(ring) = ring(small()) else { return };
        check_stream(ring, loopback);
    }
}

#[track_caller]
fn check_stream(mut ring: Ring, loopback: IpAddr) {
    let socket = match loopback {
        IpAddr::V4(_) => listener(0, false).unwrap(),
        IpAddr::V6(_) => listener6(0, false).unwrap(),
    };
    let port = socket.local_addr().unwrap().port();
    ring.add_listener(socket);
    let client = std::thread::spawn(move || {
        let mut stream = TcpStream::connect((loopback, port)).unwrap();
        stream.write_all(b"GET").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    });
    let body = Bytes::from(vec![42; 3 << 20]);
    let mut sent = 0;
    turn_until(&mut ring, |ring, done| match done {
        Done::Accepted { stream, local, .. } => {
            assert_eq!(local, SocketAddr::new(loopback, port));
            ring.receive(stream);
            false
        }
        Done::Received { stream, buffer: Some(buffer) } => {
            assert_eq!(ring.bytes(&buffer), b"GET");
            ring.recycle(buffer);
            ring.receive(stream); // Left in flight when the connection is closed.
            ring.stream_send(stream, body.clone()).unwrap();
            false
        }
        Done::StreamSent { stream, bytes } => {
            sent += bytes;
            if sent == body.len() {
                ring.close(stream);
            } else {
                ring.stream_send(stream, body.slice(sent..)).unwrap();
            }
            sent == body.len()
        }
        other => panic!("{other:?}"),
    });
    ring.submit_and_wait(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(client.join().unwrap(), body);
    assert_eq!(ring.counters().late, 0);
}

#[test]
fn a_commit_is_on_disk_when_it_is_reported() {
    let Some(mut ring) = ring(small()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    ring.set_journal(std::fs::File::create(&path).unwrap());
    for (offset, text) in [(0, "first "), (6, "second")] {
        ring.commit(text.as_bytes().to_vec(), offset).unwrap();
        assert!(ring.is_committing());
        turn_until(&mut ring, |_, done| {
            let Done::Committed { result, bytes } = done else { return false };
            result.unwrap();
            assert_eq!(bytes, text.as_bytes());
            true
        });
        assert!(!ring.is_committing());
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "first second");
}

#[test]
fn a_failed_write_is_reported_and_never_synced() {
    let Some(mut ring) = ring(small()) else { return };
    ring.set_journal(std::fs::File::open("/dev/null").unwrap()); // Opened for reading only.
    ring.commit(b"lost".to_vec(), 0).unwrap();
    turn_until(&mut ring, |_, done| {
        let Done::Committed { result, .. } = done else { return false };
        assert!(result.is_err());
        true
    });
}

#[test]
fn a_write_and_its_sync_are_reported_apart() {
    let Some(mut ring) = ring(small()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    ring.set_journal(std::fs::File::create(&path).unwrap());
    ring.write_journal(b"written".to_vec(), 0).unwrap();
    turn_until(&mut ring, |_, done| matches!(done, Done::Committed { result: Ok(()), .. }));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "written");
    assert!(ring.sync_journal().unwrap());
    assert!(!ring.sync_journal().unwrap(), "one at a time");
    turn_until(&mut ring, |_, done| matches!(done, Done::Synced { result: Ok(()) }));
    // The kernel hears of this sync only after its file was replaced.
    assert!(ring.sync_journal().unwrap());
    ring.set_journal(std::fs::File::create(folder.path().join("next")).unwrap());
    turn_until(&mut ring, |_, done| {
        let Done::Synced { result } = done else { return false };
        result.as_ref().expect("the file stays open as long as its sync");
        true
    });
    assert!(ring.sync_journal().unwrap());
}

#[test]
fn each_client_has_one_shard_whatever_way_its_datagram_comes() {
    const COUNT: u32 = 3;
    let open = |index, port| {
        let dhcp_share = Some(Share { index, count: COUNT });
        udp(UdpOptions { port, shared: true, dhcp_share }).unwrap()
    };
    let first = open(0, 0);
    let port = local_port(&first).unwrap();
    let shards: Vec<UdpSocket> = [first, open(1, port), open(2, port)].map(Into::into).into();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..60_u32 {
        let mut message = [0; 240];
        message[28..30].copy_from_slice(&[2, 0]);
        message[30..34].copy_from_slice(&number.to_be_bytes());
        client.send_to(&message, ("127.0.0.1", port)).unwrap();
        let mut got = [0; 240];
        let shard = &shards[(number % COUNT) as usize];
        shard.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        assert_eq!(shard.recv(&mut got).unwrap(), 240, "client {number}");
        assert_eq!(got, message);
    }
    for shard in &shards {
        shard.set_nonblocking(true).unwrap();
        assert!(shard.recv(&mut [0; 240]).is_err(), "nothing comes twice");
    }
}

#[test]
fn another_thread_wakes_the_ring() {
    let Some(mut ring) = ring(small()) else { return };
    let waker = ring.waker();
    for _ in 0..3 {
        let waker = waker.clone();
        let other = std::thread::spawn(move || waker.wake());
        turn_until(&mut ring, |_, done| matches!(done, Done::Woken));
        other.join().unwrap();
    }
}
