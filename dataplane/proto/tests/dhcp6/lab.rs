//! One link with IPv6, one rack, and clients that say what a test puts into their mouths.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};

use dhcproto::{Decodable as _, v6};
use ironherd_leases::v6::Table6;
use ironherd_proto::dhcp6::{Config, Datagram6, Link6, Reply6, Server};
use ironherd_proto::{DropReason, Event, Instant, Link, Now, UnixSeconds};
use ironherd_snapshot::{
    BootFile, BootKey, Index, Intent, Mac, Machine, PrefixPool, Range6, Reservation6,
    ReservationKey6, ScopeOptions, Settings, Snapshot, Subnet6, Vlan,
};
use ironherd_wire::dhcp6::{Encoder, IaKind, Message, MessageType, code};

pub(crate) const MAC: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x10]);
/// The link-local address that firmware makes from [`MAC`].
pub(crate) const CLIENT: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5054, 0xff, 0xfe77, 0x10);
pub(crate) const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
pub(crate) const OURS: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
pub(crate) const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
pub(crate) const SERVER_DUID: &[u8] = &[0, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9];
pub(crate) const CLIENT_DUID: &[u8] = &[0, 2, 0, 0, 0, 9, 1, 2, 3];
pub(crate) const PREFERRED: u32 = 1800;
pub(crate) const VALID: u32 = 3600;

pub(crate) fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

pub(crate) fn subnet(third: &str) -> Subnet6 {
    let net = |last: &str| ip(&format!("fd77:0:0:{third}::{last}"));
    Subnet6 {
        id: format!("subnet-{third}"),
        vlan: "lan".to_owned(),
        cidr: format!("fd77:0:0:{third}::/64").parse().unwrap(),
        dns_servers: vec![net("53")],
        domain_search: vec!["lab.test".to_owned(), "test".to_owned()],
        preferred_seconds: PREFERRED,
        valid_seconds: VALID,
        ranges: vec![Range6 { first: net("1000"), last: net("1fff") }],
        prefix_pools: vec![PrefixPool { prefix: "fd80::/48".parse().unwrap(), delegated_len: 56 }],
        ..Subnet6::default()
    }
}

pub(crate) fn reservation(key: ReservationKey6, address: &str) -> Reservation6 {
    Reservation6 {
        key,
        address: Some(ip(address)),
        prefix: None,
        hostname: None,
        options: ScopeOptions::NONE,
    }
}

pub(crate) fn machine(intent: Intent) -> Machine {
    Machine {
        id: "0198c2a8-7b1e-7c55-9c1d-3a6f1f0e2b4d".to_owned(),
        hostname: "node-one".to_owned(),
        macs: vec![MAC],
        intent,
        attempt: 3,
        boot_key: BootKey([7; 32]),
        ..Machine::default()
    }
}

pub(crate) fn snapshot() -> Snapshot {
    let file =
        |name: &str| BootFile { name: name.to_owned(), sha256: "00".repeat(32), size_bytes: 1 };
    Snapshot {
        generation: 1,
        settings: Settings { enlist: true, ..Settings::default() },
        vlans: vec![Vlan { id: "lan".to_owned(), ..Vlan::default() }],
        subnets6: vec![subnet("0").into()],
        files: ["snponly.efi", "local-x64.efi", "grub-arm64.efi"].map(file).to_vec(),
        ..Snapshot::default()
    }
}

pub(crate) fn link() -> Link6 {
    let address = Ipv4Addr::new(10, 77, 0, 1);
    Link6 {
        link: Link { index: 7, address, host6: None, http_port: 5248, gateway_port: 5249 },
        link_local: Some(LINK_LOCAL),
        addresses: vec![OURS],
    }
}

/// A rack, the time, and the journal's disk.
pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) index: Index,
    pub(crate) link: Link6,
    pub(crate) now: u64,
    pub(crate) disk: Vec<u8>,
}

/// What came back, opened as far as every test needs it.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) reply: Reply6,
    pub(crate) payload: Vec<u8>,
}

impl Lab {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        let server = Server::new(Config::default(), SERVER_DUID.to_vec(), Table6::default());
        let index = Index::new(snapshot);
        Self { server, index, link: link(), now: 1_000_000, disk: Vec::new() }
    }

    pub(crate) fn set(&mut self, snapshot: Snapshot) {
        let generation = self.index.snapshot().generation + 1;
        self.index = Index::new(Snapshot { generation, ..snapshot });
    }

    fn clock(&self) -> Now {
        let instant = Instant::from_nanos(self.now * 1_000_000_000);
        Now { instant, wall: UnixSeconds(self.now) }
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now += seconds;
        self.server.handle_timeouts(self.clock());
    }

    /// Hands over a datagram, without letting the disk do anything.
    pub(crate) fn hear(
        &mut self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        let datagram =
            Datagram6 { source: SocketAddrV6::new(source, 546, 0, 7), destination, payload };
        self.server.handle_datagram(&self.index, &self.link, &datagram, self.clock())
    }

    pub(crate) fn commit(&mut self) {
        if let Some(position) = self.server.take_journal_batch(&mut self.disk) {
            self.server.handle_committed(position);
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Got> {
        let mut payload = Vec::new();
        let reply = self.server.poll_reply(&mut payload)?;
        Some(Got { reply, payload })
    }

    /// What a client on the link gets for its message.
    pub(crate) fn ask(&mut self, message: &Ask) -> Result<Got, DropReason> {
        self.hear(CLIENT, SERVERS, &message.bytes())?;
        self.commit();
        Ok(self.poll().expect("an answer that was accepted comes"))
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.server.poll_event()).collect()
    }
}

