//! The messages of a lease's life, and the rules for who is not answered.

use ironherd_leases::State;
use ironherd_leases::v6::{Block, Table6};
use ironherd_proto::dhcp6::{Config, Server};
use ironherd_proto::{DropReason, Instant, Now, UnixSeconds};
use ironherd_snapshot::{DhcpMode, Range6, ReservationKey6, Snapshot, Subnet6, Vlan};
use ironherd_wire::dhcp6::code::status;
use ironherd_wire::dhcp6::{IaKind, MessageType, code};

use super::lab::*;

use MessageType::{
    Advertise, Confirm, Decline, InformationRequest, Rebind, Release, Renew, Reply, Request,
    Solicit,
};

#[test]
fn a_client_gets_what_it_was_offered_and_keeps_it() {
    let mut lab = Lab::new(snapshot());
    let offer = lab.ask(&Ask::new(Solicit).na(&[])).unwrap();
    assert_eq!(offer.message().kind, Advertise);
    assert_eq!(offer.message().transaction, [1, 2, 3]);
    assert_eq!((offer.reply.to.port(), *offer.reply.to.ip()), (546, CLIENT));
    assert_eq!((offer.reply.source, offer.reply.to.scope_id()), (LINK_LOCAL, 7));
    assert_eq!(offer.option(code::SERVER_ID).unwrap(), SERVER_DUID);
    assert_eq!(offer.option(code::CLIENT_ID).unwrap(), CLIENT_DUID);
    assert_eq!(offer.option(code::PREFERENCE), Some(vec![255]));
    let address = offer.address();
    assert!(lab.server.leases().bound().next().is_none(), "an offer costs no memory");
    let reply = lab.ask(&Ask::new(Request).na(&[address])).unwrap();
    assert_eq!((reply.message().kind, reply.address()), (Reply, address));
    let ia = reply.message().ias().next().unwrap();
    assert_eq!((ia.t1, ia.t2), (PREFERRED / 2, PREFERRED / 5 * 4));
    let lease = ia.resources().next().unwrap();
    assert_eq!((lease.preferred, lease.valid), (PREFERRED, VALID));
    for kind in [Renew, Rebind, Request] {
        lab.wait(u64::from(VALID) / 2);
        assert_eq!(lab.ask(&Ask::new(kind).na(&[address])).unwrap().address(), address);
    }
    // It comes back without a memory of its own.
    lab.wait(u64::from(VALID) * 10);
    assert_eq!(lab.ask(&Ask::new(Solicit).na(&[])).unwrap().address(), address);
}

#[test]
fn no_reply_leaves_before_its_lease_is_on_disk() {
    let mut lab = Lab::new(snapshot());
    let request = Ask::new(Request).na(&[]);
    lab.hear(CLIENT, SERVERS, &request.bytes()).unwrap();
    assert!(lab.poll().is_none());
    lab.commit();
    let address = lab.poll().expect("the reply").address();
    // A repeat needs no new record, so no wait either.
    lab.hear(CLIENT, SERVERS, &request.bytes()).unwrap();
    assert_eq!(lab.poll().expect("at once").address(), address);
    let (table, recovery) = Table6::recover(&lab.disk);
    assert_eq!((table.bound().count(), recovery.records), (1, 1));
    // After a restart the client renews what it has.
    lab.server = Server::new(Config::default(), SERVER_DUID.to_vec(), table);
    assert_eq!(lab.ask(&Ask::new(Renew).na(&[address])).unwrap().address(), address);
}

#[test]
fn a_disk_that_fails_grants_nothing_until_it_is_mended() {
    let mut lab = Lab::new(snapshot());
    lab.hear(CLIENT, SERVERS, &Ask::new(Request).na(&[]).bytes()).unwrap();
    let mut batch = Vec::new();
    lab.server.take_journal_batch(&mut batch).unwrap();
    lab.server.handle_commit_failed();
    assert!(lab.poll().is_none());
    assert_eq!(lab.server.withdrawn().of(DropReason::Dhcp6Journal), 1);
    for kind in [Solicit, Request, Renew, Rebind] {
        let refused = lab.ask(&Ask::new(kind).na(&[ip("fd77::1000")])).map(|_| ());
        assert_eq!(refused, Err(DropReason::Dhcp6Journal), "{kind:?}");
    }
    // What needs no journal is still answered.
    assert!(lab.ask(&Ask::new(InformationRequest)).is_ok());
    let position = lab.server.take_compaction(&mut lab.disk).unwrap();
    lab.server.handle_committed(position);
    assert!(lab.ask(&Ask::new(Request).na(&[])).is_ok());
}

