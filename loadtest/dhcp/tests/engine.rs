//! The clients against a server that is made up, and faulty on purpose.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

use std::net::Ipv4Addr;
use std::time::Duration;

use ironherd_dhcp_load::{Engine, Plan, Report, Shape, Step, ToSend};
use ironherd_wire::dhcp::{Encoder, Header, MessageType, code};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const TURN: Duration = Duration::from_millis(1);

/// What the made-up server does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Silent,
    Twice,
    WrongXid,
    WrongCard,
    SameAddress,
    OtherAddress,
    Nak,
    Noise,
    Question,
}

fn plan(shape: Shape, clients: u32) -> Plan {
    let duration = Duration::from_secs(1);
    let patience = Duration::from_millis(50);
    Plan { shape, clients, first_client: 7, duration, patience, seed: 3 }
}

/// Plays a plan; `fault` chooses by step and by how many messages were sent before.
fn play(plan: Plan, mut fault: impl FnMut(Step, u32) -> Fault) -> (Report, Vec<ToSend>) {
    let mut engine = Engine::new(plan).unwrap();
    let mut now = Duration::ZERO;
    let mut sent = Vec::new();
    loop {
        engine.handle_time(now);
        if engine.is_over(now) {
            return (engine.report(now), sent);
        }
        let mut replies = Vec::new();
        while let Some(message) = engine.poll_send(now) {
            let fault = fault(message.step, u32::try_from(sent.len()).unwrap());
            replies.extend(answer(&message, fault));
            sent.push(message);
        }
        now += TURN;
        assert!(now < Duration::from_secs(300), "the load does not end");
        for reply in replies {
            engine.handle_reply(&reply, now);
        }
    }
}

fn answer(message: &ToSend, fault: Fault) -> Vec<Vec<u8>> {
    let mut header = Header::request(message.mac, message.xid);
    header.op = 2;
    let [.., b, c, d] = message.mac;
    header.yiaddr = match fault {
        Fault::SameAddress => Ipv4Addr::new(10, 9, 9, 9),
        Fault::OtherAddress if message.step == Step::Request => Ipv4Addr::new(10, 8, c, d),
        _ => Ipv4Addr::new(10, b, c, d),
    };
    match fault {
        Fault::WrongXid => header.xid = header.xid.wrapping_sub(1_000_000),
        Fault::WrongCard => header.chaddr[0] = 0x52,
        _ => {}
    }
    let kind = match (message.step, fault) {
        (Step::Discover, _) => MessageType::Offer,
        (_, Fault::Nak) => MessageType::Nak,
        (_, _) => MessageType::Ack,
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, &header, 548);
    encoder.option(code::MESSAGE_TYPE, &[kind as u8]);
    encoder.address(code::SERVER_ID, SERVER);
    encoder.finish();
    match fault {
        Fault::Silent => Vec::new(),
        Fault::Twice => vec![bytes.clone(), bytes],
        Fault::Noise => vec![vec![0; 12]],
        Fault::Question => vec![[&[1], &bytes[1..]].concat(), bytes],
        _ => vec![bytes],
    }
}

#[test]
fn a_closed_loop_keeps_so_many_under_way_and_counts_each_lease() {
    let (report, sent) = play(plan(Shape::Closed { outstanding: 10 }, 100), |_, _| Fault::None);
    // Two turns of a millisecond make one lease: ten clients, one second.
    assert!((4_900..=5_010).contains(&report.completed), "{report:?}");
    assert_eq!((report.begun, report.offers), (report.completed, report.completed));
    assert_eq!((report.loss, report.errors.total()), (0.0, 0));
    assert!((report.whole.p50_us - 2_000.0).abs() < 10.0, "{:?}", report.whole);
    let request = sent.iter().find(|it| it.step == Step::Request).unwrap();
    assert_eq!(request.server, SERVER);
    assert_eq!(request.mac, [0x02, 0x1d, 0, 0, 0, 7], "clients count from the first");
}

