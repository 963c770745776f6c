//! Through the relay of ISC, from a link that the rack has no part in.

use ironherd_snapshot::DhcpMode;
use ironherd_wire::dhcp::{Message, MessageType, code};

use crate::lab::{BRIDGE, INTERFACE, Lab, snapshot};
use crate::net::{Namespace, Running, join};

/// The client's link ends at a router, whose other end is on the rack's.
fn router(lab: &Lab) -> Namespace {
    let router = Namespace::with_ipv6(&lab.name, "r");
    lab.plug(&router, "ru");
    join((&router, "rd"), (&lab.client, INTERFACE));
    for line in [
        "addr add 10.77.0.2/24 dev ru",
        "addr add 10.78.0.1/24 dev rd",
        "addr add fd77::2/64 dev ru nodad",
        "addr add fd78::1/64 dev rd nodad",
    ] {
        router.ip(line);
    }
    for setting in ["net/ipv4/ip_forward=1", "net/ipv6/conf/all/forwarding=1"] {
        router.sysctl(setting);
    }
    lab.server.ip(&format!("route add 10.78.0.0/24 via 10.77.0.2 dev {BRIDGE}"));
    lab.server.ip(&format!("-6 route add fd78::/64 via fd77::2 dev {BRIDGE}"));
    router
}

/// Notes all DHCP that passes an interface.
fn tap(lab: &Lab, namespace: &Namespace, interface: &str) -> Running {
    let file = lab.file(&format!("{interface}.pcap"));
    let line = format!(
        "tcpdump --immediate-mode -Z root -U -n -i {interface} -w {} udp port 67 or udp port 68",
        file.display()
    );
    let mut running = namespace.spawn(lab.folder(), &[], &line);
    running.wait_until_said("listening on");
    running
}

/// What the tap noted: type of the message, and its option 82.
fn seen(lab: &Lab, interface: &str) -> Vec<(MessageType, Option<Vec<u8>>)> {
    const FILE_HEAD: usize = 24;
    const RECORD_HEAD: usize = 16;
    const ETHERNET_IP_UDP: usize = 14 + 20 + 8;
    let file = std::fs::read(lab.file(&format!("{interface}.pcap"))).unwrap();
    let mut rest = file.get(FILE_HEAD..).unwrap_or_default();
    let mut seen = Vec::new();
    while let Some((head, after)) = rest.split_at_checked(RECORD_HEAD) {
        let len = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
        let Some((frame, after)) = after.split_at_checked(len) else { break };
        rest = after;
        let message = Message::parse(&frame[ETHERNET_IP_UDP..]).unwrap();
        let relay = message.option(code::RELAY_AGENT).map(|it| it.whole().into_owned());
        seen.push((message.message_type().unwrap(), relay));
    }
    seen
}

#[test]
fn a_client_behind_a_relay_gets_and_renews_its_address() {
    let programs = ["dhcrelay", "dhclient", "tcpdump"];
    let Some(lab) = Lab::new("relay", &programs, &snapshot(DhcpMode::Full, 6)) else { return };
    let router = router(&lab);
    let _rack = lab.start_rack();
    let _taps = [tap(&lab, &router, "ru"), tap(&lab, &router, "rd")];
    let line = "dhcrelay -4 -d --no-pid -a -id rd -iu ru 10.77.0.1";
    let mut relay = router.spawn(lab.folder(), &[], line);
    relay.wait_until_said("Sending on   Socket/fallback");
    let _client = lab.dhclient("-4", "");
    let bound = lab.wait_for(&["BOUND"], 1);
    assert!(bound.env["new_ip_address"].starts_with("10.78.0.1"), "{bound:?}");
    assert_eq!(bound.env["new_routers"], "10.78.0.1");
    assert_eq!(bound.env["new_dhcp_server_identifier"], "10.77.0.1");
    // By unicast, past the relay.
    let renewed = lab.wait_for(&["RENEW"], 2);
    assert_eq!(renewed.env["new_ip_address"], bound.env["new_ip_address"]);

    let (up, down) = (seen(&lab, "ru"), seen(&lab, "rd"));
    let of = |seen: &[(MessageType, Option<Vec<u8>>)], kind| -> Option<Vec<u8>> {
        seen.iter().find(|it| it.0 == kind).unwrap_or_else(|| panic!("no {kind:?}")).1.clone()
    };
    let pairs =
        [(MessageType::Discover, MessageType::Offer), (MessageType::Request, MessageType::Ack)];
    for (asked, answered) in pairs {
        let appended = of(&up, asked).expect("the relay's own option");
        assert_eq!(of(&up, answered), Some(appended), "{answered:?}: as the relay wrote it");
        assert_eq!(of(&down, answered), None, "{answered:?}: not for the client");
    }
}

#[test]
fn a_client_behind_an_ipv6_relay_gets_and_renews_its_address() {
    let programs = ["dhcrelay", "dhclient"];
    let Some(lab) = Lab::new("relay6", &programs, &snapshot(DhcpMode::Full, 8)) else { return };
    let router = router(&lab);
    let _rack = lab.start_rack();
    let line = "dhcrelay -6 -d --no-pid -I -l rd -u fd77::1%ru";
    let mut relay = router.spawn(lab.folder(), &[], line);
    relay.wait_until_said("Sending on   Socket/");
    lab.wait_for_link_local();
    let _client = lab.dhclient("-6", "");
    let bound = lab.wait_for(&["BOUND6"], 1);
    assert!(bound.env["new_ip6_address"].starts_with("fd78::1"), "{bound:?}");
    assert_eq!(bound.env["new_dhcp6_name_servers"], "fd77::53");
    let renewed = lab.wait_for(&["RENEW6"], 1);
    assert_eq!(renewed.env["new_ip6_address"], bound.env["new_ip6_address"]);
}
