//! The options that have rules of their own.

use std::net::Ipv4Addr;

use ironherd_leases::State;
use ironherd_proto::DropReason;
use ironherd_snapshot::{DhcpOption, Intent, Snapshot, Vlan};
use ironherd_wire::dhcp::MessageType::{Ack, Discover, Inform, Offer, Request};
use ironherd_wire::dhcp::{Message, code};

use crate::lab::{
    Lab, MAC, NOBODY, OURS, Said, address, link, mac, option, snapshot, subnet, value,
};

fn with_options(options: &[DhcpOption]) -> Snapshot {
    let mut snapshot = snapshot(Some(Intent::Local), false);
    snapshot.subnets[0].options.v4 = options.to_vec();
    snapshot
}

/// One option of the offer.
#[track_caller]
fn offered(snapshot: Snapshot, said: &Said, code: u8) -> Option<Vec<u8>> {
    let (_, offer) = Lab::new(snapshot).ask(&said.bytes());
    value(&Message::parse(&offer).unwrap(), code)
}

#[test]
fn a_rapid_commit_is_a_lease_at_once() {
    let mut lab = Lab::new(snapshot(None, false));
    let said = Said::new(Discover, mac(1)).with(code::RAPID_COMMIT, &[]);
    let source = "0.0.0.0:68".parse().unwrap();
    let port = ironherd_proto::dhcp::ServerPort::Dhcp67;
    let payload = said.bytes();
    lab.server.handle_datagram(&lab.index, port, source, &link(), &payload, lab.now).unwrap();
    assert_eq!(lab.replies(), [], "not before it is on disk");
    let (_, ack) = lab.flush().remove(0);
    let ack = Message::parse(&ack).unwrap();
    assert_eq!(ack.message_type(), Some(Ack));
    assert_eq!(value(&ack, code::RAPID_COMMIT), Some(Vec::new()));
    assert!(ack.option(code::LEASE_SECONDS).is_some());
    assert_eq!(lab.server.leases().lease_at(ack.yiaddr()).unwrap().state, State::Bound);

    // A new address that shall be probed is offered first; a known one need not be.
    let mut snapshot = snapshot(None, false);
    snapshot.settings.conflict_probes = true;
    let mut lab = Lab::new(snapshot);
    let kind = |lab: &mut Lab| Message::parse(&lab.ask(&payload).1).unwrap().message_type();
    assert_eq!(kind(&mut lab), Some(Offer));
    lab.lease(mac(1));
    assert_eq!(kind(&mut lab), Some(Ack));
}

#[test]
fn routes_keep_the_default_route() {
    let ten = [8, 10, 10, 77, 0, 9];
    let with_default = [&ten[..], &[0, 10, 77, 0, 254]].concat();
    let (both, new, old) = (&[3, 121, 249][..], &[1, 121][..], &[3, 249][..]);
    let rows = [
        (both, Some(&with_default), Some(&with_default)),
        (new, Some(&with_default), None),
        (old, None, Some(&with_default)),
        (&[3][..], None, None),
        (&[][..], Some(&with_default), None), // Without a list, by the one number there is.
    ];
    for (list, want, want_microsoft) in rows {
        let said = Said::new(Discover, MAC);
        let said = if list.is_empty() { said } else { said.with(code::PARAMETERS, list) };
        let snapshot = || with_options(&[option(code::CLASSLESS_ROUTES, &ten)]);
        assert_eq!(offered(snapshot(), &said, 121).as_ref(), want, "{list:?}");
        assert_eq!(offered(snapshot(), &said, 249).as_ref(), want_microsoft, "{list:?}");
    }
    let mut without = with_options(&[option(code::CLASSLESS_ROUTES, &ten)]);
    without.subnets[0].gateway = None;
    assert_eq!(offered(without, &Said::new(Discover, MAC), 121), Some(ten.to_vec()));
    let own = [option(121, &ten), option(249, b"own")];
    let said = Said::new(Discover, MAC).with(code::PARAMETERS, both);
    assert_eq!(offered(with_options(&own), &said, 249), Some(b"own".to_vec()));
}