#[test]
fn rapid_commit_binds_at_once() {
    let mut lab = Lab::new(snapshot());
    let ask = Ask::new(Solicit).na(&[]).option(code::RAPID_COMMIT, &[]);
    let reply = lab.ask(&ask).unwrap();
    assert_eq!(reply.message().kind, Reply);
    assert!(reply.message().wants_rapid_commit(), "it says that it did");
    assert_eq!(lab.server.leases().bound().count(), 1);
    // Where nothing can be bound it is an ADVERTISE that says so.
    let mut empty = snapshot();
    empty.subnets6[0].ranges.clear();
    lab.set(empty);
    let none = lab.ask(&ask.duid(&[0, 2, 7])).unwrap();
    assert_eq!((none.message().kind, none.statuses()), (Advertise, vec![Some(2)]));
    assert_eq!(none.option(code::PREFERENCE), None, "another server may do better");
}

#[test]
fn addresses_and_prefixes_go_together_and_temporary_ones_are_refused() {
    let mut lab = Lab::new(snapshot());
    let ask = |kind| {
        Ask::new(kind)
            .ia(IaKind::Address, 1, &[])
            .ia(IaKind::Address, 2, &[])
            .ia(IaKind::Prefix, 1, &[])
            .ia(IaKind::Temporary, 1, &[])
    };
    let offer = lab.ask(&ask(Solicit)).unwrap();
    let reply = lab.ask(&ask(Request)).unwrap();
    assert_eq!(offer.leases(), reply.leases());
    let leases = reply.leases();
    assert_eq!(leases.len(), 3);
    assert_ne!(leases[0], leases[1]);
    assert!(leases[2].0.starts_with("fd80:0:0:") && leases[2].0.ends_with("/56"), "{leases:?}");
    assert_eq!(reply.statuses(), [None, None, None, Some(status::NO_ADDRESSES)]);
    // A client may only hint at a length, or name a prefix that it would like.
    let wish = (ip("fd80:0:0:4200::"), 56);
    let got = lab.ask(&Ask::new(Request).ia(IaKind::Prefix, 9, &[wish])).unwrap();
    assert_eq!(got.leases()[0].0, "fd80:0:0:4200::/56");
    let hint = (ip("::"), 60);
    let got = lab.ask(&Ask::new(Request).ia(IaKind::Prefix, 10, &[hint])).unwrap();
    assert!(got.leases()[0].0.ends_with("/56"), "the one length there is");
}

#[test]
fn what_runs_out_is_said_by_status() {
    let mut snapshot = snapshot();
    let only = ip("fd77::1000");
    snapshot.subnets6[0].ranges = vec![Range6 { first: only, last: only }];
    snapshot.subnets6[0].prefix_pools.clear();
    let mut lab = Lab::new(snapshot);
    assert_eq!(lab.ask(&Ask::new(Request).na(&[])).unwrap().address(), only);
    let other = Ask::new(Request).na(&[]).ia(IaKind::Prefix, 1, &[]).duid(&[0, 2, 7]);
    let got = lab.ask(&other).unwrap();
    assert_eq!(got.statuses(), [Some(status::NO_ADDRESSES), Some(status::NO_PREFIXES)]);
    assert!(got.leases().is_empty());
}

#[test]
fn a_request_for_another_link_is_told_so() {
    let mut lab = Lab::new(snapshot());
    let got = lab.ask(&Ask::new(Request).na(&[ip("fd99::1")])).unwrap();
    assert_eq!(got.statuses(), [Some(status::NOT_ON_LINK)]);
    assert!(got.leases().is_empty());
}

#[test]
fn confirm_looks_at_the_link_alone() {
    let mut lab = Lab::new(snapshot());
    let rows = [
        (&[ip("fd77::1000")][..], Ok(status::SUCCESS)),
        (&[ip("fd77::9"), ip("fd77::2")], Ok(status::SUCCESS)),
        (&[ip("fd77::9"), ip("fd99::2")], Ok(status::NOT_ON_LINK)),
        (&[], Err(DropReason::Dhcp6NothingToConfirm)),
    ];
    for (addresses, want) in rows {
        let got = lab.ask(&Ask::new(Confirm).na(addresses));
        assert_eq!(got.map(|it| it.message().options.status().unwrap()), want, "{addresses:?}");
    }
}

