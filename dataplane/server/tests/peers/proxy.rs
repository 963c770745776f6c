//! Beside dnsmasq, which gives addresses on the same link.

use ironherd_snapshot::DhcpMode;

use crate::lab::{BRIDGE, INTERFACE, Lab, MAC, snapshot};
use crate::machine::{Firmware, Machine, can_boot};
use crate::net::{Namespace, Running, until};

const DNSMASQ: &str = "10.77.0.3";

/// A foreign server with addresses of its own, 10.77.0.50 to .59.
struct Foreign {
    // In this order: it ends before its namespace.
    server: Running,
    _namespace: Namespace,
}

impl Foreign {
    fn start(lab: &Lab) -> Self {
        let namespace = Namespace::new(&lab.name, "f");
        lab.plug(&namespace, "vf");
        namespace.ip(&format!("addr add {DNSMASQ}/24 dev vf"));
        let line = format!(
            "dnsmasq --keep-in-foreground --port=0 --conf-file=/dev/null --user=root --pid-file= \
             --interface=vf --no-ping --log-dhcp --log-facility=- \
             --dhcp-range=10.77.0.50,10.77.0.59,255.255.255.0,1h --dhcp-leasefile={}",
            lab.file("dnsmasq.leases").display()
        );
        let mut server = namespace.spawn(lab.folder(), &[], &line);
        server.wait_until_said("DHCP, IP range 10.77.0.50");
        Self { server, _namespace: namespace }
    }
}

#[test]
fn a_proxy_leaves_plain_clients_alone() {
    let snapshot = snapshot(DhcpMode::Proxy, 600);
    let programs = ["dnsmasq", "busybox", "dhclient"];
    let Some(lab) = Lab::on_link("plain", &programs, &snapshot) else { return };
    let _foreign = Foreign::start(&lab);
    let mut rack = lab.start_rack();
    let client = lab.udhcpc(INTERFACE, "");
    let bound = lab.wait_for(&["bound"], 1);
    assert!(bound.env["ip"].starts_with("10.77.0.5"), "{bound:?}");
    assert_eq!(bound.env["serverid"], DNSMASQ);
    drop(client);
    let _client = lab.dhclient("-4", "");
    let bound = lab.wait_for(&["BOUND"], 1);
    assert!(bound.env["new_ip_address"].starts_with("10.77.0.5"), "{bound:?}");
    assert_eq!(bound.env["new_dhcp_server_identifier"], DNSMASQ);
    // It heard them all.
    until("four packets", || 4 <= rack.metric("dhcp_requests_total"));
    assert_eq!(rack.metric("dhcp_replies_total"), 0);
}

#[test]
fn who_finds_a_foreign_server_in_auto_mode_falls_silent() {
    let snapshot = snapshot(DhcpMode::Auto, 600);
    let programs = ["dnsmasq", "busybox", "dhclient"];
    let Some(lab) = Lab::on_link("auto", &programs, &snapshot) else { return };
    let mut rack = lab.start_rack();
    let alone = lab.udhcpc(INTERFACE, "");
    assert_eq!(lab.wait_for(&["bound"], 1).env["serverid"], "10.77.0.1", "nobody else is there");
    drop(alone);
    let _foreign = Foreign::start(&lab);
    // It is a client's choice of the other that tells: this one takes nothing from us.
    let teller = lab.dhclient("-4", "reject 10.77.0.1;");
    let bound = lab.wait_for(&["BOUND"], 1);
    assert_eq!(bound.env["new_dhcp_server_identifier"], DNSMASQ);
    drop(teller);
    let (asked, answered) = (rack.metric("dhcp_requests_total"), rack.metric("dhcp_replies_total"));
    let _client = lab.udhcpc(INTERFACE, "");
    assert_eq!(lab.wait_for(&["bound"], 2).env["serverid"], DNSMASQ);
    until("two more packets", || asked + 2 <= rack.metric("dhcp_requests_total"));
    assert_eq!(rack.metric("dhcp_replies_total"), answered, "not a word");
}

#[test]
fn a_foreign_server_is_an_alarm_for_as_long_as_it_answers() {
    let Some(lab) = Lab::on_link("alarm", &["dnsmasq"], &snapshot(DhcpMode::Full, 600)) else {
        return;
    };
    let mut rack = lab.start_rack();
    let foreign = Foreign::start(&lab);
    rack.wait_for_metric("alarms", 1);
    drop(foreign);
    rack.wait_for_metric("alarms", 0);
}

#[test]
fn ovmf_boots_with_an_address_of_dnsmasq_and_a_file_of_ours() {
    let Some((lab, mut foreign, _rack, mut machine)) =
        boot("ovmf4", Firmware::Uefi { ipv6: false })
    else {
        return;
    };
    let said = machine.said_until("NBP file downloaded successfully");
    assert!(said.contains("Station IP address is 10.77.0.5"), "{said}");
    assert!(said.contains("Server IP address is 10.77.0.1"), "{said}");
    assert!(said.contains("NBP filename is snponly.efi"), "{said}");
    foreign.server.wait_until_said(&format!(" {MAC}"));
    drop(lab);
}

type Booting = (Lab, Foreign, crate::process::RackProcess, Machine);

/// A machine that boots where dnsmasq gives the addresses.
fn boot(name: &str, firmware: Firmware) -> Option<Booting> {
    if !can_boot() {
        return None;
    }
    let lab = Lab::new(name, &["dnsmasq"], &snapshot(DhcpMode::Proxy, 600))?;
    for line in [
        "tuntap add dev tap0 mode tap",
        &format!("link set tap0 master {BRIDGE}"),
        "link set tap0 up",
    ] {
        lab.server.ip(line);
    }
    let foreign = Foreign::start(&lab);
    let rack = lab.start_rack();
    let machine = Machine::start(&lab.server, lab.folder(), firmware, "tap0", MAC);
    Some((lab, foreign, rack, machine))
}
