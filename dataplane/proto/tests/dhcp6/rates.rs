//! Who asks too much is held back, and nobody else.

use std::net::Ipv6Addr;

use ironherd_leases::v6::Table6;
use ironherd_proto::dhcp6::{Config, Server};
use ironherd_proto::{DropReason, Rate};
use ironherd_wire::dhcp6::MessageType;

use super::lab::*;

fn lab(card_rate: u32, relay_rate: u32) -> Lab {
    let config =
        Config { card_rate: Rate(card_rate), relay_rate: Rate(relay_rate), ..Config::default() };
    let server = Server::new(config, SERVER_DUID.to_vec(), Table6::default());
    Lab { server, ..Lab::new(snapshot()) }
}

fn peer(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, number)
}

/// A client with a new identity each time.
fn solicit(identity: u32) -> Vec<u8> {
    let duid = [&[0, 2, 0, 0, 0, 9][..], &identity.to_be_bytes()].concat();
    Ask::new(MessageType::Solicit).duid(&duid).na(&[]).bytes()
}

#[test]
fn a_host_that_floods_with_identities_is_held_back_and_the_others_are_served() {
    let mut lab = lab(2, 0);
    let hear =
        |lab: &mut Lab, from: u16, identity| lab.hear(peer(from), SERVERS, &solicit(identity));
    let passed = (0..1000).filter(|it| hear(&mut lab, 1, *it).is_ok()).count();
    assert_eq!(passed, 16, "eight seconds' worth");
    assert_eq!(hear(&mut lab, 1, 1), Err(DropReason::Dhcp6CardRate));
    for other in 2..50 {
        assert_eq!(hear(&mut lab, other, other.into()), Ok(()), "{other}");
    }
    lab.wait(4);
    let passed = (0..100).filter(|it| hear(&mut lab, 1, *it).is_ok()).count();
    assert_eq!(passed, 8, "what four seconds have given back");
}

#[test]
fn each_client_behind_a_relay_and_each_relay_has_its_own_allowance() {
    let relayed = |client: u16| {
        let mut out = vec![MessageType::RelayForward as u8, 0];
        out.extend_from_slice(&OURS.octets());
        out.extend_from_slice(&peer(client).octets());
        let inner = solicit(client.into());
        out.extend_from_slice(&9_u16.to_be_bytes()); // Relay Message (RFC 9915 §21.10).
        out.extend_from_slice(&u16::try_from(inner.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&inner);
        out
    };
    let (one, other) = (ip("fd77::a"), ip("fd77::b"));
    let mut lab = lab(2, 5);
    let alone = (0..100).filter(|_| lab.hear(one, OURS, &relayed(1)).is_ok()).count();
    assert_eq!(alone, 16, "one client behind a relay");
    let rest: Vec<_> = (2..100).map(|it| lab.hear(one, OURS, &relayed(it))).collect();
    assert_eq!(rest.iter().filter(|it| it.is_ok()).count(), 40 - 16, "the relay as a whole");
    assert_eq!(rest.last(), Some(&Err(DropReason::Dhcp6RelayRate)));
    assert_eq!(lab.hear(other, OURS, &relayed(200)), Ok(()));
}

/// Firmware, the boot loader and the system ask a few times each: three boots in a row are far
/// from the limit.
#[test]
fn a_client_that_boots_and_boots_again_is_never_held_back() {
    let mut lab = Lab::new(snapshot());
    for _ in 0..3 {
        for wait in [0, 1, 2, 4, 0, 1, 0, 0, 2, 0, 0, 1, 0] {
            lab.wait(wait);
            lab.ask(&Ask::new(MessageType::Solicit).na(&[])).unwrap();
            lab.ask(&Ask::new(MessageType::Request).na(&[])).unwrap();
        }
    }
}
