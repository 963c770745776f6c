//! One subnet, one rack, and clients that say what a test puts into their mouths.

use std::net::{Ipv4Addr, SocketAddrV4};

use dhcproto::{Decodable as _, v4};
use ironherd_leases::Table;
use ironherd_proto::dhcp::{Config, Destination, Reply, Server, ServerPort};
use ironherd_proto::{DropReason, Event, Instant, Link, Now, UnixSeconds};
use ironherd_snapshot::{
    BootFile, BootKey, DhcpOption, Index, Intent, Mac, Machine, Range, Reservation, Settings,
    Snapshot, Subnet,
};
use ironherd_wire::dhcp::{Encoder, Header, Message, MessageType, code};

pub(crate) const OURS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub(crate) const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
/// The card of the one machine that the lab's snapshot may know.
pub(crate) const MAC: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x10]);
pub(crate) const LEASE_SECONDS: u32 = 3600;

pub(crate) fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, last)
}

pub(crate) fn mac(last: u8) -> Mac {
    Mac([0x52, 0x54, 0, 0x77, 1, last])
}

pub(crate) fn link() -> Link {
    Link { index: 7, address: OURS, host6: None, http_port: 5248, gateway_port: 5249 }
}

pub(crate) fn subnet(third: u8) -> Subnet {
    let net = |last| Ipv4Addr::new(10, 77, third, last);
    Subnet {
        id: format!("subnet-{third}"),
        cidr: format!("10.77.{third}.0/24").parse().unwrap(),
        gateway: Some(net(254)),
        dns_servers: vec![OURS, net(2)],
        ntp_servers: vec![net(3)],
        domain: Some("lab.test".to_owned()),
        mtu: Some(1450),
        lease_seconds: LEASE_SECONDS,
        ranges: vec![Range::new(net(100), net(200))],
        reservations: Vec::new(),
        ..Subnet::default()
    }
}

pub(crate) fn machine(intent: Intent) -> Machine {
    Machine {
        id: "0198c2a8-7b1e-7c55-9c1d-3a6f1f0e2b4d".to_owned(),
        hostname: "node-one".to_owned(),
        macs: vec![MAC],
        uuid: None,
        intent,
        attempt: 3,
        boot_key: BootKey([7; 32]),
        ..Machine::default()
    }
}

/// Two subnets, the second behind a relay; with the machine if it has an intent.
pub(crate) fn snapshot(intent: Option<Intent>, enlist: bool) -> Snapshot {
    let settings = Settings { enlist, ..Settings::default() };
    let machines = intent.map(|it| machine(it).into()).into_iter().collect();
    let subnets = vec![subnet(0).into(), subnet(9).into()];
    let files = FILES.map(file).to_vec();
    Snapshot { generation: 1, settings, subnets, machines, files, ..Snapshot::default() }
}

const FILES: [&str; 4] = ["undionly.kpxe", "snponly.efi", "local-x64.efi", "grub-arm64.efi"];

pub(crate) fn file(name: &str) -> BootFile {
    BootFile { name: name.to_owned(), sha256: "0".repeat(64), size_bytes: 1 }
}

pub(crate) fn option(code: u8, data: &[u8]) -> DhcpOption {
    DhcpOption { code: u16::from(code), data: data.to_vec(), force: false }
}

pub(crate) fn reservation(mac: Mac, last: u8) -> Reservation {
    Reservation::of_card(mac, address(last), None)
}

/// A reply, and its payload.
pub(crate) type Sent = (Reply, Vec<u8>);

#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) index: Index,
    pub(crate) now: Now,
    pub(crate) disk: Vec<u8>,
}

