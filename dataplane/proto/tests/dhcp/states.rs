//! The four states of a client, and what it may say besides.

use std::net::Ipv4Addr;

use ironherd_leases::State;
use ironherd_proto::{DropReason, Event, LeaseChange};
use ironherd_snapshot::Index;
use ironherd_wire::dhcp::MessageType::{self, Ack, Decline, Discover, Nak, Release, Request};
use ironherd_wire::dhcp::{Message, code};

use crate::lab::{LEASE_SECONDS, Lab, MAC, OURS, Said, address, mac, reservation, snapshot};

/// What came back: a kind of reply, or why there was none.
fn outcome(lab: &mut Lab, said: &Said) -> Result<MessageType, DropReason> {
    let sent = lab.tell(&said.bytes())?;
    let (_, payload) = sent.first().unwrap();
    Ok(Message::parse(payload).unwrap().message_type().unwrap())
}

fn renewing(mac: ironherd_snapshot::Mac, ciaddr: Ipv4Addr) -> Said {
    Said::new(Request, mac).header(|it| it.ciaddr = ciaddr)
}

#[test]
fn a_request_is_judged_by_the_clients_state() {
    use DropReason::{DhcpMalformed, DhcpNoSubnet, DhcpOtherServer, DhcpUnknownClient};
    let select = |card, last| Said::new(Request, mac(card)).select(address(last));
    let reboot = |card, ip: Ipv4Addr| Said::new(Request, mac(card)).wish(ip);
    let renew = |card, last| renewing(mac(card), address(last));
    let booting = |it: Said| it.booting("PXEClient", "", 7);
    let relayed = |it: Said| it.header(|it| it.giaddr = Ipv4Addr::new(10, 77, 9, 1));
    let (behind, far) = (Ipv4Addr::new(10, 77, 9, 150), Ipv4Addr::new(192, 0, 2, 1));
    let ask_nothing = Said::new(Request, mac(1));
    let ask_other = select(1, 150).with(code::SERVER_ID, &[]); // Joined: still ours.
    let rows: [(&str, Said, Result<MessageType, DropReason>); 30] = [
        // Card 1 holds 101, card 2 has 50 reserved, card 3 is new; 150 is free.
        ("selecting, free", select(3, 150), Ok(Ack)),
        ("selecting, own", select(1, 101), Ok(Ack)),
        ("selecting, held", select(3, 101), Ok(Nak)),
        ("selecting, outside", select(3, 9), Ok(Nak)),
        ("selecting, another's reservation", select(3, 50), Ok(Nak)),
        ("selecting, own reservation", select(2, 50), Ok(Ack)),
        ("selecting, a stranger as firmware", booting(select(3, 150)), Ok(Ack)),
        ("selecting, one option twice", ask_other, Ok(Ack)),
        ("selecting nothing", ask_nothing.clone().with(54, &OURS.octets()), Err(DhcpMalformed)),
        ("asking for nothing", ask_nothing, Err(DhcpMalformed)),
        (
            "another server",
            Said::new(Request, mac(1)).with(54, &[10, 77, 0, 9]).wish(address(101)),
            Err(DhcpOtherServer),
        ),
        ("rebooting, own", reboot(1, address(101)), Ok(Ack)),
        ("rebooting, own reservation", reboot(2, address(50)), Ok(Ack)),
        ("rebooting, not the reservation", reboot(2, address(150)), Err(DhcpUnknownClient)),
        ("rebooting, newer lease elsewhere", reboot(1, address(150)), Ok(Nak)),
        ("rebooting, firmware is served", booting(reboot(1, address(150))), Ok(Ack)),
        ("rebooting, unknown", reboot(3, address(150)), Err(DhcpUnknownClient)),
        ("rebooting, unknown firmware is served", booting(reboot(3, address(150))), Ok(Ack)),
        ("rebooting, held by another", reboot(3, address(101)), Err(DhcpUnknownClient)),
        ("rebooting, unknown, outside the ranges", reboot(3, address(9)), Err(DhcpUnknownClient)),
        ("rebooting, wrong network", reboot(3, far), Ok(Nak)),
        ("renewing, own", renew(1, 101), Ok(Ack)),
        ("renewing, forgotten but free", renew(3, 150), Ok(Ack)),
        ("renewing, held by another", renew(3, 101), Err(DhcpUnknownClient)),
        ("renewing, not the lease it has", renew(1, 50), Ok(Nak)),
        ("renewing, unknown, outside the ranges", renew(3, 9), Err(DhcpUnknownClient)),
        ("renewing, behind a router", renewing(mac(3), behind), Ok(Ack)),
        ("renewing, nowhere", renewing(mac(3), far), Err(DhcpNoSubnet)),
        ("rebinding, through a relay", relayed(renewing(mac(3), behind)), Ok(Ack)),
        ("rebinding, moved to another network", relayed(renew(1, 101)), Ok(Nak)),
    ];
    for (name, said, want) in rows {
        let mut snapshot = snapshot(None, true);
        snapshot.subnets[0].reservations.push(reservation(mac(2), 50).into());
        let mut lab = Lab::new(snapshot);
        assert_eq!(outcome(&mut lab, &select(1, 101)), Ok(Ack));
        assert_eq!(outcome(&mut lab, &said), want, "{name}");
    }
}

