//! What stands in a reply besides the boot file.

use ironherd_wire::dhcp::MessageType::{Discover, Request};
use ironherd_wire::dhcp::{Message, code};

use crate::lab::{Lab, MAC, OURS, Said, address, mac, snapshot, value};

#[test]
fn options_follow_the_clients_list() {
    let bytes = |it: &str| Some(it.as_bytes().to_vec());
    let rows: [(u8, Option<Vec<u8>>); 9] = [
        (code::ROUTER, Some(vec![10, 77, 0, 254])),
        (code::DNS_SERVER, Some(vec![10, 77, 0, 1, 10, 77, 0, 2])),
        (code::HOSTNAME, bytes("node-one")),
        (code::DOMAIN, bytes("lab.test")),
        (code::MTU, Some(1450_u16.to_be_bytes().to_vec())),
        (code::BROADCAST, Some(vec![10, 77, 0, 255])),
        (code::NTP_SERVER, Some(vec![10, 77, 0, 3])),
        (code::RENEWAL_SECONDS, Some(1800_u32.to_be_bytes().to_vec())),
        (code::REBINDING_SECONDS, Some(3150_u32.to_be_bytes().to_vec())),
    ];
    for (wanted, want) in &rows {
        let mut lab = Lab::new(snapshot(Some(ironherd_snapshot::Intent::Local), false));
        // A list may hold garbage, as EDK2's does.
        let said = Said::new(Discover, MAC).with(code::PARAMETERS, &[*wanted, 235, 0]);
        let (_, offer) = lab.ask(&said.bytes());
        let offer = Message::parse(&offer).unwrap();
        for (code, _) in &rows {
            let want = want.as_ref().filter(|_| code == wanted);
            assert_eq!(value(&offer, *code).as_ref(), want, "asked {wanted}, option {code}");
        }
        assert_eq!(offer.server_id(), Some(OURS));
        assert_eq!(value(&offer, code::SUBNET_MASK), Some(vec![255, 255, 255, 0]));
        assert_eq!(value(&offer, code::LEASE_SECONDS), Some(3600_u32.to_be_bytes().to_vec()));
    }
}

#[test]
fn a_client_without_a_list_gets_all_that_is_set() {
    let mut snapshot = snapshot(None, false);
    let subnet = &mut snapshot.subnets[0];
    (subnet.gateway, subnet.mtu, subnet.domain) = (None, None, Some(String::new()));
    subnet.ntp_servers.clear();
    let mut lab = Lab::new(snapshot);
    let (_, offer) = lab.ask(&Said::new(Discover, MAC).bytes());
    let offer = Message::parse(&offer).unwrap();
    let sent = (0..=255).filter(|it| offer.option(*it).is_some());
    assert_eq!(sent.collect::<Vec<u8>>(), [1, 6, 28, 51, 53, 54, 58, 59]);
}

#[test]
fn the_clients_id_comes_back_whatever_it_is() {
    for id in [&[1, 2, 3, 4, 5, 6, 7][..], &[0xff; 255], b"x"] {
        let mut lab = Lab::new(snapshot(None, false));
        let discover = Said::new(Discover, MAC).with(code::CLIENT_ID, id);
        let (_, offer) = lab.ask(&discover.bytes());
        let nak = Said::new(Request, MAC).with(code::CLIENT_ID, id).select(address(9));
        let (_, nak) = lab.ask(&nak.bytes());
        for payload in [offer, nak] {
            let reply = Message::parse(&payload).unwrap();
            assert_eq!(value(&reply, code::CLIENT_ID).as_deref(), Some(id));
        }
    }
}

/// Firmware, iPXE and the system send different ids for one card: it is one client.
#[test]
fn one_card_has_one_address_whatever_its_id() {
    let mut lab = Lab::new(snapshot(None, false));
    let first = lab.lease(mac(1));
    for id in [&b"\x01\x52\x54"[..], b"\xff\0\0\0\0", b"host"] {
        let (_, offer) = lab.ask(&Said::new(Discover, mac(1)).with(code::CLIENT_ID, id).bytes());
        assert_eq!(Message::parse(&offer).unwrap().yiaddr(), first);
    }
}

/// 548 bytes is what a client takes that says nothing; the boot file must be among them.
#[test]
fn a_small_client_gets_what_matters_most() {
    let mut snapshot = snapshot(None, true);
    let subnet = &mut snapshot.subnets[0];
    subnet.dns_servers = (1..60).map(address).collect();
    subnet.domain = Some("d".repeat(200));
    let relay_agent = [7; 100];
    let mut lab = Lab::new(snapshot);
    let said = Said::new(Discover, MAC)
        .booting("PXEClient", "", 7)
        .with(code::CLIENT_ID, &[5; 50])
        .header(|it| it.giaddr = address(253))
        .with(code::RELAY_AGENT, &relay_agent);
    let (_, small) = lab.ask(&said.bytes());
    let (_, large) = lab.ask(&said.with(code::MESSAGE_BYTES_MAX, &[0xff, 0]).bytes());
    // The relay takes its option out before the client sees the reply.
    let client_sees = small.len() - relay_agent.len() - 2;
    assert!(client_sees <= 548 && small.len() < large.len() && large.len() <= 1472);
    for (payload, domain) in [(small, false), (large, true)] {
        let reply = Message::parse(&payload).unwrap();
        assert_eq!(reply.option(code::DOMAIN).is_some(), domain);
        assert_eq!(value(&reply, code::BOOT_FILE), Some(b"snponly.efi\0".to_vec()));
        assert_eq!(value(&reply, code::RELAY_AGENT), Some(relay_agent.to_vec()));
        assert!(payload.iter().rposition(|it| *it == code::END).is_some());
    }
}

/// Found by fuzzing: an echo of absurd length took the room of the message type.
#[test]
fn what_is_echoed_never_crowds_out_what_matters() {
    for (code, len) in [(code::CLIENT_ID, 700), (code::RELAY_AGENT, 1180)] {
        let mut lab = Lab::new(snapshot(None, true));
        let said = Said::new(Discover, MAC).booting("PXEClient", "", 7).with(code, &vec![1; len]);
        let (_, offer) = lab.ask(&said.header(|it| it.giaddr = address(253)).bytes());
        let offer = Message::parse(&offer).unwrap();
        assert!(offer.message_type().is_some() && offer.server_id().is_some(), "{code} {len}");
        assert!(offer.option(code::BOOT_FILE).is_some(), "{code} {len}");
        assert!(offer.option(code::SUBNET_MASK).is_some(), "{code} {len}");
        let echoed = code == code::RELAY_AGENT;
        assert_eq!(value(&offer, code).is_some(), echoed, "{code} {len}");
    }
}

#[test]
fn the_name_of_a_reservation_goes_before_the_machines() {
    let mut snapshot = snapshot(Some(ironherd_snapshot::Intent::Local), false);
    let mut reserved = crate::lab::reservation(MAC, 50);
    reserved.hostname = Some("front-door".to_owned());
    snapshot.subnets[0].reservations.push(reserved.into());
    let mut lab = Lab::new(snapshot);
    let (_, offer) = lab.ask(&Said::new(Discover, MAC).bytes());
    let offer = Message::parse(&offer).unwrap();
    assert_eq!(offer.yiaddr(), address(50));
    assert_eq!(value(&offer, code::HOSTNAME), Some(b"front-door".to_vec()));
}