#[test]
fn what_is_over_comes_back_with_no_time_left() {
    let mut lab = Lab::new(snapshot());
    let old = lab.ask(&Ask::new(Request).na(&[])).unwrap().address();
    let mut moved = snapshot();
    moved.subnets6 = vec![subnet("5").into()];
    lab.link.addresses = vec![ip("fd77:0:0:5::1")];
    lab.set(moved);
    for kind in [Renew, Rebind] {
        let got = lab.ask(&Ask::new(kind).na(&[old])).unwrap().leases();
        assert_eq!(got[0], (old.to_string(), 0), "{kind:?}");
        assert!(got[1].0.starts_with("fd77:0:0:5::") && got[1].1 == VALID, "{got:?}");
    }
}

#[test]
fn only_we_answer_for_what_only_we_know() {
    let mut lab = Lab::new(snapshot());
    // On the link but in no range of ours: another rack may have given it.
    let foreign = ip("fd77::abcd");
    let silent = lab.ask(&Ask::new(Rebind).na(&[foreign])).map(|_| ());
    assert_eq!(silent, Err(DropReason::Dhcp6UnknownClient));
    // RENEW names us, so it is ours to say: that one is over, this one is yours.
    let got = lab.ask(&Ask::new(Renew).na(&[foreign])).unwrap().leases();
    assert_eq!(got[0], (foreign.to_string(), 0));
    assert_eq!(got.len(), 2);
    // In our range and free: a table that was lost comes back alike.
    let free = ip("fd77::1234");
    let got = lab.ask(&Ask::new(Rebind).na(&[free]).duid(&[0, 2, 7])).unwrap();
    assert_eq!(got.address(), free);
    // Somebody else's.
    let got = lab.ask(&Ask::new(Renew).na(&[free]).duid(&[0, 2, 8])).unwrap().leases();
    assert_eq!(got[0], (free.to_string(), 0));
    assert_ne!(got[1].0, free.to_string());
}

#[test]
fn release_and_decline_end_a_lease_each_in_its_way() {
    let mut lab = Lab::new(snapshot());
    let ask = |kind, id, address| Ask::new(kind).ia(IaKind::Address, id, &[(address, 128)]);
    let address = lab.ask(&Ask::new(Request).na(&[])).unwrap().address();
    // Another association of the client does not hold it.
    for kind in [Release, Decline] {
        let got = lab.ask(&ask(kind, 2, address)).unwrap();
        assert_eq!(got.statuses(), [Some(status::NO_BINDING)], "{kind:?}");
        assert_eq!(got.message().options.status(), Some(status::SUCCESS));
    }
    let got = lab.ask(&ask(Release, 1, address)).unwrap();
    assert_eq!((got.statuses(), got.message().options.status()), (vec![], Some(0)));
    assert_eq!(lab.server.leases().bound().count(), 0);
    assert_eq!(lab.ask(&Ask::new(Request).na(&[])).unwrap().address(), address, "affinity");
    lab.ask(&ask(Decline, 1, address)).unwrap();
    assert_ne!(lab.ask(&Ask::new(Request).na(&[])).unwrap().address(), address);
    let stranger = Ask::new(Request).na(&[address]).duid(&[0, 2, 7]);
    assert_ne!(lab.ask(&stranger).unwrap().address(), address, "quarantined");
    lab.wait(3601);
    let last = Ask::new(Request).na(&[address]).duid(&[0, 2, 8]);
    assert_eq!(lab.ask(&last).unwrap().address(), address, "the quarantine is over");
}

#[test]
fn a_reply_whose_lease_was_given_up_is_withdrawn() {
    let mut lab = Lab::new(snapshot());
    lab.hear(CLIENT, SERVERS, &Ask::new(Request).na(&[]).bytes()).unwrap();
    let lease = lab.server.leases().bound().next().unwrap();
    let Block { address, .. } = lease.block;
    lab.hear(CLIENT, SERVERS, &Ask::new(Release).na(&[address]).bytes()).unwrap();
    lab.commit();
    assert_eq!(lab.poll().unwrap().message().options.status(), Some(0), "of the RELEASE");
    assert!(lab.poll().is_none());
    assert_eq!(lab.server.withdrawn().of(DropReason::Dhcp6Superseded), 1);
}

