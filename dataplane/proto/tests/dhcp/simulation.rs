//! A rack and its clients over a network that loses, repeats and reorders, on a disk that takes
//! its time, with crashes. Some clients sit behind a relay, some share a link of two subnets, some
//! are members of a class with a range of its own, and some commit rapidly.
//!
//! Goal: no address has two holders, no promise is forgotten, every packet is answered or counted,
//! and once the faults end every client gets its address.
//! Method: each seed draws its own faults and replays exactly; `SIM_SEED=n` runs one alone.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ironherd_leases::{Position, State, Table};
use ironherd_proto::dhcp::{Config, Server, ServerPort};
use ironherd_proto::{DropCounters, Instant, Now, UnixSeconds};
use ironherd_snapshot::Index;
use ironherd_wire::dhcp::{Message, MessageType, code};

use crate::lab::{NOBODY, OURS, Said, link, mac};
use crate::worlds::{self, Chance};

const CLIENTS: u8 = 12;
const TICK: Duration = Duration::from_millis(100);
const TICKS_A_SECOND: u64 = 10;
/// Ticks with faults, then ticks to recover in.
const FAULTS_UNTIL: u64 = 3_000;
const TICKS: u64 = 4_000;
/// No packet is on its way for longer: what is older is gone.
const DELAY_TICKS_MAX: u64 = 30;
/// How long a client waits for an answer: longer than any packet takes.
const PATIENCE_TICKS: u64 = 40;

const RELAY: SocketAddrV4 = SocketAddrV4::new(worlds::RELAY, 67);

fn is_relayed(client: u8) -> bool {
    client % 4 == 3
}

fn is_member(client: u8) -> bool {
    client.is_multiple_of(3)
}

fn is_rapid(client: u8) -> bool {
    client % 5 == 2
}

#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    loss: u64, // All in permille.
    repeat: u64,
    delay: u64,
    crash: u64,
    slow_disk: u64,
    release: u64,
}

