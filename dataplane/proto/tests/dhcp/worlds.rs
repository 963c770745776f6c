//! Snapshots and clients drawn by chance: every scope, class, reservation and mode may occur.

use std::net::Ipv4Addr;

use ironherd_proto::dhcp::ServerPort;
use ironherd_proto::dhcp::explain::{Question, Says};
use ironherd_snapshot::{
    ClassField, ClassMatch, ClientClass, DhcpMode, DhcpOption, Fabric, Intent, MatchOperator,
    Range, RelayPort, Reservation, ReservationKey, ScopeOptions, Snapshot, Subnet, Vlan,
};
use ironherd_wire::dhcp::code;

use crate::lab::{mac, subnet};

/// SplitMix64: one seed, one run.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn permille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    pub(crate) fn byte(&mut self, end: u8) -> u8 {
        u8::try_from(self.below(u64::from(end))).unwrap()
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }

    fn bytes(&mut self, len_max: u8) -> Vec<u8> {
        (0..self.byte(len_max + 1)).map(|_| self.byte(255)).collect()
    }
}

/// Cards, few enough that they meet again.
const CARDS: u8 = 24;
pub(crate) const RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 9, 253);
/// Class of the members in [`crowded`].
pub(crate) const MEMBER: &[u8] = b"member";
const CLASSES: [&str; 4] = ["PXEClient:Arch:00007", "HTTPClient", "udhcp 1.36", "onie_vendor:x"];

const CODES: [u16; 20] =
    [1, 3, 6, 12, 15, 26, 42, 43, 51, 60, 66, 67, 108, 114, 116, 121, 150, 175, 224, 249];

pub(crate) fn options(chance: &mut Chance) -> ScopeOptions {
    let count = if chance.permille(400) { 0 } else { chance.below(4) };
    let mut option = || {
        let longest = if chance.permille(20) { 250 } else { 12 };
        let (code, data) = (chance.pick(&CODES), chance.bytes(longest));
        DhcpOption { code, data, force: chance.permille(300) }
    };
    ScopeOptions { v4: (0..count).map(|_| option()).collect(), v6: Vec::new() }
}

fn class(chance: &mut Chance, id: u64) -> ClientClass {
    let of = |code, sub| ClassField::Option { code, sub };
    let fields = [
        (ClassField::Mac, mac(0).0.to_vec()),
        (ClassField::RelayAddress, RELAY.octets().to_vec()),
        (of(60, None), b"PXE".to_vec()),
        (of(77, None), b"iPXE".to_vec()),
        (of(93, None), vec![0, 7]),
        (of(82, Some(1)), b"eth".to_vec()),
    ];
    use MatchOperator::{Contains, Equals, Present, StartsWith};
    let mut condition = || {
        let (field, value) = chance.pick(&fields);
        let operator = chance.pick(&[Present, Equals, StartsWith, Contains]);
        ClassMatch { field, operator, value, negate: chance.permille(200) }
    };
    let matches = (0..2).map(|_| condition()).collect();
    let boot_file = chance.permille(200).then(|| chance.pick(&["own.efi", "http://x/own.efi"]));
    let boot_file = boot_file.map(str::to_owned);
    let (id, name) = (format!("class-{id}"), format!("Class {id}"));
    ClientClass { id, name, matches, options: options(chance), boot_file }
}

fn reservation(chance: &mut Chance, address: Ipv4Addr) -> Reservation {
    let card = chance.byte(CARDS);
    let port = RelayPort { circuit_id: b"eth1".to_vec(), remote_id: Vec::new() };
    let key = chance.pick(&[
        ReservationKey::Mac(mac(card)),
        ReservationKey::ClientId(vec![card, 7]),
        ReservationKey::Uuid([card; 16]),
        ReservationKey::RelayPort(port),
    ]);
    let hostname = chance.permille(500).then(|| format!("host-{card}"));
    Reservation { key, address, hostname, options: options(chance) }
}

fn drawn_subnet(chance: &mut Chance, third: u8, vlan: &str) -> Subnet {
    let mut subnet = Subnet { vlan: vlan.to_owned(), ..subnet(third) };
    let net = |last| Ipv4Addr::new(10, 77, third, last);
    let range = |chance: &mut Chance, first: u8| Range {
        class: chance.permille(400).then(|| format!("class-{}", chance.below(4))),
        options: options(chance),
        ..Range::new(net(first), net(first + chance.byte(8)))
    };
    subnet.ranges = vec![range(chance, 100), range(chance, 150)];
    let places = (0..chance.below(6)).map(|_| net(100 + chance.byte(100))).collect::<Vec<_>>();
    subnet.reservations = places.into_iter().map(|it| reservation(chance, it).into()).collect();
    subnet.options = options(chance);
    subnet.gateway = subnet.gateway.filter(|_| chance.permille(700));
    subnet
}

