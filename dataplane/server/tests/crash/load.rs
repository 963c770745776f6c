use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use ironherd_wire::dhcp::{Encoder, Header, Message, MessageType, code};

use crate::lab::{Lab, RELAY, SERVER};

/// Many clients at once, and a ledger of what each was promised.
pub(crate) struct Load {
    relay: UdpSocket,
    direct: UdpSocket,
    random: Random,
    clients: Vec<Client>,
    ledger: HashMap<Ipv4Addr, usize>,
    acks: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Client {
    holds: Option<Ipv4Addr>,
    xid: u32,
    asks: Asks,
    /// When it gives up waiting.
    until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asks {
    #[default]
    Nothing,
    Offer,
    Lease,
    /// Whether what it holds is still its own.
    Again,
}

pub(crate) struct Random(u64);

const CLIENTS: usize = 900;
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_millis(250);
const BROADCAST_FLAG: u16 = 0x8000;

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() >> 33).unwrap() % bound
    }
}

impl Load {
    pub(crate) fn new(lab: &Lab, seed: u64) -> Self {
        let (relay, direct) = lab.sockets();
        let (random, ledger) = (Random::new(seed), HashMap::new());
        Self { relay, direct, random, clients: vec![Client::default(); CLIENTS], ledger, acks: 0 }
    }

    /// Promises that were made so far.
    pub(crate) fn acks(&self) -> u64 {
        self.acks
    }