impl Lab {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        let now = Now { instant: Instant::from_nanos(1), wall: UnixSeconds(1_000_000) };
        let server = Server::new(Config::default(), Table::default());
        Self { server, index: Index::new(snapshot), now, disk: Vec::new() }
    }

    /// Hands a datagram to port 67 and takes what comes back, with a disk that is at once done.
    pub(crate) fn tell(&mut self, payload: &[u8]) -> Result<Vec<Sent>, DropReason> {
        self.tell_from(SocketAddrV4::new(NOBODY, 68), payload)
    }

    pub(crate) fn tell_from(
        &mut self,
        source: SocketAddrV4,
        payload: &[u8],
    ) -> Result<Vec<Sent>, DropReason> {
        self.hand(ServerPort::Dhcp67, source, payload)
    }

    pub(crate) fn hand(
        &mut self,
        port: ServerPort,
        source: SocketAddrV4,
        payload: &[u8],
    ) -> Result<Vec<Sent>, DropReason> {
        self.server.handle_datagram(&self.index, port, source, &link(), payload, self.now)?;
        Ok(self.flush())
    }

    /// Commits whatever waits, and drains the replies.
    pub(crate) fn flush(&mut self) -> Vec<Sent> {
        if let Some(position) = self.server.take_journal_batch(&mut self.disk) {
            self.server.handle_committed(position);
        }
        self.replies()
    }

    pub(crate) fn replies(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        let mut payload = Vec::new();
        while let Some(reply) = self.server.poll_reply(&mut payload) {
            // The second opinion must be able to read whatever we send.
            v4::Message::from_bytes(&payload).unwrap();
            sent.push((reply, payload.clone()));
        }
        sent
    }

    /// The one reply to a datagram.
    #[track_caller]
    pub(crate) fn ask(&mut self, payload: &[u8]) -> Sent {
        let mut replies = self.tell(payload).unwrap();
        assert_eq!(replies.len(), 1);
        replies.remove(0)
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.server.poll_event()).collect()
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now.wall.0 += seconds;
        self.now.instant = self.now.instant + std::time::Duration::from_secs(seconds);
        self.server.handle_timeouts(self.now);
    }

    /// DISCOVER and REQUEST; the address of the ACK.
    #[track_caller]
    pub(crate) fn lease(&mut self, mac: Mac) -> Ipv4Addr {
        let (_, offer) = self.ask(&Said::new(MessageType::Discover, mac).bytes());
        let offered = Message::parse(&offer).unwrap().yiaddr();
        let (_, ack) = self.ask(&Said::new(MessageType::Request, mac).select(offered).bytes());
        let ack = Message::parse(&ack).unwrap();
        assert_eq!(ack.message_type(), Some(MessageType::Ack));
        assert_eq!(ack.yiaddr(), offered);
        offered
    }
}

/// A client's message in the making.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) header: Header,
    options: Vec<(u8, Vec<u8>)>,
}

impl Said {
    pub(crate) fn new(kind: MessageType, mac: Mac) -> Self {
        let header = Header::request(mac.0, 0x1234_5678);
        Self { header, options: vec![(code::MESSAGE_TYPE, vec![kind as u8])] }
    }

    pub(crate) fn with(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    pub(crate) fn header(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.header);
        self
    }

    /// SELECTING: the offer of this rack.
    pub(crate) fn select(self, offered: Ipv4Addr) -> Self {
        self.with(code::SERVER_ID, &OURS.octets()).wish(offered)
    }

    pub(crate) fn wish(self, address: Ipv4Addr) -> Self {
        self.with(code::REQUESTED_ADDRESS, &address.octets())
    }

    /// Firmware or iPXE of this architecture.
    pub(crate) fn booting(self, class: &str, user_class: &str, arch: u16) -> Self {
        let mut said = self.with(code::ARCHITECTURE, &arch.to_be_bytes());
        for (code, text) in [(code::VENDOR_CLASS, class), (code::USER_CLASS, user_class)] {
            if !text.is_empty() {
                said = said.with(code, text.as_bytes());
            }
        }
        said
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, &self.header, 1472);
        for (code, value) in &self.options {
            assert!(encoder.option(*code, value));
        }
        encoder.finish();
        bytes
    }
}

pub(crate) fn value(message: &Message<'_>, code: u8) -> Option<Vec<u8>> {
    message.option(code).map(|it| it.read(<[u8]>::to_vec))
}

pub(crate) fn frame(mac: Mac, address: Ipv4Addr) -> Destination {
    Destination::Frame { mac, address, port: 68 }
}
