//! What is explained is what is done.

use std::collections::HashMap;
use std::net::SocketAddrV4;

use ironherd_leases::ChoiceReason;
use ironherd_proto::boot::{BootSource, NoBootFile};
use ironherd_proto::dhcp::explain::{Explanation, Question, Says};
use ironherd_proto::dhcp::{Fate, Scope, ServerPort};
use ironherd_proto::{DropReason, Event};
use ironherd_snapshot::{DhcpOption, Intent};
use ironherd_wire::dhcp::{Message, MessageType, code};

use crate::lab::{Lab, MAC, NOBODY, address, link, mac, reservation, snapshot};
use crate::worlds::{self, Chance};

fn explain(lab: &mut Lab, question: &Question) -> Explanation {
    lab.server.explain(&lab.index, &link(), question, lab.now)
}

/// Goal (row D10): for ten thousand clients in worlds drawn by chance, the explanation's reply is
/// the one that then goes out.
#[test]
fn an_explanation_is_what_then_happens() {
    const WORLDS: u64 = 250;
    const CLIENTS: u64 = 40;
    let mut seen: HashMap<String, u64> = HashMap::new();
    for seed in 0..WORLDS {
        let mut chance = Chance(seed);
        let mut lab = Lab::new(worlds::snapshot(&mut chance));
        for _ in 0..CLIENTS {
            let question = worlds::question(&mut chance);
            let told = explain(&mut lab, &question);
            assert_eq!(explain(&mut lab, &question), told, "seed {seed}: asking changes nothing");
            let got = lab.hand(question.port, source(&question), &told.request);
            let got = got.map(|it| it.into_iter().next());
            let want = told.outcome.map(|kind| kind.map(|_| (told.destination, &told.reply)));
            let got = got.as_ref().map(|it| it.as_ref().map(|it| (Some(it.0.to), &it.1)));
            assert_eq!(got.map_err(|it| *it), want, "seed {seed}: {question:?}");
            check_options(&told);
            *seen.entry(format!("{:?}", told.outcome)).or_default() += 1;
            if chance.permille(100) {
                lab.wait(chance.below(7200));
            }
        }
    }
    use DropReason::{DhcpNoAddress, DhcpNotBooting, DhcpOff, DhcpProxyOnly};
    use MessageType::{Ack, Nak, Offer};
    let kinds = [Offer, Ack, Nak].map(|it| format!("{:?}", Ok::<_, DropReason>(Some(it))));
    let reasons = [DhcpNoAddress, DhcpNotBooting, DhcpOff, DhcpProxyOnly]
        .map(|it| format!("{:?}", Err::<Option<MessageType>, _>(it)));
    for outcome in kinds.iter().chain(&reasons) {
        assert!(20 < seen.get(outcome).copied().unwrap_or(0), "{outcome} is rare: {seen:?}");
    }
}

fn source(question: &Question) -> SocketAddrV4 {
    match (question.relay, question.says) {
        (Some(relay), _) => SocketAddrV4::new(relay, 67),
        (None, Says::Inform) => SocketAddrV4::new(question.requested.unwrap(), 68),
        (None, _) => SocketAddrV4::new(NOBODY, 68),
    }
}

/// What is told as sent is in the reply, once, and the rest is not.
#[track_caller]
fn check_options(told: &Explanation) {
    let Ok(reply) = Message::parse(&told.reply) else { return };
    let sent = || told.options.iter().filter(|it| it.fate == Fate::Sent);
    for option in sent() {
        assert_eq!(sent().filter(|it| it.code == option.code).count(), 1, "{option:?}");
        let value = reply.option(option.code).map(|it| it.read(<[u8]>::to_vec));
        assert_eq!(value.as_deref(), Some(&option.data[..]), "{option:?}");
    }
    for code in 1..=254 {
        let is_sent = sent().any(|it| it.code == code) || code == code::OVERLOAD;
        assert!(reply.option(code).is_none() || is_sent, "option {code} was not told");
    }
}

#[test]
fn an_explanation_says_why() {
    let mut snapshot = snapshot(Some(Intent::Deploy), false);
    let option = |code, data: &[u8]| DhcpOption { code, data: data.to_vec(), force: false };
    let subnet = &mut snapshot.subnets[0];
    subnet.reservations.push(reservation(mac(2), 50).into());
    subnet.options.v4 = vec![option(224, b"subnet"), option(225, b"")];
    snapshot.settings.options.v4 =
        vec![option(224, b"global"), option(225, b"x"), option(226, b"y")];
    let mut lab = Lab::new(snapshot);
    let held = lab.lease(mac(1));
    lab.events();
    let ask = |card| Question { mac: card, ..Question::default() };

    let told = explain(&mut lab, &ask(mac(1)));
    assert_eq!((told.address, told.reason), (Some(held), Some(ChoiceReason::Last)));
    assert_eq!(told.outcome, Ok(Some(MessageType::Offer)));
    assert_eq!(told.subnet.as_deref(), Some("subnet-0"));
    assert_eq!(told.range.as_ref().map(|it| it.first), Some(address(100)));
    assert_eq!(told.boot, Err(NoBootFile::NotBooting));
    let fate = |code| told.options.iter().find(|it| it.code == code).map(|it| (it.scope, it.fate));
    assert_eq!(fate(224), Some((Scope::Subnet, Fate::Sent)));
    assert_eq!(fate(225), Some((Scope::Subnet, Fate::Suppressed)));
    assert_eq!(fate(226), Some((Scope::Global, Fate::Sent)));
    assert_eq!(fate(code::LEASE_SECONDS), Some((Scope::Protocol, Fate::Sent)));

    let told = explain(&mut lab, &ask(mac(2)));
    assert_eq!((told.address, told.reason), (Some(address(50)), Some(ChoiceReason::Reserved)));
    assert_eq!(told.reservation, Some(reservation(mac(2), 50)));

    let firmware = Question {
        says: Says::Request,
        architectures: vec![7],
        vendor_class: b"PXEClient".to_vec(),
        wants: vec![1, 3],
        ..ask(MAC)
    };
    let told = explain(&mut lab, &firmware);
    assert_eq!(told.outcome, Ok(Some(MessageType::Ack)));
    assert_eq!(told.machine.as_deref(), Some("0198c2a8-7b1e-7c55-9c1d-3a6f1f0e2b4d"));
    let boot = told.boot.unwrap();
    assert_eq!(boot.name, "snponly.efi");
    assert!(matches!(boot.source, BootSource::Row(_)));
    assert!(told.options.iter().any(|it| it.code == 6 && it.fate == Fate::NotAsked));

    let proxy = Question { port: ServerPort::Proxy4011, ..ask(mac(3)) };
    assert_eq!(explain(&mut lab, &proxy).outcome, Err(DropReason::DhcpNotBooting));
    assert_eq!(lab.events(), Vec::<Event>::new(), "nothing was done");
    assert_eq!(lab.server.leases().bound().count(), 1);
}
