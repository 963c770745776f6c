//! The server against lossy, repeating, delaying, reordering networks. Every seed replays.

mod client;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ironherd_wire::tftp::Granted;

use self::client::{Client, Habit};
use super::{Config, Server};
use crate::fixture::{Chance, MemoryFiles, pattern};
use crate::{DropReason, Files as _, Instant, Now};

const SEEDS: u64 = 500;
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
const POOL_PORT: u16 = 40_000;

/// Goal: whatever the network does, a transfer ends, and no fault makes traffic grow without
/// bound; on a network that loses less than one in ten, every file arrives whole.
#[test]
fn transfers_end_under_any_faults() {
    let only = std::env::var("SIM_SEED").ok().map(|it| it.parse::<u64>().unwrap());
    for seed in only.map_or(0..SEEDS, |seed| seed..seed + 1) {
        let mut sim = Sim::new(seed);
        while let Some(at) = sim.next_event() {
            assert!(at < Instant::from_nanos(600_000_000_000), "seed {seed}: still running");
            sim.advance_to(at);
            assert!(sim.queue.len() <= sim.in_flight_max, "seed {seed}: traffic grows");
        }
        assert_eq!(sim.server.transfers(), 0, "seed {seed}: a transfer is left over");
        assert!(sim.sent <= sim.sent_max(), "seed {seed}: {} datagrams sent", sim.sent);
        for client in &sim.clients {
            let want = sim.files.open(&client.name).unwrap().bytes;
            if client.done {
                assert!(client.received == want, "seed {seed}: {} is damaged", client.name);
            } else {
                let lossy = 100 <= sim.faults.loss_permille;
                assert!(lossy && client.gave_up, "seed {seed}: {} did not end well", client.name);
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Faults {
    loss_permille: u64,
    repeat_permille: u64,
    delay_us: u64,
    jitter_us: u64, // Above zero, packets overtake each other.
}

impl Faults {
    fn draw(chance: &mut Chance) -> Self {
        Self {
            loss_permille: chance.pick(&[0, 0, 1, 10, 50, 90, 150, 300]),
            repeat_permille: chance.pick(&[0, 0, 10, 100, 300]),
            delay_us: chance.pick(&[50, 500, 5_000, 40_000]),
            jitter_us: chance.pick(&[0, 0, 100, 3_000, 50_000]),
        }
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    at: Instant,
    order: u64,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

struct Sim {
    chance: Chance,
    faults: Faults,
    files: MemoryFiles,
    server: Server,
    clients: Vec<Client>,
    queue: BinaryHeap<Reverse<Flight>>,
    order: u64,
    now: Instant,
    sent: u64,
    in_flight_max: usize,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let faults = Faults::draw(&mut chance);
        let server = Server::new(Config { sockets: 3, ..Config::default() });
        let mut sim = Self {
            chance,
            faults,
            files: MemoryFiles::default(),
            server,
            clients: Vec::new(),
            queue: BinaryHeap::new(),
            order: 0,
            now: Instant::from_nanos(1_000_000 * (seed % 7_777)),
            sent: 0,
            in_flight_max: 0,
        };
        let clients = 1 + sim.chance.below(6);
        for number in 0..clients {
            sim.add_client(number, seed.is_multiple_of(50) && number == 0);
        }
        sim
    }

    /// `wraps`: over 65,536 blocks, so that the wire number comes round.
    fn add_client(&mut self, number: u64, wraps: bool) {
        let chance = &mut self.chance;
        let block_bytes = chance.pick(&[None, Some(512_u16), Some(1024), Some(1468), Some(9000)]);
        let window = chance.pick(&[None, None, Some(1), Some(4), Some(16), Some(64), Some(65_535)]);
        let mut asked = Granted {
            block_bytes,
            window_blocks: window,
            transfer_bytes: chance.pick(&[None, Some(0)]),
            timeout_seconds: chance.pick(&[None, None, None, Some(1), Some(2)]),
        };
        let mut len =
            usize::try_from(chance.pick(&[0, 1, 511, 512, 5_120, 14_680, 90_001])).unwrap();
        if wraps {
            (asked.block_bytes, asked.window_blocks, len) = (Some(8), Some(64), 8 * 65_600 + 3);
            self.faults = Faults { loss_permille: 1, jitter_us: 0, ..self.faults };
        }
        let name = format!("file-{number}");
        self.files = std::mem::take(&mut self.files).with(&name, pattern(len));
        let port = 2_000 + u16::try_from(number).unwrap();
        let address = SocketAddr::from((Ipv4Addr::new(10, 77, 1, 1), port));
        let habit = self.chance.pick(&[Habit::Edk2, Habit::Grub, Habit::Rfc]);
        let mut client = Client::new(address, habit, &name, asked);
        client.probes = self.chance.permille(300);
        client.dallies = self.chance.permille(500);
        let request = client.request(self.now);
        // A window and its ACKs, twice over for repeats, and once more for what was resent.
        let window = usize::from(asked.window_blocks.unwrap_or(1).min(64));
        self.in_flight_max += 6 * (window + 4);
        self.post(client.address, request_port(), request);
        self.clients.push(client);
    }

    /// Each block once, plus what the faults explain: a window for each loss and each give-up.
    fn sent_max(&self) -> u64 {
        let bound = |client: &Client| {
            let block = u64::from(client.asked.block_bytes.unwrap_or(512).min(1468));
            let blocks = self.files.open(&client.name).unwrap().bytes.len() as u64 / block + 1;
            let window = u64::from(client.asked.window_blocks.unwrap_or(1).min(64));
            let unruly = 3 * (self.faults.loss_permille + self.faults.repeat_permille)
                + if self.faults.jitter_us == 0 { 0 } else { 1_000 };
            blocks + 12 * (window + 2) + blocks * window * unruly / 1_000
        };
        self.clients.iter().map(bound).sum()
    }

    fn next_event(&self) -> Option<Instant> {
        let flight = self.queue.peek().map(|Reverse(flight)| flight.at);
        let clients = self.clients.iter().filter_map(|client| client.deadline);
        clients.chain(flight).chain(self.server.next_deadline()).min()
    }

    fn advance_to(&mut self, at: Instant) {
        self.now = self.now.max(at);
        let now = Now { instant: self.now, ..Now::default() };
        while self.queue.peek().is_some_and(|Reverse(flight)| flight.at <= self.now) {
            let Some(Reverse(flight)) = self.queue.pop() else { break };
            self.deliver(&flight, now);
        }
        for at in 0..self.clients.len() {
            let client = &mut self.clients[at];
            if client.deadline.is_some_and(|deadline| deadline <= self.now)
                && let Some((to, bytes)) = client.handle_timeout(self.now)
            {
                let from = client.address;
                self.post(from, to.unwrap_or_else(request_port), bytes);
            }
        }
        self.server.handle_timeouts(now);
        self.drain();
    }

    fn deliver(&mut self, flight: &Flight, now: Now) {
        if flight.to == request_port() {
            let (from, bytes) = (flight.from, &flight.bytes);
            let handled = self.server.handle_request(&self.files, from, SERVER, bytes, now);
            assert!(matches!(handled, Ok(()) | Err(DropReason::TftpRequestRepeated)));
        } else if flight.to.ip() == SERVER {
            let socket = usize::from(flight.to.port() - POOL_PORT);
            // Refusals are as they may be: ACKs repeated, late, or of a transfer that is over.
            let _ = self.server.handle_packet(socket, flight.from, &flight.bytes, now);
        } else if let Some(client) = self.clients.iter_mut().find(|it| it.address == flight.to) {
            let probing = client.probes;
            let answer = client.handle(flight.from, &flight.bytes, self.now);
            let request = (probing && !client.probes).then(|| client.request(self.now));
            let address = client.address;
            if let Some(answer) = answer {
                self.post(flight.to, flight.from, answer);
            }
            if let Some(request) = request {
                self.post(address, request_port(), request);
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        let mut out = Vec::new();
        while let Some(send) = self.server.poll_output(&mut out) {
            assert!(out.len() <= 65_507 && out.len().div_ceil(send.segment_bytes) <= 64);
            let from = SocketAddr::from((SERVER, POOL_PORT + u16::try_from(send.socket).unwrap()));
            for datagram in out.chunks(send.segment_bytes) {
                self.sent += 1;
                self.post(from, send.to, datagram.to_vec());
            }
        }
        while self.server.poll_event().is_some() {}
    }

    fn post(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        if self.chance.permille(self.faults.loss_permille) {
            return;
        }
        let copies = 1 + u64::from(self.chance.permille(self.faults.repeat_permille));
        for _ in 0..copies {
            let jitter_us = self.chance.below(self.faults.jitter_us + 1);
            let at = self.now + Duration::from_micros(self.faults.delay_us + jitter_us);
            self.order += 1;
            let bytes = bytes.clone();
            self.queue.push(Reverse(Flight { at, order: self.order, from, to, bytes }));
        }
    }
}

fn request_port() -> SocketAddr {
    SocketAddr::from((SERVER, 69))
}
