use async_graphql::futures_util::{Stream, StreamExt as _, stream};
use async_graphql::{EmptyMutation, Object, Request, Schema, Subscription};
use ironherd_link::{RACK_DELTAS, RACK_SNAPSHOT, apply, decode_delta, decode_snapshot};
use ironherd_snapshot::{
    BootKey, ClassMatch, ClientClass, DhcpMode, DhcpOption, Ephemeral, Fabric, Intent, Mac,
    MatchOperator, PrefixPool, Range, Range6, RelayPort, Reservation, Reservation6, ReservationKey,
    ReservationKey6, RouterAdvertisement, ScopeOptions, Settings, Subnet, Subnet6, Vlan,
};

use super::*;
use crate::scalar::Long;

fn machine(id: &str, attempt: u64) -> snapshot::Machine {
    snapshot::Machine {
        id: id.to_owned(),
        hostname: format!("node-{id}"),
        intent: Intent::PowerOff,
        attempt,
        boot_key: BootKey([7; 32]),
        ..snapshot::Machine::default()
    }
}

fn with(generation: u64, machines: Vec<snapshot::Machine>) -> Snapshot {
    let machines = machines.into_iter().map(Shared::from).collect();
    Snapshot { generation, machines, ..Snapshot::default() }
}

#[test]
fn a_difference_names_only_what_changed() {
    let old = with(7, vec![machine("a", 1), machine("b", 1), machine("c", 1)]);
    let new = with(9, vec![machine("d", 1), machine("b", 2), machine("a", 1)]);
    let delta = RackDelta::between(&old, &new);
    let changed: Vec<_> = delta.machines_changed.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(changed, ["d", "b"]);
    assert_eq!(delta.machines_removed, [ID::from("c")]);
    assert_eq!(delta.generation.0, 9);
    assert!(delta.files.is_none() && delta.settings.is_none());
    assert!(delta.subnets_changed.is_empty() && delta.subnets_removed.is_empty());
    assert!(delta.fabrics.is_none() && delta.vlans.is_none() && delta.classes.is_none());
}

#[test]
fn a_complete_delta_names_everything() {
    let delta = RackDelta::complete(&with(7, vec![machine("a", 1)]));
    assert_eq!(delta.machines_changed.len(), 1);
    assert_eq!(delta.machines_removed, [ID::from("*")]);
    assert!(delta.files.is_some() && delta.settings.is_some());
    assert_eq!(delta.subnets_removed, [ID::from("*")]);
    assert!(delta.fabrics.is_some() && delta.vlans.is_some() && delta.classes.is_some());
}

#[tokio::test]
async fn a_snapshot_with_everything_arrives_equal() {
    let want = everything();
    let data = answer(RACK_SNAPSHOT, &want, &want).await;
    assert_eq!(decode_snapshot(data).unwrap(), want);
}

#[tokio::test]
async fn each_part_that_changes_arrives_equal() {
    let all = everything();
    let bare = || Snapshot { generation: all.generation - 1, ..Snapshot::default() };
    let rows = [
        Snapshot { settings: all.settings.clone(), ..bare() },
        Snapshot { fabrics: all.fabrics.clone(), ..bare() },
        Snapshot { vlans: all.vlans.clone(), ..bare() },
        Snapshot { subnets: all.subnets.clone(), ..bare() },
        Snapshot { subnets6: all.subnets6.clone(), ..bare() },
        Snapshot { classes: all.classes.clone(), ..bare() },
        Snapshot { machines: all.machines.clone(), ..bare() },
        Snapshot { files: all.files.clone(), ..bare() },
        bare(),
    ];
    // Each row lacks all but one part: the difference brings the rest, and the way back takes it.
    for old in rows {
        let empty = Snapshot { generation: all.generation + 1, ..Snapshot::default() };
        let mut got = old.clone();
        for new in [&all, &empty] {
            let delta = decode_delta(answer(RACK_DELTAS, &got, new).await).unwrap();
            assert!(apply(&mut got, delta));
            assert_eq!(&got, new);
        }
    }
}