impl Got {
    pub(crate) fn message(&self) -> Message<'_> {
        // Whatever we send, the second opinion can read, too.
        v6::Message::from_bytes(&self.payload).unwrap();
        Message::parse(&self.payload).unwrap()
    }

    /// Addresses and prefixes with their valid lifetimes, in order.
    pub(crate) fn leases(&self) -> Vec<(String, u32)> {
        let ias = self.message().ias();
        let show = |it: ironherd_wire::dhcp6::Resource<'_>| match it.len {
            128 => (it.address.to_string(), it.valid),
            len => (format!("{}/{len}", it.address), it.valid),
        };
        ias.flat_map(|it| it.resources()).map(show).collect()
    }

    /// The one address it gives.
    #[track_caller]
    pub(crate) fn address(&self) -> Ipv6Addr {
        let leases = self.leases();
        let [(address, valid)] = &leases[..] else { panic!("{leases:?}") };
        assert_ne!(*valid, 0);
        address.parse().unwrap()
    }

    /// Status of each association.
    pub(crate) fn statuses(&self) -> Vec<Option<u16>> {
        self.message().ias().map(|it| it.options.status()).collect()
    }

    pub(crate) fn option(&self, code: u16) -> Option<Vec<u8>> {
        self.message().options.find(code).map(<[u8]>::to_vec)
    }

    pub(crate) fn text(&self, code: u16) -> Option<String> {
        self.option(code).map(|it| String::from_utf8(it).unwrap())
    }
}

/// An address (128) or prefix that a client names.
type NamedBlock = (Ipv6Addr, u8);

/// A message in the making.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) kind: MessageType,
    pub(crate) duid: Vec<u8>,
    pub(crate) server: Option<Vec<u8>>,
    pub(crate) ias: Vec<(IaKind, u32, Vec<NamedBlock>)>,
    pub(crate) wants: Vec<u16>,
    pub(crate) options: Vec<(u16, Vec<u8>)>,
}

impl Ask {
    pub(crate) fn new(kind: MessageType) -> Self {
        let names_us = matches!(
            kind,
            MessageType::Request | MessageType::Renew | MessageType::Release | MessageType::Decline
        );
        Self {
            kind,
            duid: CLIENT_DUID.to_vec(),
            server: names_us.then(|| SERVER_DUID.to_vec()),
            ias: Vec::new(),
            wants: vec![code::DNS_SERVERS, code::DOMAIN_SEARCH, code::BOOT_FILE_URL],
            options: Vec::new(),
        }
    }

    pub(crate) fn ia(mut self, kind: IaKind, id: u32, blocks: &[(Ipv6Addr, u8)]) -> Self {
        self.ias.push((kind, id, blocks.to_vec()));
        self
    }

    /// One association of addresses, number 1.
    pub(crate) fn na(self, addresses: &[Ipv6Addr]) -> Self {
        let blocks: Vec<_> = addresses.iter().map(|it| (*it, 128)).collect();
        self.ia(IaKind::Address, 1, &blocks)
    }

    pub(crate) fn duid(mut self, duid: &[u8]) -> Self {
        self.duid = duid.to_vec();
        self
    }

    pub(crate) fn option(mut self, code: u16, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    /// As EDK2 says it, with its architecture.
    pub(crate) fn firmware(self, class: &str, architecture: u16) -> Self {
        let class = format!("{class}:Arch:{architecture:05}:UNDI:003000");
        let len = u16::try_from(class.len()).unwrap().to_be_bytes();
        let value = [&343_u32.to_be_bytes()[..], &len, class.as_bytes()].concat();
        self.option(code::VENDOR_CLASS, &value)
            .option(code::ARCHITECTURE, &architecture.to_be_bytes())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, self.kind, [1, 2, 3], 1452);
        if !self.duid.is_empty() {
            encoder.option(code::CLIENT_ID, &self.duid);
        }
        if let Some(server) = &self.server {
            encoder.option(code::SERVER_ID, server);
        }
        for (kind, id, blocks) in &self.ias {
            encoder.ia(*kind, *id, (0, 0), |it| {
                for (address, len) in blocks {
                    match kind {
                        IaKind::Prefix => it.ia_prefix(*address, *len, 0, 0),
                        _ => it.ia_address(*address, 0, 0),
                    };
                }
            });
        }
        let wants: Vec<u8> = self.wants.iter().flat_map(|it| it.to_be_bytes()).collect();
        encoder.option(code::REQUESTED, &wants);
        for (code, value) in &self.options {
            encoder.option(*code, value);
        }
        out
    }
}