/// We update no names yet, and say so (RFC 4702): N is set, S never, O where S was asked for.
#[test]
fn a_clients_full_name_is_answered() {
    let rows: [(&[u8], &[u8]); 5] = [
        (b"\x00\0\0", b"\x08\xff\xffnode-one.lab.test"),
        (b"\x01\0\0x.example", b"\x0a\xff\xffnode-one.lab.test"),
        (b"\x05\0\0\x01x\0", b"\x0e\xff\xff\x08node-one\x03lab\x04test\0"),
        (b"\x08\0\0x", b"\x08\xff\xffnode-one.lab.test"),
        (b"\x04\0\0", b"\x0c\xff\xff\x08node-one\x03lab\x04test\0"),
    ];
    for (asked, want) in rows {
        let said = Said::new(Discover, MAC).with(code::CLIENT_FQDN, asked);
        let got = offered(with_options(&[]), &said, code::CLIENT_FQDN);
        assert_eq!(got.as_deref(), Some(want), "{asked:?}");
    }
    let stranger = Said::new(Discover, mac(9)).with(code::CLIENT_FQDN, b"\x01\0\0x.example");
    let got = offered(with_options(&[]), &stranger, code::CLIENT_FQDN);
    assert_eq!(got.as_deref(), Some(&b"\x0a\xff\xffx.example"[..]), "its own name");
    let broken = Said::new(Discover, MAC).with(code::CLIENT_FQDN, b"\x01\0");
    assert_eq!(offered(with_options(&[]), &broken, code::CLIENT_FQDN), None);
    assert_eq!(offered(with_options(&[]), &Said::new(Discover, MAC), code::CLIENT_FQDN), None);
}

#[test]
fn only_who_knows_ipv6_only_and_auto_configure_is_told() {
    let wait = [0, 0, 1, 44];
    let snapshot = || {
        let force = DhcpOption { force: true, ..option(code::IPV6_ONLY, &wait) };
        with_options(&[force, option(code::AUTO_CONFIGURE, &[0])])
    };
    let plain = Said::new(Discover, MAC);
    let named = plain.clone().with(code::PARAMETERS, &[1, code::IPV6_ONLY]);
    assert_eq!(offered(snapshot(), &named, code::IPV6_ONLY), Some(wait.to_vec()));
    assert_eq!(offered(snapshot(), &plain, code::IPV6_ONLY), None, "no list names nothing");
    let asking = plain.clone().with(code::AUTO_CONFIGURE, &[1]);
    assert_eq!(offered(snapshot(), &asking, code::AUTO_CONFIGURE), Some(vec![0]));
    assert_eq!(offered(snapshot(), &plain, code::AUTO_CONFIGURE), None);
}

/// RFC 2563: who gets no address is told whether to make up one, if somebody has said so.
#[test]
fn without_an_address_a_client_may_be_told_what_to_do() {
    let asking = Said::new(Discover, MAC).with(code::AUTO_CONFIGURE, &[1]);
    let rows = [
        (true, &asking, Ok(Some(vec![0]))),
        (true, &Said::new(Discover, MAC), Err(DropReason::DhcpNoAddress)),
        (false, &asking, Err(DropReason::DhcpNoAddress)),
    ];
    for (set, said, want) in rows {
        let mut snapshot = snapshot(None, false);
        snapshot.subnets[0].ranges.clear();
        if set {
            snapshot.settings.options.v4 = vec![option(code::AUTO_CONFIGURE, &[0])];
        }
        let got = Lab::new(snapshot).tell(&said.bytes()).map(|it| {
            let offer = Message::parse(&it[0].1).unwrap();
            assert_eq!((offer.message_type(), offer.yiaddr()), (Some(Offer), NOBODY));
            assert!(offer.option(code::LEASE_SECONDS).is_none());
            value(&offer, code::AUTO_CONFIGURE)
        });
        assert_eq!(got, want, "{set}");
    }
}

/// Option 118: a relay may speak for any subnet, a client only of those on its own link.
#[test]
fn a_chosen_subnet_is_confirmed() {
    let mut snapshot = snapshot(None, false);
    let vlan = |id: &str| Vlan { id: id.to_owned(), ..Vlan::default() };
    snapshot.vlans = vec![vlan("near"), vlan("far")];
    snapshot.subnets.push(subnet(1).into());
    for (subnet, vlan) in snapshot.subnets.iter_mut().zip(["near", "far", "near"]) {
        subnet.vlan = vlan.to_owned();
    }
    let rows = [(1, true, 1), (9, false, 0), (8, false, 0)];
    for (third, confirmed, want) in rows {
        let chosen = [10, 77, third, 0];
        let said = Said::new(Discover, MAC).with(code::SUBNET_SELECTION, &chosen);
        let (_, offer) = Lab::new(snapshot.clone()).ask(&said.bytes());
        let offer = Message::parse(&offer).unwrap();
        assert_eq!(offer.yiaddr().octets()[2], want, "{third}");
        let echo = value(&offer, code::SUBNET_SELECTION);
        assert_eq!(echo, confirmed.then(|| chosen.to_vec()), "{third}");
    }
}

