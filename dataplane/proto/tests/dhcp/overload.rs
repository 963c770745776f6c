//! Every queue has its bound, and a full one turns repeats away first.

use ironherd_leases::Table;
use ironherd_proto::Rate;
use ironherd_proto::dhcp::{Config, Server};
use ironherd_proto::{DropReason, Event};
use ironherd_wire::dhcp::MessageType::Discover;

use crate::lab::{Lab, Said, mac, snapshot};

fn lab(replies_max: usize, events_max: usize) -> Lab {
    let config = Config { replies_max, events_max, ..Config::default() };
    let server = Server::new(config, Table::default());
    Lab { server, ..Lab::new(snapshot(None, true)) }
}

/// Hands over a DISCOVER and leaves the reply where it is.
fn hear(lab: &mut Lab, card: u8) -> Result<(), DropReason> {
    let port = ironherd_proto::dhcp::ServerPort::Dhcp67;
    let (source, link) = ("0.0.0.0:68".parse().unwrap(), crate::lab::link());
    let payload = Said::new(Discover, mac(card)).bytes();
    lab.server.handle_datagram(&lab.index, port, source, &link, &payload, lab.now)
}

#[test]
fn repeats_go_first_when_replies_pile_up() {
    let mut lab = lab(8, 8);
    for card in 0..5 {
        assert_eq!(hear(&mut lab, card), Ok(()));
    }
    assert_eq!(hear(&mut lab, 0), Err(DropReason::DhcpRepeat), "was heard a moment ago");
    for card in 5..8 {
        assert_eq!(hear(&mut lab, card), Ok(()), "first contacts still fit");
    }
    assert_eq!(hear(&mut lab, 8), Err(DropReason::DhcpBacklog));
    assert_eq!(lab.replies().len(), 8);
    assert_eq!(hear(&mut lab, 0), Ok(()), "there is room again");
}

#[test]
fn a_repeat_seconds_later_is_a_new_contact() {
    let mut lab = lab(4, 8);
    for card in [1, 2, 3] {
        assert_eq!(hear(&mut lab, card), Ok(()));
    }
    lab.wait(4); // EDK2's first repeat.
    assert_eq!(hear(&mut lab, 1), Ok(()));
}

#[test]
fn a_card_that_floods_is_held_back_and_the_others_are_served() {
    let config = Config { card_rate: Rate(2), ..Config::default() };
    let server = Server::new(config, Table::default());
    let mut lab = Lab { server, ..Lab::new(snapshot(None, true)) };
    let passed = (0..10_000).filter(|_| hear(&mut lab, 1).is_ok()).count();
    assert_eq!(passed, 16, "eight seconds' worth");
    assert_eq!(hear(&mut lab, 1), Err(DropReason::DhcpCardRate));
    for card in 2..50 {
        assert_eq!(hear(&mut lab, card), Ok(()), "card {card}");
    }
    lab.wait(4);
    let passed = (0..100).filter(|_| hear(&mut lab, 1).is_ok()).count();
    assert_eq!(passed, 8, "what four seconds have given back");
}

/// EDK2 asks at 0, 4, 12 and 28 s, iPXE and the installed system a few times each: nobody who
/// boots, three times over, comes near the limit.
#[test]
fn a_card_that_boots_and_boots_again_is_never_held_back() {
    let mut lab = Lab::new(snapshot(None, true));
    for _ in 0..3 {
        for wait in [0, 4, 8, 16, 0, 1, 0, 0, 2, 0, 0, 1, 0] {
            lab.wait(wait);
            lab.lease(mac(1)); // DISCOVER and REQUEST.
        }
    }
}

#[test]
fn the_oldest_event_goes_when_nobody_fetches_them() {
    let mut lab = lab(100, 3);
    let held = [1, 2, 3, 4, 5].map(|card| lab.lease(mac(card)));
    let left = lab.events().into_iter().filter_map(|it| match it {
        Event::Lease(it) => Some(it.address),
        _ => None,
    });
    assert_eq!(left.collect::<Vec<_>>(), held[2..]);
    assert_eq!(lab.server.events_lost(), 2);
}
