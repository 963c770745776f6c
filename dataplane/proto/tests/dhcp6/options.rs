//! Options: what is asked for, from the narrowest scope that says anything.

use ironherd_snapshot::{
    ClassField, ClassMatch, ClientClass, DhcpOption, Fabric, Intent, MatchOperator,
    ReservationKey6, ScopeOptions, Snapshot,
};
use ironherd_wire::dhcp6::{MessageType, code};

use super::lab::*;

const CODE: u16 = code::SNTP_SERVERS;

fn says(data: &[u8], force: bool) -> ScopeOptions {
    let option = DhcpOption { code: CODE, data: data.to_vec(), force };
    ScopeOptions { v6: vec![option], ..ScopeOptions::NONE }
}

/// Every scope says its own; `from` is the narrowest that does.
fn scoped(from: usize, data: impl Fn(usize) -> ScopeOptions) -> Snapshot {
    let mut it = snapshot();
    let word = |scope| if from <= scope { data(scope) } else { ScopeOptions::NONE };
    let mut reserved = reservation(ReservationKey6::Mac(MAC), "fd77::9");
    reserved.options = word(0);
    it.subnets6[0].reservations = vec![reserved];
    it.machines = vec![machine(Intent::Local).into()];
    it.machines[0].options = word(1);
    it.classes = vec![ClientClass {
        id: "c".to_owned(),
        matches: vec![ClassMatch {
            field: ClassField::Mac,
            operator: MatchOperator::Equals,
            value: MAC.0.to_vec(),
            negate: false,
        }],
        options: word(2),
        ..ClientClass::default()
    }];
    it.subnets6[0].options = word(3);
    it.vlans[0].options = word(4);
    it.vlans[0].fabric = "f".to_owned();
    it.fabrics = vec![Fabric { id: "f".to_owned(), options: word(5), ..Fabric::default() }];
    it.settings.options = word(6);
    it
}

#[test]
fn the_narrowest_scope_wins_code_by_code() {
    for from in 0..7 {
        let mut lab = Lab::new(scoped(from, |it| says(&[u8::try_from(it).unwrap(); 16], false)));
        let mut ask = Ask::new(MessageType::Request).na(&[]);
        assert_eq!(lab.ask(&ask).unwrap().option(CODE), None, "nobody asked");
        ask.wants.push(CODE);
        let want = vec![u8::try_from(from).unwrap(); 16];
        assert_eq!(lab.ask(&ask).unwrap().option(CODE), Some(want), "from {from}");
    }
}

#[test]
fn a_scope_may_force_and_suppress() {
    let ask = Ask::new(MessageType::Request).na(&[]);
    let mut lab = Lab::new(scoped(3, |_| says(&[7; 16], true)));
    assert_eq!(lab.ask(&ask).unwrap().option(CODE), Some(vec![7; 16]), "asked for or not");
    let only_empty = |it| if it == 3 { says(&[], true) } else { says(&[7; 16], true) };
    let mut lab = Lab::new(scoped(3, only_empty));
    assert_eq!(lab.ask(&ask).unwrap().option(CODE), None, "suppressed");
}

#[test]
fn the_subnets_own_fields_are_of_its_scope() {
    let mut snapshot = snapshot();
    let dns =
        |last| vec![DhcpOption { code: code::DNS_SERVERS, data: vec![last; 16], force: false }];
    snapshot.settings.options.v6 = dns(1);
    let mut lab = Lab::new(snapshot.clone());
    let ask = Ask::new(MessageType::InformationRequest);
    let got = lab.ask(&ask).unwrap();
    assert_eq!(got.message().kind, MessageType::Reply);
    let want = ip("fd77::53").octets().to_vec();
    assert_eq!(got.option(code::DNS_SERVERS), Some(want), "wider scopes do not reach");
    assert_eq!(got.option(code::DOMAIN_SEARCH).unwrap(), b"\x03lab\x04test\0\x04test\0");
    snapshot.subnets6[0].options.v6 = dns(2);
    lab.set(snapshot);
    assert_eq!(lab.ask(&ask).unwrap().option(code::DNS_SERVERS), Some(vec![2; 16]));
}

/// What the server alone may say cannot be forged by a scope.
#[test]
fn no_scope_speaks_for_the_server() {
    let mut snapshot = snapshot();
    let forged = [code::SERVER_ID, code::CLIENT_ID, code::STATUS, code::IA_NA, code::RAPID_COMMIT];
    let option = |code| DhcpOption { code, data: vec![7; 40], force: true };
    snapshot.settings.options.v6 = forged.map(option).to_vec();
    let mut lab = Lab::new(snapshot);
    let got = lab.ask(&Ask::new(MessageType::Request).na(&[])).unwrap();
    assert_eq!(got.option(code::SERVER_ID).unwrap(), SERVER_DUID);
    assert_eq!(got.message().options.all(code::IA_NA).count(), 1);
    assert_eq!(got.option(code::STATUS), None);
}