impl Faults {
    fn draw(chance: &mut Chance) -> Self {
        let mut maybe = |most: u64| if chance.permille(300) { 0 } else { chance.below(most) };
        Self {
            loss: maybe(400),
            repeat: maybe(300),
            delay: maybe(500),
            crash: maybe(20),
            slow_disk: maybe(900),
            release: maybe(20),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Doing {
    Off { until: u64 },
    Selecting { xid: u32, since: u64 },
    Requesting { xid: u32, wish: Ipv4Addr, since: u64 },
    Holding { ip: Ipv4Addr, until: u64, renew: u64 },
    Renewing { xid: u32, ip: Ipv4Addr, until: u64, since: u64 },
}

impl Doing {
    /// The address it believes to be its own, and until when.
    fn holds(self) -> Option<(Ipv4Addr, u64)> {
        match self {
            Self::Holding { ip, until, .. } | Self::Renewing { ip, until, .. } => Some((ip, until)),
            Self::Off { .. } | Self::Selecting { .. } | Self::Requesting { .. } => None,
        }
    }
}

struct Packet {
    at: u64,
    to_server: bool,
    bytes: Vec<u8>,
}

struct Sim {
    seed: u64,
    chance: Chance,
    faults: Faults,
    tick: u64,
    index: Index,
    server: Server,
    disk: Vec<u8>,
    in_flight: Option<(Position, Vec<u8>, bool, u64)>, // Bool: whole file; number: done when.
    clients: Vec<Doing>,
    network: Vec<Packet>,
    expected: u64, // Replies the server owes since its last start.
    sent: u64,
    drops: DropCounters,
    xid: u32,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let faults = Faults::draw(&mut chance);
        let snapshot = worlds::crowded(&mut chance, CLIENTS);
        let clients = (0..CLIENTS).map(|_| Doing::Off { until: chance.below(50) }).collect();
        Self {
            seed,
            chance,
            faults,
            tick: 0,
            index: Index::new(snapshot),
            server: Server::new(Config::default(), Table::default()),
            disk: Vec::new(),
            in_flight: None,
            clients,
            network: Vec::new(),
            expected: 0,
            sent: 0,
            drops: DropCounters::new(),
            xid: 0,
        }
    }

    fn now(&self) -> Now {
        let instant = Instant::default() + TICK * u32::try_from(self.tick).unwrap();
        Now { instant, wall: UnixSeconds(1_000_000 + self.tick / TICKS_A_SECOND) }
    }

    fn lease_ticks(&self) -> u64 {
        u64::from(self.index.snapshot().subnets[0].lease_seconds) * TICKS_A_SECOND
    }

    fn run(&mut self) {
        while self.tick < TICKS {
            self.tick += 1;
            if self.tick == FAULTS_UNTIL {
                self.faults = Faults::default();
            }
            self.deliver();
            self.turn_server();
            for client in 0..CLIENTS {
                self.turn_client(client);
            }
            if self.chance.permille(self.faults.crash) {
                self.crash();
            }
            self.check_holders();
        }
        for (client, doing) in self.clients.iter().enumerate() {
            assert!(doing.holds().is_some(), "seed {}: client {client} is {doing:?}", self.seed);
        }
    }

    fn post(&mut self, to_server: bool, bytes: Vec<u8>) {
        let copies = 1 + u64::from(self.chance.permille(self.faults.repeat));
        for _ in 0..copies {
            if self.chance.permille(self.faults.loss) {
                continue;
            }
            let late = self.chance.permille(self.faults.delay);
            let delay = if late { 1 + self.chance.below(DELAY_TICKS_MAX) } else { 1 };
            self.network.push(Packet { at: self.tick + delay, to_server, bytes: bytes.clone() });
        }
    }

    /// Hands over what is due, in an order of its own.
    fn deliver(&mut self) {
        let tick = self.tick;
        let mut due: Vec<_> = self.network.extract_if(.., |it| it.at <= tick).collect();
        while !due.is_empty() {
            let at = self.chance.below(u64::try_from(due.len()).unwrap());
            let packet = due.swap_remove(usize::try_from(at).unwrap());
            if packet.to_server {
                self.hear_client(&packet.bytes);
            } else {
                self.hear_server(&packet.bytes);
            }
        }
    }

    fn hear_client(&mut self, bytes: &[u8]) {
        let message = Message::parse(bytes).unwrap();
        let source = SocketAddrV4::new(message.ciaddr(), 68);
        let source = if is_relayed(message.chaddr()[5]) { RELAY } else { source };
        let now = self.now();
        let port = ServerPort::Dhcp67;
        match self.server.handle_datagram(&self.index, port, source, &link(), bytes, now) {
            Ok(()) if message.message_type() == Some(MessageType::Release) => {}
            Ok(()) => self.expected += 1,
            Err(reason) => self.drops.count(reason),
        }
    }

    fn turn_server(&mut self) {
        self.server.handle_timeouts(self.now());
        if let Some((position, bytes, whole, _)) = self.in_flight.take_if(|it| it.3 <= self.tick) {
            if whole {
                self.disk.clear();
            }
            self.disk.extend_from_slice(&bytes);
            self.server.handle_committed(position);
        }
        let mut bytes = Vec::new();
        let whole = self.chance.permille(10);
        let position = if whole {
            self.server.take_compaction(&mut bytes)
        } else {
            self.server.take_journal_batch(&mut bytes)
        };
        if let Some(position) = position {
            let slow = self.chance.permille(self.faults.slow_disk);
            let done = self.tick + if slow { 1 + self.chance.below(10) } else { 0 };
            self.in_flight = Some((position, bytes, whole, done));
        }
        let mut payload = Vec::new();
        while self.server.poll_reply(&mut payload).is_some() {
            self.sent += 1;
            self.post(false, payload.clone());
        }
        while self.server.poll_event().is_some() {}
        // Whoever was accepted is answered, unless its promise was withdrawn and counted.
        let withdrawn: u64 = self.server.withdrawn().iter().map(|(_, times)| times).sum();
        assert!(self.sent + withdrawn <= self.expected, "seed {}", self.seed);
        if self.in_flight.is_none() && self.server.leases().pending_bytes() == 0 {
            assert_eq!(self.sent + withdrawn, self.expected, "seed {}", self.seed);
        }
    }

    /// The power fails: the disk keeps what was committed and any part of what was not.
    fn crash(&mut self) {
        match self.in_flight.take() {
            Some((_, bytes, true, _)) if self.chance.permille(500) => self.disk = bytes,
            Some((_, bytes, false, _)) => {
                let cut = self.chance.below(u64::try_from(bytes.len() + 1).unwrap());
                self.disk.extend_from_slice(&bytes[..usize::try_from(cut).unwrap()]);
            }
            _ => {}
        }
        let (leases, recovery) = Table::recover(&self.disk);
        self.disk.truncate(recovery.valid_bytes);
        for (client, doing) in (0..).zip(&self.clients) {
            let Some((ip, until)) = doing.holds().filter(|it| self.tick < it.1) else { continue };
            let lease = leases.lease_at(ip);
            let kept = lease.is_some_and(|it| {
                let ends = (it.expires - 1_000_000) * TICKS_A_SECOND;
                it.mac == mac(client) && it.state == State::Bound && until <= ends
            });
            assert!(kept, "seed {}: {ip} of client {client} is {lease:?}", self.seed);
        }
        self.server = Server::new(Config::default(), leases);
        (self.expected, self.sent) = (0, 0);
    }

    fn say(&mut self, client: u8, kind: MessageType) -> Said {
        self.xid += 1;
        let xid = self.xid;
        let said = Said::new(kind, mac(client)).header(|it| it.xid = xid);
        let said =
            if is_relayed(client) { said.header(|it| it.giaddr = worlds::RELAY) } else { said };
        let said =
            if is_member(client) { said.with(code::VENDOR_CLASS, worlds::MEMBER) } else { said };
        said.with(code::PARAMETERS, &[1, 3, 6])
    }

    fn turn_client(&mut self, client: u8) {
        let tick = self.tick;
        let at = usize::from(client);
        if let Doing::Holding { ip, .. } = self.clients[at]
            && self.chance.permille(self.faults.release)
        {
            let said = self.say(client, MessageType::Release).header(|it| it.ciaddr = ip);
            self.post(true, said.bytes());
            // It stays away until no packet of its old life is left on the network.
            self.clients[at] = Doing::Off { until: tick + 2 * DELAY_TICKS_MAX };
            return;
        }
        match self.clients[at] {
            Doing::Off { until } if until <= tick => self.discover(client),
            Doing::Selecting { since, .. } | Doing::Requesting { since, .. }
                if since + PATIENCE_TICKS < tick =>
            {
                self.discover(client);
            }
            Doing::Holding { until, .. } | Doing::Renewing { until, .. } if until <= tick => {
                self.discover(client);
            }
            Doing::Holding { ip, until, renew } if renew <= tick => self.renew(client, ip, until),
            Doing::Renewing { ip, until, since, .. } if since + PATIENCE_TICKS < tick => {
                self.renew(client, ip, until);
            }
            _ => {}
        }
    }

    fn discover(&mut self, client: u8) {
        let said = self.say(client, MessageType::Discover);
        let said = if is_rapid(client) { said.with(code::RAPID_COMMIT, &[]) } else { said };
        self.post(true, said.bytes());
        let (xid, since) = (self.xid, self.tick);
        self.clients[usize::from(client)] = Doing::Selecting { xid, since };
    }

    fn renew(&mut self, client: u8, ip: Ipv4Addr, until: u64) {
        let said = self.say(client, MessageType::Request).header(|it| it.ciaddr = ip);
        self.post(true, said.bytes());
        let (xid, since) = (self.xid, self.tick);
        self.clients[usize::from(client)] = Doing::Renewing { xid, ip, until, since };
    }

    fn hear_server(&mut self, bytes: &[u8]) {
        let reply = Message::parse(bytes).unwrap();
        let client = reply.chaddr()[5];
        let at = usize::from(client);
        let (kind, xid_heard) = (reply.message_type().unwrap(), reply.xid());
        let lease_ticks = self.lease_ticks();
        match (self.clients[at], kind) {
            (Doing::Selecting { xid, .. }, MessageType::Offer) if xid == xid_heard => {
                let wish = reply.yiaddr();
                let said = self.say(client, MessageType::Request);
                let said = said.with(code::SERVER_ID, &OURS.octets()).wish(wish);
                self.post(true, said.bytes());
                let (xid, since) = (self.xid, self.tick);
                self.clients[at] = Doing::Requesting { xid, wish, since };
            }
            (Doing::Selecting { xid, since }, MessageType::Ack) if xid == xid_heard => {
                assert!(reply.option(code::RAPID_COMMIT).is_some(), "seed {}", self.seed);
                let (until, renew) = (since + lease_ticks, since + lease_ticks / 2);
                self.clients[at] = Doing::Holding { ip: reply.yiaddr(), until, renew };
            }
            (Doing::Requesting { xid, wish: ip, since }, MessageType::Ack)
            | (Doing::Renewing { xid, ip, since, .. }, MessageType::Ack)
                if xid == xid_heard =>
            {
                assert_eq!(reply.yiaddr(), ip, "seed {}", self.seed);
                // A lease counts from the moment it was asked for (RFC 2131 §4.4.1).
                let (until, renew) = (since + lease_ticks, since + lease_ticks / 2);
                self.clients[at] = Doing::Holding { ip, until, renew };
            }
            (Doing::Requesting { xid, .. } | Doing::Renewing { xid, .. }, MessageType::Nak)
                if xid == xid_heard =>
            {
                self.clients[at] = Doing::Off { until: self.tick };
            }
            _ => {} // Too late, or a repeat.
        }
    }

    fn check_holders(&self) {
        let mut holders = HashMap::new();
        for (client, doing) in self.clients.iter().enumerate() {
            if let Some((ip, _)) = doing.holds().filter(|it| self.tick < it.1) {
                assert_ne!(ip, NOBODY);
                let other = holders.insert(ip, client);
                assert_eq!(other, None, "seed {}: {ip} has two holders", self.seed);
            }
        }
    }
}

#[test]
fn no_promise_is_broken_under_any_faults() {
    let alone = std::env::var("SIM_SEED").ok().map(|it| it.parse::<u64>().unwrap());
    let seeds = alone.map_or(0..150, |it| it..it + 1);
    for seed in seeds {
        Sim::new(seed).run();
    }
}