#[test]
fn what_no_client_says_is_refused_by_name() {
    use DropReason::{DhcpHardware, DhcpMalformed, DhcpMessageType, DhcpNotRequest};
    let good = Said::new(Discover, MAC);
    let rows = [
        ("a reply", good.clone().header(|it| it.op = 2), DhcpNotRequest),
        ("no card", good.clone().header(|it| it.hardware_len = 0), DhcpHardware),
        ("a long card", good.clone().header(|it| it.hardware_len = 255), DhcpHardware),
        ("InfiniBand", good.header(|it| it.hardware_type = 32), DhcpHardware),
        ("an offer", Said::new(MessageType::Offer, MAC), DhcpMessageType),
        ("an ACK", Said::new(Ack, MAC), DhcpMessageType),
    ];
    for (name, said, want) in rows {
        let mut lab = Lab::new(snapshot(None, true));
        assert_eq!(lab.tell(&said.bytes()), Err(want), "{name}");
    }
    let mut lab = Lab::new(snapshot(None, true));
    assert_eq!(lab.tell(b"noise"), Err(DhcpMalformed));
}

#[test]
fn no_ack_leaves_before_its_lease_is_on_disk() {
    let mut lab = Lab::new(snapshot(Some(ironherd_snapshot::Intent::Deploy), false));
    let request = Said::new(Request, MAC).select(address(150)).booting("PXEClient", "", 7).bytes();
    let tell = |lab: &mut Lab| {
        let source = "0.0.0.0:68".parse().unwrap();
        let port = ironherd_proto::dhcp::ServerPort::Dhcp67;
        let link = crate::lab::link();
        lab.server.handle_datagram(&lab.index, port, source, &link, &request, lab.now)
    };
    assert_eq!(tell(&mut lab), Ok(()));
    assert_eq!(lab.replies().len(), 0, "nothing is written");
    let position = lab.server.take_journal_batch(&mut lab.disk).unwrap();
    assert_eq!(lab.replies().len(), 0, "the write is under way");
    assert_eq!(tell(&mut lab), Ok(()), "a repeat");
    assert_eq!(lab.replies().len(), 0, "waits for the same write");
    lab.server.handle_committed(position);
    let replies = lab.replies();
    assert_eq!(replies.len(), 2);
    assert_eq!(replies[0].1, replies[1].1, "and gets the same answer");
    assert_eq!(tell(&mut lab), Ok(()));
    assert_eq!(lab.replies(), replies[..1], "at once, since it is on disk");
    assert!(lab.server.take_journal_batch(&mut lab.disk).is_none(), "with nothing to write");
}

#[test]
fn a_failed_disk_stops_all_promises_until_it_is_mended() {
    let mut lab = Lab::new(snapshot(None, true));
    let held = lab.lease(mac(1));
    let source = "0.0.0.0:68".parse().unwrap();
    let port = ironherd_proto::dhcp::ServerPort::Dhcp67;
    let request = Said::new(Request, mac(2)).select(address(150)).bytes();
    let link = crate::lab::link();
    lab.server.handle_datagram(&lab.index, port, source, &link, &request, lab.now).unwrap();
    lab.server.take_journal_batch(&mut Vec::new()).unwrap();
    lab.server.handle_commit_failed();
    assert_eq!(lab.replies().len(), 0);
    assert_eq!(lab.server.withdrawn().of(DropReason::DhcpJournal), 1);
    assert!(lab.events().contains(&Event::JournalFailed));
    for said in [Said::new(Discover, mac(3)), renewing(mac(1), held)] {
        assert_eq!(lab.tell(&said.bytes()), Err(DropReason::DhcpJournal));
    }
    let mut image = Vec::new();
    let position = lab.server.take_compaction(&mut image).unwrap();
    lab.server.handle_committed(position);
    lab.disk = image;
    assert_eq!(outcome(&mut lab, &renewing(mac(1), held)), Ok(Ack));
    let (after, _) = ironherd_leases::Table::recover(&lab.disk);
    assert_eq!(after.lease_at(held).unwrap().mac, mac(1));
}