#[test]
fn reservations_are_kept_for_their_client() {
    let duid = CLIENT_DUID.to_vec();
    for key in [ReservationKey6::Mac(MAC), ReservationKey6::Duid(duid)] {
        let mut snapshot = snapshot();
        let mut reserved = reservation(key.clone(), "fd77::1005");
        reserved.prefix = Some("fd90::/56".parse().unwrap());
        snapshot.subnets6[0].reservations = vec![reserved];
        let mut lab = Lab::new(snapshot);
        let stranger = Ask::new(Request).na(&[ip("fd77::1005")]).duid(&[0, 2, 7]);
        let source = ip("fe80::99");
        lab.hear(source, SERVERS, &stranger.bytes()).unwrap();
        lab.commit();
        assert_ne!(lab.poll().unwrap().address(), ip("fd77::1005"));
        let ask = |kind| Ask::new(kind).na(&[]).ia(IaKind::Prefix, 1, &[]);
        for kind in [Solicit, Request] {
            let leases = lab.ask(&ask(kind)).unwrap().leases();
            assert_eq!(leases[0].0, "fd77::1005", "{key:?}");
            assert_eq!(leases[1].0, "fd90::/56", "{key:?}");
        }
        // The next stage of the boot has an association of its own, and gets the same.
        let next = Ask::new(Request).ia(IaKind::Address, 77, &[]);
        assert_eq!(lab.ask(&next).unwrap().address(), ip("fd77::1005"), "{key:?}");
    }
}

#[test]
fn a_new_reservation_moves_its_client() {
    let mut lab = Lab::new(snapshot());
    let old = lab.ask(&Ask::new(Request).na(&[])).unwrap().address();
    let mut with = snapshot();
    with.subnets6[0].reservations = vec![reservation(ReservationKey6::Mac(MAC), "fd77::9")];
    lab.set(with);
    let leases = lab.ask(&Ask::new(Renew).na(&[old])).unwrap().leases();
    assert_eq!(leases, [(old.to_string(), 0), ("fd77::9".to_owned(), VALID)]);
}

#[test]
fn subnets_of_one_vlan_are_one_link() {
    let mut snapshot = snapshot();
    let full = Subnet6 { ranges: Vec::new(), ..subnet("0") };
    let second = Subnet6 {
        reservations: vec![reservation(ReservationKey6::Duid(vec![0, 2, 7]), "fd77:0:0:2::9")],
        ..subnet("2")
    };
    snapshot.subnets6 = vec![full.into(), subnet("1").into(), second.into()];
    let mut lab = Lab::new(snapshot);
    let got = lab.ask(&Ask::new(Request).na(&[])).unwrap();
    assert!(got.address().to_string().starts_with("fd77:0:0:1::"));
    let got = lab.ask(&Ask::new(Request).na(&[]).duid(&[0, 2, 7])).unwrap();
    assert_eq!(got.address(), ip("fd77:0:0:2::9"), "where it is reserved");
    let got = lab.ask(&Ask::new(Confirm).na(&[ip("fd77:0:0:2::1")])).unwrap();
    assert_eq!(got.message().options.status(), Some(status::SUCCESS));
}