#[tokio::test]
async fn of_a_subnet_only_what_changed_is_told() {
    let old = everything();
    let mut new = Snapshot { generation: old.generation + 1, ..old.clone() };
    let reservations = &mut new.subnets[0].reservations;
    let gone = reservations.remove(0).address;
    reservations[0].hostname = Some("renamed".to_owned());
    let renamed = reservations[0].address;
    let delta = RackDelta::between(&old, &new);
    assert!(delta.subnets_changed.is_empty(), "the subnet itself is as it was");
    let [of_subnet] = &delta.reservations[..] else { panic!("{:?}", delta.reservations) };
    assert_eq!(of_subnet.removed, [gone.to_string()]);
    let changed: Vec<_> = of_subnet.changed.iter().map(|it| it.address.as_str()).collect();
    assert_eq!(changed, [renamed.to_string()]);

    new.subnets[0].lease_seconds += 60;
    let delta = RackDelta::between(&old, &new);
    let [subnet] = &delta.subnets_changed[..] else { panic!("{:?}", delta.subnets_changed) };
    assert!(subnet.reservations.is_none() && delta.reservations.len() == 1);
    let mut got = old.clone();
    let told = decode_delta(answer(RACK_DELTAS, &old, &new).await).unwrap();
    assert!(apply(&mut got, told));
    assert_eq!(got, new);
}

/// What a rack is told, through the document that racks use.
async fn answer(document: &str, old: &Snapshot, new: &Snapshot) -> serde_json::Value {
    let (old, new) = (old.clone(), new.clone());
    let schema = Schema::build(Told(new.clone()), EmptyMutation, Deltas(old, new)).finish();
    let answer = schema.execute_stream(Request::new(document)).next().await.unwrap();
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    answer.data.into_json().unwrap()
}

struct Told(Snapshot);

#[Object]
impl Told {
    async fn rack_snapshot(&self) -> RackSnapshot {
        (&self.0).into()
    }
}

struct Deltas(Snapshot, Snapshot);

#[Subscription]
impl Deltas {
    async fn rack_deltas(&self, after: Option<Long>) -> impl Stream<Item = RackDelta> + use<> {
        assert!(after.is_none(), "the document's variable is not set");
        let delta = RackDelta::between(&self.0, &self.1);
        stream::once(std::future::ready(delta))
    }
}

fn options(code: u16) -> ScopeOptions {
    let option = |code, force| DhcpOption { code, data: vec![1, 0xab], force };
    let suppressed = DhcpOption { code: 66, data: Vec::new(), force: false };
    ScopeOptions { v4: vec![option(code, true), suppressed], v6: vec![option(code + 1000, false)] }
}

fn everything() -> Snapshot {
    let ephemeral = Ephemeral {
        kernel: "vmlinuz".into(),
        initrd: "initrd".into(),
        kernel_args: "console=ttyS0".into(),
    };
    Snapshot {
        generation: 12,
        settings: Settings {
            enlist: true,
            enlist_key: BootKey([3; 32]),
            ephemeral: Some(ephemeral),
            options: options(1),
            conflict_probes: true,
        },
        fabrics: vec![Fabric { id: "f".into(), name: "fabric".into(), options: options(2) }],
        vlans: vlans(),
        subnets: vec![subnet().into()],
        subnets6: vec![subnet6().into()],
        classes: vec![class()],
        machines: vec![
            snapshot::Machine {
                macs: vec![Mac([2, 0, 0, 0, 0, 1])],
                uuid: Some([9; 16]),
                kernel_args: "quiet".into(),
                boot_file: Some("http://192.0.2.1/x.efi".into()),
                options: options(6),
                ..machine("a", 4)
            }
            .into(),
        ],
        files: vec![snapshot::BootFile {
            name: "vmlinuz".into(),
            sha256: "ab".repeat(32),
            size_bytes: 1 << 40,
        }],
    }
}

fn vlans() -> Vec<Vlan> {
    let modes = [DhcpMode::Full, DhcpMode::Proxy, DhcpMode::Auto, DhcpMode::Off];
    let vlan = |(vid, mode): (u16, DhcpMode)| Vlan {
        id: format!("v{vid}"),
        fabric: "f".into(),
        name: format!("vlan {vid}"),
        vid,
        mode,
        options: options(3),
    };
    (0..).zip(modes).map(vlan).collect()
}