    pub(crate) fn held(&self) -> usize {
        self.ledger.len()
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn();
        }
    }

    #[track_caller]
    pub(crate) fn run_until(&mut self, time: Duration, mut holds: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + time;
        while !holds(self) {
            assert!(Instant::now() < end, "it did not come, after {} promises", self.acks);
            self.run(Duration::from_millis(50));
        }
    }

    /// Asks for every promised address again: each must be its holder's.
    #[track_caller]
    pub(crate) fn check_promises(&mut self, when: &str) {
        self.clients.iter_mut().for_each(|it| (it.asks, it.until) = (Asks::Nothing, None));
        let mut open: Vec<usize> = self.ledger.values().copied().collect();
        open.iter().for_each(|it| self.clients[*it].asks = Asks::Again);
        let end = Instant::now() + Duration::from_secs(30);
        while !open.is_empty() {
            assert!(Instant::now() < end, "{when}: no answer to {} holders", open.len());
            for client in open.iter().take(AT_ONCE) {
                if self.clients[*client].until.is_none() {
                    self.ask(*client, Asks::Again);
                }
            }
            self.hear();
            self.give_up();
            open.retain(|it| self.clients[*it].asks == Asks::Again);
        }
    }

    /// Says one thing as one client, and waits for what is answered.
    pub(crate) fn converse(
        &mut self,
        client: usize,
        kind: MessageType,
        wish: Option<Ipv4Addr>,
    ) -> Option<(MessageType, Ipv4Addr)> {
        self.clients[client].xid = u32::try_from(self.random.next() >> 32).unwrap();
        self.send(client, kind, wish, wish.map(|_| SERVER));
        let mut bytes = [0; 1500];
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            for socket in [&self.relay, &self.direct] {
                let Ok(len) = socket.recv(&mut bytes) else { continue };
                let message = Message::parse(&bytes[..len]).unwrap();
                if message.xid() == self.clients[client].xid {
                    return Some((message.message_type().unwrap(), message.yiaddr()));
                }
            }
            std::thread::yield_now();
        }
        None
    }

    fn turn(&mut self) {
        let busy = self.clients.iter().filter(|it| it.until.is_some()).count();
        for _ in busy..AT_ONCE {
            let client = self.random.below(u32::try_from(CLIENTS).unwrap()) as usize;
            let Client { holds, until, .. } = self.clients[client];
            match (holds, until) {
                (_, Some(_)) => {}
                (None, None) => self.ask(client, Asks::Offer),
                (Some(_), None) if self.random.below(2) == 0 => self.release(client),
                (Some(_), None) => self.ask(client, Asks::Again),
            }
        }
        self.hear();
        self.give_up();
    }

    /// A client that waited for too long asks anew later.
    fn give_up(&mut self) {
        let now = Instant::now();
        for client in self.clients.iter_mut().filter(|it| it.until.is_some_and(|it| it < now)) {
            client.until = None;
        }
    }

    fn ask(&mut self, client: usize, asks: Asks) {
        let xid = u32::try_from(self.random.next() >> 32).unwrap();
        let until = Some(Instant::now() + PATIENCE);
        self.clients[client] = Client { xid, asks, until, ..self.clients[client] };
        match asks {
            Asks::Again => {
                let wish = self.clients[client].holds;
                self.send(client, MessageType::Request, wish, None);
            }
            _ => self.send(client, MessageType::Discover, None, None),
        }
    }

    /// From now on the address is anybody's.
    fn release(&mut self, client: usize) {
        let Some(address) = self.clients[client].holds.take() else { return };
        self.ledger.remove(&address);
        self.clients[client].asks = Asks::Nothing;
        let mut header = header(client, 0);
        header.ciaddr = address;
        let options = [(code::SERVER_ID, SERVER)];
        self.say(client, &header, MessageType::Release, &options);
    }

    fn send(
        &self,
        client: usize,
        kind: MessageType,
        wish: Option<Ipv4Addr>,
        server: Option<Ipv4Addr>,
    ) {
        let wish = wish.map(|it| (code::REQUESTED_ADDRESS, it));
        let options: Vec<_> =
            wish.into_iter().chain(server.map(|it| (code::SERVER_ID, it))).collect();
        self.say(client, &header(client, self.clients[client].xid), kind, &options);
    }

    /// Every other client sits behind the relay.
    fn say(&self, client: usize, header: &Header, kind: MessageType, options: &[(u8, Ipv4Addr)]) {
        let mut header = *header;
        let relayed = client.is_multiple_of(2);
        if relayed {
            (header.giaddr, header.hops) = (RELAY, 1);
        }
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, &header, 576);
        encoder.option(code::MESSAGE_TYPE, &[kind as u8]);
        for (code, address) in options {
            encoder.address(*code, *address);
        }
        encoder.finish();
        let to = |address| SocketAddr::from((address, 67));
        // While the rack is dead nobody listens: that is told here, and is no fault.
        let _ = if relayed {
            self.relay.send_to(&bytes, to(SERVER))
        } else {
            self.direct.send_to(&bytes, to(Ipv4Addr::BROADCAST))
        };
    }

    fn hear(&mut self) {
        let mut bytes = [0; 1500];
        let mut heard = false;
        for relayed in [true, false] {
            loop {
                let socket = if relayed { &self.relay } else { &self.direct };
                let Ok(len) = socket.recv(&mut bytes) else { break };
                self.on_reply(&bytes[..len]);
                heard = true;
            }
        }
        if !heard {
            std::thread::yield_now();
        }
    }

    fn on_reply(&mut self, bytes: &[u8]) {
        let message = Message::parse(bytes).unwrap();
        let [_, _, a, b, c, d] = message.ethernet().unwrap();
        let client = u32::from_be_bytes([a, b, c, d]) as usize;
        let Client { xid, asks, until, holds } = self.clients[client];
        let address = message.yiaddr();
        if message.xid() != xid || asks == Asks::Nothing {
            return;
        }
        match (message.message_type().unwrap(), asks) {
            (MessageType::Offer, Asks::Offer) if until.is_some() => {
                self.clients[client].asks = Asks::Lease;
                self.send(client, MessageType::Request, Some(address), Some(SERVER));
            }
            (MessageType::Ack, Asks::Lease) => {
                let before = self.ledger.insert(address, client);
                assert!(before.is_none(), "{address} of client {before:?} went to {client}, too");
                self.acks += 1;
                self.clients[client].holds = Some(address);
                (self.clients[client].asks, self.clients[client].until) = (Asks::Nothing, None);
            }
            (MessageType::Ack, Asks::Again) => {
                assert_eq!(Some(address), holds, "client {client}");
                (self.clients[client].asks, self.clients[client].until) = (Asks::Nothing, None);
            }
            // Another client was faster.
            (MessageType::Nak, Asks::Lease) => {
                (self.clients[client].asks, self.clients[client].until) = (Asks::Nothing, None);
            }
            (MessageType::Nak, Asks::Again) => panic!("client {client} lost {holds:?}"),
            _ => {}
        }
    }
}

fn header(client: usize, xid: u32) -> Header {
    let [a, b, c, d] = u32::try_from(client).unwrap().to_be_bytes();
    let mut header = Header::request([2, 0, a, b, c, d], xid);
    header.flags = BROADCAST_FLAG;
    header
}