#[test]
fn a_lease_ends_when_it_was_not_renewed() {
    let mut lab = Lab::new(snapshot(None, true));
    let held = lab.lease(mac(1));
    lab.wait(u64::from(LEASE_SECONDS) / 2);
    assert_eq!(outcome(&mut lab, &renewing(mac(1), held)), Ok(Ack));
    lab.wait(u64::from(LEASE_SECONDS) - 1);
    assert_eq!(lab.server.leases().lease_at(held).unwrap().state, State::Bound);
    let deadline = lab.server.next_deadline().unwrap();
    assert!(lab.now.instant < deadline);
    lab.wait(60); // The slack is over too.
    assert_eq!(lab.server.leases().lease_at(held).unwrap().state, State::Free);
    assert_eq!(lab.server.next_deadline(), None);
    let changes = lab.events().into_iter().filter_map(|it| match it {
        Event::Lease(it) => Some((it.change, it.address, it.mac)),
        _ => None,
    });
    let changes = changes.collect::<Vec<_>>();
    let all = [LeaseChange::Granted, LeaseChange::Renewed, LeaseChange::Expired];
    assert_eq!(changes, all.map(|it| (it, held, mac(1))));
    assert_eq!(lab.lease(mac(1)), held, "and comes back to the same client");
}

#[test]
fn release_and_decline_are_the_holders_only() {
    let release = |card, ip: Ipv4Addr| Said::new(Release, mac(card)).header(|it| it.ciaddr = ip);
    let decline = |card, ip: Ipv4Addr| Said::new(Decline, mac(card)).wish(ip);
    let rows = [
        ("release", release(1, address(101)), Ok(()), State::Free),
        ("another's", release(2, address(101)), Err(DropReason::DhcpNotHolder), State::Bound),
        ("nothing", release(1, address(102)), Err(DropReason::DhcpNotHolder), State::Bound),
        (
            "to another server",
            release(1, address(101)).with(54, &[10, 77, 0, 9]),
            Err(DropReason::DhcpOtherServer),
            State::Bound,
        ),
        ("decline", decline(1, address(101)), Ok(()), State::Quarantined),
        (
            "decline another's",
            decline(2, address(101)),
            Err(DropReason::DhcpNotHolder),
            State::Bound,
        ),
        (
            "decline nothing",
            Said::new(Decline, mac(1)),
            Err(DropReason::DhcpMalformed),
            State::Bound,
        ),
    ];
    for (name, said, want, state) in rows {
        let mut lab = Lab::new(snapshot(None, true));
        outcome(&mut lab, &Said::new(Request, mac(1)).select(address(101))).unwrap();
        let got = lab.tell(&said.bytes()).map(|sent| assert!(sent.is_empty(), "{name}"));
        assert_eq!(got, want, "{name}");
        assert_eq!(lab.server.leases().lease_at(address(101)).unwrap().state, state, "{name}");
        let told = lab.events().len();
        assert_eq!(told, 1 + usize::from(want.is_ok()), "{name}");
    }
}

#[test]
fn an_ack_is_withdrawn_when_its_lease_is_given_up_meanwhile() {
    let mut lab = Lab::new(snapshot(None, true));
    let source = "0.0.0.0:68".parse().unwrap();
    let port = ironherd_proto::dhcp::ServerPort::Dhcp67;
    let link = crate::lab::link();
    let request = Said::new(Request, mac(1)).select(address(150));
    let release = Said::new(Release, mac(1)).header(|it| it.ciaddr = address(150));
    for said in [request, release] {
        let payload = said.bytes();
        lab.server.handle_datagram(&lab.index, port, source, &link, &payload, lab.now).unwrap();
    }
    assert_eq!(lab.flush(), []);
    assert_eq!(lab.server.withdrawn().of(DropReason::DhcpSuperseded), 1);
}

#[test]
fn ranges_and_reservations_of_a_new_snapshot_hold_at_once() {
    let mut lab = Lab::new(snapshot(None, true));
    let held = lab.lease(mac(1));
    let mut next = snapshot(None, true);
    next.generation = 2;
    next.subnets[0].reservations =
        vec![reservation(mac(1), 50).into(), reservation(mac(2), 60).into()];
    lab.index = Index::new(next.clone());
    assert_eq!(lab.lease(mac(2)), address(60));
    assert_eq!(outcome(&mut lab, &renewing(mac(1), held)), Ok(Ack), "it goes on with the old");
    assert_eq!(lab.lease(mac(1)), address(50), "and moves when it starts anew");
    next.generation = 3;
    next.subnets.remove(0);
    lab.index = Index::new(next);
    assert_eq!(
        lab.tell(&Said::new(Discover, mac(3)).bytes()),
        Err(DropReason::DhcpNoSubnet),
        "the subnet is gone"
    );
}