fn subnet() -> Subnet {
    let port = |remote: &[u8]| RelayPort { circuit_id: vec![0, 4], remote_id: remote.to_vec() };
    let keys = [
        ReservationKey::Mac(Mac([2, 0, 0, 0, 0, 2])),
        ReservationKey::ClientId(vec![1, 2, 3]),
        ReservationKey::Uuid([8; 16]),
        ReservationKey::RelayPort(port(&[5, 6])),
        ReservationKey::RelayPort(port(&[])),
    ];
    let reservation = |(at, key): (u8, ReservationKey)| Reservation {
        key,
        address: [192, 0, 2, at].into(),
        hostname: (at % 2 == 0).then(|| format!("h{at}")),
        options: options(at.into()),
    };
    let range = Range::new([192, 0, 2, 100].into(), [192, 0, 2, 110].into());
    let of_class = Range {
        class: Some("c".into()),
        options: options(9),
        ..Range::new([192, 0, 2, 120].into(), [192, 0, 2, 120].into())
    };
    Subnet {
        id: "s".into(),
        vlan: "v1".into(),
        cidr: "192.0.2.0/24".parse().unwrap(),
        gateway: Some([192, 0, 2, 1].into()),
        dns_servers: vec![[192, 0, 2, 2].into(), [192, 0, 2, 3].into()],
        ntp_servers: vec![[192, 0, 2, 4].into()],
        domain: Some("lab.example".into()),
        mtu: Some(9000),
        lease_seconds: 600,
        ranges: vec![range, of_class],
        reservations: (10..).zip(keys).map(|it| reservation(it).into()).collect(),
        options: options(4),
    }
}

fn subnet6() -> Subnet6 {
    let keys =
        [ReservationKey6::Mac(Mac([2, 0, 0, 0, 0, 3])), ReservationKey6::Duid(vec![0, 3, 0, 1])];
    let reservation = |(at, key): (u16, ReservationKey6)| Reservation6 {
        key,
        address: (at == 1).then(|| [0x2001, 0xdb8, 0, 0, 0, 0, 0, at].into()),
        prefix: (at == 2).then(|| "2001:db8:1::/56".parse().unwrap()),
        hostname: Some(format!("h{at}")),
        options: options(at),
    };
    Subnet6 {
        id: "s6".into(),
        vlan: "v0".into(),
        cidr: "2001:db8::/64".parse().unwrap(),
        dns_servers: vec!["2001:db8::53".parse().unwrap()],
        domain_search: vec!["a.example".into(), "b.example".into()],
        preferred_seconds: 300,
        valid_seconds: 600,
        ranges: vec![Range6 {
            first: "2001:db8::100".parse().unwrap(),
            last: "2001:db8::1ff".parse().unwrap(),
        }],
        prefix_pools: vec![PrefixPool {
            prefix: "2001:db8:100::/40".parse().unwrap(),
            delegated_len: 56,
        }],
        reservations: (1..).zip(keys).map(reservation).collect(),
        options: options(5),
        router_advertisement: RouterAdvertisement {
            enabled: false,
            router_lifetime_seconds: 1800,
            autonomous: true,
        },
    }
}

fn class() -> ClientClass {
    let fields = [
        (snapshot::ClassField::Mac, MatchOperator::StartsWith),
        (snapshot::ClassField::RelayAddress, MatchOperator::Equals),
        (snapshot::ClassField::Option { code: 60, sub: None }, MatchOperator::Contains),
        (snapshot::ClassField::Option { code: 82, sub: Some(1) }, MatchOperator::Present),
    ];
    let condition = |(field, operator)| ClassMatch {
        field,
        operator,
        value: vec![0x52, 0x54],
        negate: operator == MatchOperator::Contains,
    };
    ClientClass {
        id: "c".into(),
        name: "class".into(),
        matches: fields.map(condition).to_vec(),
        options: options(7),
        boot_file: Some("x.efi".into()),
    }
}