/// Two subnets on the rack's own VLAN and one behind a relay.
pub(crate) fn snapshot(chance: &mut Chance) -> Snapshot {
    let intent = chance.pick(&[None, Some(Intent::Deploy), Some(Intent::Local)]);
    let mut snapshot = crate::lab::snapshot(intent, chance.permille(500));
    use DhcpMode::{Auto, Full, Off, Proxy};
    let vlan = |chance: &mut Chance, id: &str| Vlan {
        id: id.to_owned(),
        fabric: "fabric".to_owned(),
        mode: chance.pick(&[Full, Full, Full, Full, Proxy, Auto, Off]),
        options: options(chance),
        ..Vlan::default()
    };
    snapshot.vlans = vec![vlan(chance, "near"), vlan(chance, "far")];
    let fabric = Fabric { id: "fabric".to_owned(), options: options(chance), ..Fabric::default() };
    snapshot.fabrics = vec![fabric];
    snapshot.settings.options = options(chance);
    snapshot.classes = (0..chance.below(4)).map(|id| class(chance, id)).collect();
    let subnets = [(0, "near"), (1, "near"), (9, "far")];
    snapshot.subnets =
        subnets.map(|(third, vlan)| drawn_subnet(chance, third, vlan).into()).to_vec();
    for machine in &mut snapshot.machines {
        machine.macs = vec![mac(0), mac(1)];
        machine.options = options(chance);
        machine.boot_file = chance.permille(200).then(|| "own.efi".to_owned());
    }
    snapshot
}

pub(crate) fn question(chance: &mut Chance) -> Question {
    let card = chance.byte(CARDS);
    let relayed = chance.permille(300);
    let wish = chance.pick(&[0, 1, 9, 50]);
    let requested = Ipv4Addr::new(10, 77, wish, 100 + chance.byte(60));
    let says = chance.pick(&[Says::Discover, Says::Request, Says::Request, Says::Inform]);
    let mut maybe = |permille| chance.permille(permille);
    let (wishes, has_id, has_uuid, has_list) = (maybe(300), maybe(300), maybe(300), maybe(600));
    let (has_port, at_proxy) = (maybe(700), maybe(60));
    let list = [1, 3, 6, 12, 15, 66, 67, 108, 121, 150, 175, 224, 249];
    let others = [
        (code::RAPID_COMMIT, Vec::new()),
        (code::AUTO_CONFIGURE, vec![1]),
        (code::CLIENT_FQDN, b"\x01\0\0node.example".to_vec()),
        (code::SUBNET_SELECTION, vec![10, 77, 1, 0]),
        (code::MESSAGE_BYTES_MAX, vec![5, 220]),
    ];
    Question {
        mac: mac(card),
        says,
        port: if at_proxy { ServerPort::Proxy4011 } else { ServerPort::Dhcp67 },
        architectures: Vec::from_iter(chance.pick(&[None, Some(0), Some(7), Some(0x10)])),
        vendor_class: chance.pick(&CLASSES).as_bytes().to_vec(),
        user_class: chance.pick(&["", "", "iPXE"]).as_bytes().to_vec(),
        client_id: if has_id { vec![card, 7] } else { Vec::new() },
        uuid: has_uuid.then_some([card; 16]),
        relay: relayed.then_some(RELAY),
        circuit_id: if has_port { b"eth1".to_vec() } else { Vec::new() },
        remote_id: Vec::new(),
        requested: (wishes || says == Says::Inform).then_some(requested),
        wants: if has_list { list.to_vec() } else { Vec::new() },
        hostname: "own-name".to_owned(),
        others: others.into_iter().filter(|_| chance.permille(150)).collect(),
    }
}

/// Two subnets on the rack's link, sometimes hardly enough, so that addresses go from hand to
/// hand; a third behind the relay. One range is for members.
pub(crate) fn crowded(chance: &mut Chance, clients: u8) -> Snapshot {
    let mut snapshot = crate::lab::snapshot(Some(Intent::Commission), true);
    let vlan = |id: &str| Vlan { id: id.to_owned(), ..Vlan::default() };
    snapshot.vlans = vec![vlan("near"), vlan("far")];
    let vendor = ClassField::Option { code: code::VENDOR_CLASS.into(), sub: None };
    let (operator, value) = (MatchOperator::Equals, MEMBER.to_vec());
    let matches = vec![ClassMatch { field: vendor, operator, value, negate: false }];
    let class = "members".to_owned();
    snapshot.classes = vec![ClientClass { id: class.clone(), matches, ..ClientClass::default() }];
    snapshot.subnets.push(subnet(1).into());
    let lease_seconds = 20 + u32::try_from(chance.below(100)).unwrap();
    for (subnet, vlan) in snapshot.subnets.iter_mut().zip(["near", "far", "near"]) {
        (subnet.vlan, subnet.lease_seconds) = (vlan.to_owned(), lease_seconds);
    }
    let net = |third, last| Ipv4Addr::new(10, 77, third, last);
    let first_len = 1 + chance.byte(clients);
    let spare = chance.byte(20);
    let range = |third, len: u8| Range::new(net(third, 100), net(third, 99 + len));
    let members =
        Range { class: Some(class), ..Range::new(net(0, 20), net(0, 20 + chance.byte(4))) };
    snapshot.subnets[0].ranges = vec![range(0, first_len), members];
    snapshot.subnets[1].ranges = vec![range(9, clients + spare)];
    snapshot.subnets[2].ranges = vec![range(1, clients - first_len + 1 + spare)];
    snapshot
}