#[test]
fn an_open_loop_comes_at_its_rate_even_if_nobody_answers() {
    let shape = Shape::Open { per_second: 2_000.0 };
    for (fault, lost) in [(Fault::None, false), (Fault::Silent, true)] {
        let (report, _) = play(plan(shape, 10_000), |_, _| fault);
        assert!((1_850..2_150).contains(&report.begun), "{}", report.begun);
        assert_eq!(report.lost_discovers, if lost { report.begun } else { 0 });
    }
}

/// A client that comes while we are busy elsewhere has waited: that is part of its latency.
#[test]
fn waiting_counts_from_when_a_client_meant_to_come() {
    let mut engine = Engine::new(plan(Shape::Open { per_second: 1_000.0 }, 1_000)).unwrap();
    let late = Duration::from_millis(900);
    engine.handle_time(late);
    let mut sent = Vec::new();
    while let Some(message) = engine.poll_send(late) {
        sent.push(message);
    }
    for message in &sent {
        for reply in answer(message, Fault::None) {
            engine.handle_reply(&reply, late);
        }
    }
    let report = engine.report(late);
    assert!((800..1_000).contains(&report.offers), "{}", report.offers);
    assert!((350_000.0..550_000.0).contains(&report.offer.p50_us), "{:?}", report.offer);
}

#[test]
fn a_burst_asks_once_for_each_client() {
    let shape = Shape::Burst { within: Duration::from_millis(100) };
    let (report, sent) = play(plan(shape, 1_000), |step, place| match (step, place % 10) {
        (Step::Discover, 0) => Fault::Silent,
        _ => Fault::None,
    });
    let discovers = sent.iter().filter(|it| it.step == Step::Discover).count();
    assert_eq!((report.begun, discovers), (1_000, 1_000));
    assert!(0 < report.lost_discovers, "{report:?}");
    assert_eq!(report.completed + report.lost_discovers, 1_000);
}

#[test]
fn renewals_count_alone_and_name_their_address() {
    let (report, sent) = play(plan(Shape::Renew { outstanding: 20 }, 200), |_, _| Fault::None);
    assert_eq!((report.begun, report.completed, report.offers), (200, 200, 0));
    let renewal = sent.iter().rfind(|it| it.step == Step::Renew).unwrap();
    assert_eq!(renewal.address, Ipv4Addr::new(10, 0, 0, 206));
    assert!((report.whole.p50_us - 1_000.0).abs() < 10.0, "{:?}", report.whole);
}

#[test]
fn each_fault_is_counted_under_its_name() {
    let shape = Shape::Closed { outstanding: 5 };
    let run = |fault| play(plan(shape, 50), |_, _| fault).0;
    assert!(0 < run(Fault::Twice).duplicates);
    assert!(0 < run(Fault::WrongXid).errors.wrong_xid);
    assert!(0 < run(Fault::WrongCard).errors.wrong_chaddr);
    assert!(0 < run(Fault::SameAddress).errors.address_twice);
    assert!(0 < run(Fault::OtherAddress).errors.wrong_address);
    assert!(0 < run(Fault::Noise).errors.malformed);
    let naks = run(Fault::Nak);
    assert!(0 < naks.naks && naks.completed == 0);
    for fault in [Fault::None, Fault::Question] {
        let sound = run(fault);
        assert_eq!((sound.duplicates, sound.errors.total(), sound.naks), (0, 0, 0), "{fault:?}");
        assert_eq!(sound.completed, run(Fault::None).completed);
    }
}

#[test]
fn a_plan_that_cannot_be_is_refused_by_field() {
    let rows = [
        (plan(Shape::Closed { outstanding: 0 }, 1), "outstanding"),
        (plan(Shape::Closed { outstanding: 2 }, 1), "outstanding"),
        (plan(Shape::Open { per_second: f64::NAN }, 1), "rate"),
        (plan(Shape::Open { per_second: 1_000.0 }, 10), "clients"),
        (plan(Shape::Burst { within: Duration::ZERO }, 1), "within"),
        (plan(Shape::Closed { outstanding: 1 }, 0), "clients"),
        (
            Plan { first_client: u32::MAX, ..plan(Shape::Renew { outstanding: 1 }, 1) },
            "first_client",
        ),
    ];
    for (plan, field) in rows {
        let error = Engine::new(plan).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
}