/// Sub-option 151 (RFC 6607): addresses of a VPN are another world's.
#[test]
fn clients_of_a_vpn_are_not_ours() {
    let rows: [(&[u8], bool, Result<(), DropReason>); 4] = [
        (&[151, 1, 255], true, Ok(())),
        (&[151, 4, 0, b'r', b'e', b'd'], true, Err(DropReason::DhcpOtherVpn)),
        (&[151, 0], true, Err(DropReason::DhcpOtherVpn)),
        (&[151, 4, 0, b'r', b'e', b'd'], false, Ok(())), // The client's own invention.
    ];
    for (agent, relayed, want) in rows {
        let said = Said::new(Discover, MAC).with(code::RELAY_AGENT, agent);
        let relay = if relayed { Ipv4Addr::new(10, 77, 9, 253) } else { NOBODY };
        let said = said.header(|it| it.giaddr = relay);
        let got = Lab::new(snapshot(None, false)).tell(&said.bytes()).map(|_| ());
        assert_eq!(got, want, "{agent:?}");
    }
}

#[test]
fn tftp_servers_are_listed_for_who_asks() {
    let said = Said::new(Discover, MAC).booting("PXEClient", "", 7);
    let asking = said.clone().with(code::PARAMETERS, &[1, 66, code::TFTP_ADDRESSES]);
    let deploy = || snapshot(Some(Intent::Deploy), false);
    assert_eq!(offered(deploy(), &asking, 150), Some(OURS.octets().to_vec()));
    assert_eq!(offered(deploy(), &said, 150), None);
    let system = Said::new(Discover, MAC).with(code::PARAMETERS, &[1, 150]);
    assert_eq!(offered(deploy(), &system, 150), None, "boots nothing");
    let mut other = deploy();
    other.subnets[0].options.v4 = vec![option(66, b"192.0.2.9"), option(150, &[192, 0, 2, 9])];
    let (_, offer) = Lab::new(other).ask(&asking.bytes());
    let offer = Message::parse(&offer).unwrap();
    assert_eq!(offer.siaddr(), Ipv4Addr::new(192, 0, 2, 9));
    assert_eq!(value(&offer, 66), Some(b"192.0.2.9".to_vec()));
    assert_eq!(value(&offer, 150), Some(vec![192, 0, 2, 9]));
}

#[test]
fn ipxe_keeps_what_an_operator_tells_it() {
    let rows: [(&[u8], &[u8]); 3] =
        [(b"", &[176, 1, 1]), (&[85, 1, 7], &[85, 1, 7, 176, 1, 1]), (&[176, 1, 0], &[176, 1, 0])];
    for (told, want) in rows {
        let mut snapshot = snapshot(Some(Intent::Deploy), false);
        snapshot.settings.options.v4 = vec![option(code::IPXE, told)];
        let said = Said::new(Discover, MAC).booting("PXEClient", "iPXE", 7);
        assert_eq!(offered(snapshot, &said, code::IPXE).as_deref(), Some(want), "{told:?}");
    }
}

/// RFC 2132 §9.3: what finds no room among the options goes into fields that are free.
#[test]
fn a_reply_that_is_too_long_overflows_into_file_and_sname() {
    let long = |code: u8, len: usize| option(code, &vec![7; len]);
    let rows = [
        ("system", "", [60, 60, 60, 60, 40, 1], Some(3)),
        ("firmware", "PXEClient", [60, 60, 1, 1, 1, 1], Some(2)),
        ("fits", "", [1, 1, 1, 1, 1, 1], None),
    ];
    for (name, class, lens, want) in rows {
        let options = (224..).zip(lens).map(|(code, len)| long(code, len)).collect::<Vec<_>>();
        let mut snapshot = snapshot(Some(Intent::Deploy), false);
        snapshot.subnets[0].domain = Some("d".repeat(110));
        snapshot.subnets[0].options.v4 = options;
        let said = Said::new(Discover, MAC).with(code::CLIENT_ID, &[1; 7]);
        let said = if class.is_empty() { said } else { said.booting(class, "", 7) };
        let (_, payload) = Lab::new(snapshot).ask(&said.bytes());
        assert!(payload.len() <= 548);
        let offer = Message::parse(&payload).unwrap();
        let overload = value(&offer, code::OVERLOAD);
        assert_eq!(overload, want.map(|it| vec![it]), "{name}");
        for (code, len) in (224..).zip(lens) {
            assert_eq!(value(&offer, code), Some(vec![7; len]), "{name}: option {code}");
        }
        let boot = if class.is_empty() { "" } else { "snponly.efi" };
        assert_eq!(offer.file(), boot.as_bytes(), "{name}");
    }
}

#[test]
fn secs_and_hops_are_the_clients_business() {
    for kind in [Discover, Inform, Request] {
        let said = Said::new(kind, MAC).header(|it| (it.secs, it.hops) = (0x4500, 3));
        let said = match kind {
            Inform => said.header(|it| it.ciaddr = address(250)),
            Request => said.select(address(150)),
            _ => said,
        };
        let (_, reply) = Lab::new(snapshot(None, false)).ask(&said.bytes());
        let reply = Message::parse(&reply).unwrap();
        assert_eq!((reply.secs(), reply.hops()), (0, 0), "{kind:?}");
    }
}