#[test]
fn who_is_not_answered_is_counted_under_one_name() {
    let with_mode = |mode| Snapshot {
        vlans: vec![Vlan { id: "lan".to_owned(), mode, ..Vlan::default() }],
        ..snapshot()
    };
    let na = |kind| Ask::new(kind).na(&[]);
    let named = |kind, server: &[u8]| Ask { server: Some(server.to_vec()), ..na(kind) };
    let nameless = |kind| Ask { server: None, ..na(kind) };
    let rows = [
        (na(Reply), DropReason::Dhcp6NotRequest),
        (na(Advertise), DropReason::Dhcp6NotRequest),
        (na(Solicit).duid(&[]), DropReason::Dhcp6ClientId),
        (na(Solicit).duid(&[1; 131]), DropReason::Dhcp6ClientId),
        (named(Solicit, SERVER_DUID), DropReason::Dhcp6ServerId),
        (named(Confirm, SERVER_DUID), DropReason::Dhcp6ServerId),
        (named(Rebind, SERVER_DUID), DropReason::Dhcp6ServerId),
        (nameless(Request), DropReason::Dhcp6ServerId),
        (nameless(Renew), DropReason::Dhcp6ServerId),
        (nameless(Release), DropReason::Dhcp6ServerId),
        (nameless(Decline), DropReason::Dhcp6ServerId),
        (named(Request, &[0, 4, 1]), DropReason::Dhcp6OtherServer),
        (named(InformationRequest, &[0, 4, 1]), DropReason::Dhcp6OtherServer),
        (na(InformationRequest), DropReason::Dhcp6Malformed),
    ];
    for (ask, want) in rows {
        let mut lab = Lab::new(snapshot());
        let got = lab.ask(&ask).map(|_| ());
        assert_eq!(got, Err(want), "{:?} {:?}", ask.kind, ask.server);
    }
    let solicit = na(Solicit).bytes();
    let mut lab = Lab::new(snapshot());
    assert_eq!(lab.hear(CLIENT, OURS, &solicit), Err(DropReason::Dhcp6Unicast));
    assert_eq!(lab.hear(ip("::"), SERVERS, &solicit), Err(DropReason::Dhcp6NoDestination));
    assert_eq!(lab.hear(CLIENT, SERVERS, &solicit[..3]), Err(DropReason::Dhcp6Malformed));
    assert_eq!(lab.hear(CLIENT, SERVERS, &[]), Err(DropReason::Dhcp6Malformed));
    lab.link.addresses = vec![ip("fd99::1")];
    assert_eq!(lab.hear(CLIENT, SERVERS, &solicit), Err(DropReason::Dhcp6NoSubnet));
    for (mode, solicits, informs) in [
        (DhcpMode::Off, false, false),
        (DhcpMode::Proxy, false, true),
        (DhcpMode::Auto, true, true),
    ] {
        let mut lab = Lab::new(with_mode(mode));
        assert_eq!(lab.ask(&na(Solicit)).is_ok(), solicits, "{mode:?}");
        assert_eq!(lab.ask(&Ask::new(InformationRequest)).is_ok(), informs, "{mode:?}");
    }
}

/// A link that has no IPv6 address of ours yet is told by the VLAN of its IPv4 subnet.
#[test]
fn the_vlan_tells_the_link_where_no_address_does() {
    let mut snapshot = snapshot();
    snapshot.subnets = vec![
        ironherd_snapshot::Subnet {
            id: "v4".to_owned(),
            vlan: "lan".to_owned(),
            cidr: "10.77.0.0/24".parse().unwrap(),
            ..ironherd_snapshot::Subnet::default()
        }
        .into(),
    ];
    let mut lab = Lab::new(snapshot);
    lab.link.addresses.clear();
    assert!(
        lab.ask(&Ask::new(Request).na(&[])).unwrap().address().to_string().starts_with("fd77::")
    );
}

/// What is offered is asked about on the link, once and only where someone could answer; what is
/// found in use goes to nobody.
#[test]
fn an_address_in_use_by_a_stranger_is_let_alone() {
    let probing = |on| {
        let mut snapshot = snapshot();
        snapshot.settings.conflict_probes = on;
        Lab::new(snapshot)
    };
    let solicit = Ask::new(Solicit).na(&[]);
    let mut lab = probing(false);
    lab.ask(&solicit).unwrap();
    assert_eq!(lab.server.poll_probe(), None, "not wanted");
    let mut lab = probing(true);
    let offered = lab.ask(&solicit).unwrap().address();
    let probe = lab.server.poll_probe().unwrap();
    assert_eq!((probe.link, probe.address), (7, offered));
    assert_eq!(lab.server.poll_probe(), None, "once");
    let now = Now { instant: Instant::from_nanos(1), wall: UnixSeconds(lab.now) };
    assert!(lab.server.handle_conflict(offered, now));
    let other = lab.ask(&Ask::new(Request).na(&[offered])).unwrap().address();
    assert_ne!(other, offered);
    assert!(!lab.server.handle_conflict(other, now), "a client has it by now");
    assert_eq!(lab.server.poll_probe(), None, "a lease is no offer");
    assert_eq!(lab.ask(&solicit).unwrap().address(), other);
    assert_eq!(lab.server.poll_probe(), None, "it is the client's own");
    // The quarantine outlives a restart, and ends.
    lab.commit();
    let (mut table, _) = Table6::recover(&lab.disk);
    let block = Block::address(offered);
    assert_eq!(table.lease_at(block).unwrap().state, State::Quarantined);
    while table.expire(lab.now + 3600).is_some() {}
    assert_eq!(table.lease_at(block).unwrap().state, State::Free);
}
