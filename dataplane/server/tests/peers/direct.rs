//! Clients on the rack's own link, with their own ideas of DHCP.

use std::collections::HashMap;

use ironherd_snapshot::DhcpMode;
use rustix::process::Signal;

use crate::lab::{INTERFACE, Lab, snapshot};
use crate::net::{Namespace, Running, until};

const IPCONFIG: &str = "/usr/lib/klibc/bin/ipconfig";
const NETWORKD: &str = "/lib/systemd/systemd-networkd";

#[test]
fn dhcpcd_gets_renews_and_releases_an_address() {
    // It takes no lease for shorter than this.
    let snapshot = snapshot(DhcpMode::Full, 20);
    let Some(lab) = Lab::on_link("dhcpcd", &["dhcpcd"], &snapshot) else { return };
    let _rack = lab.start_rack();
    let mut client = dhcpcd(&lab, "-4", "option domain_name_servers\nnoipv4ll\n");
    let bound = lab.wait_for(&["BOUND"], 1);
    let address = &bound.env["new_ip_address"];
    assert!(address.starts_with("10.77.0.1"), "{bound:?}");
    assert_eq!(bound.env["new_domain_name_servers"], "10.77.0.1 192.0.2.53");
    assert_eq!(bound.env["new_dhcp_lease_time"], "20");
    until("the address on the link", || addresses(&lab.client).contains(address));
    let renewed = lab.wait_for(&["RENEW"], 1);
    assert_eq!(renewed.env["new_ip_address"], *address);
    client.signal(Signal::ALARM); // What `dhcpcd --release` sends.
    client.wait_for_end();
    assert!(client.said().contains(&format!("releasing lease of {address}")), "{}", client.said());
    assert!(!addresses(&lab.client).contains(address));
}

#[test]
fn dhcpcd_follows_the_advertisement_to_an_ipv6_address() {
    let snapshot = snapshot(DhcpMode::Full, 8);
    let Some(lab) = Lab::on_link("dhcpcd6", &["dhcpcd"], &snapshot) else { return };
    let mut rack = lab.start_rack();
    lab.wait_for_link_local();
    let _client = dhcpcd(&lab, "-6", "option dhcp6_name_servers\n");
    let bound = lab.wait_for(&["BOUND6"], 1);
    let address = &bound.env["new_dhcp6_ia_na1_ia_addr1"];
    assert!(address.starts_with("fd77::1"), "{bound:?}");
    assert_eq!(bound.env["new_dhcp6_name_servers"], "fd77::53");
    let renewed = lab.wait_for(&["RENEW6"], 1);
    assert_eq!(renewed.env["new_dhcp6_ia_na1_ia_addr1"], *address);
    rack.wait_for_metric("dhcp6_leases", 1);
}

/// Starts it with a configuration; it remembers nothing of an earlier run.
fn dhcpcd(lab: &Lab, family: &str, configuration: &str) -> Running {
    let (script, file) = (lab.script(""), lab.file("dhcpcd.conf"));
    std::fs::write(&file, configuration).unwrap();
    let line = format!("dhcpcd {family} -B -d -f {} -c {script} {INTERFACE}", file.display());
    lab.client.spawn(lab.folder(), &["/run", "/var/lib/dhcpcd"], &line)
}

#[test]
fn ipconfig_of_the_initramfs_gets_its_address() {
    let snapshot = snapshot(DhcpMode::Full, 600);
    let Some(lab) = Lab::on_link("klibc", &[IPCONFIG], &snapshot) else { return };
    let _rack = lab.start_rack();
    // As initramfs-tools calls it. It leaves what it was told in `/run`.
    let command = format!(
        "mount -t tmpfs none /run && {IPCONFIG} -t 10 -c dhcp -d {INTERFACE} >&2 && \
         cat /run/net-{INTERFACE}.conf"
    );
    let output = lab.client.shell(lab.folder(), &command);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: HashMap<_, _> = told.lines().filter_map(|it| it.split_once('=')).collect();
    let value = |name| told.get(name).map(|it| it.trim_matches('\''));
    let address = value("IPV4ADDR").unwrap_or_else(|| panic!("{output:?}"));
    assert!(address.starts_with("10.77.0.1"), "{told:?}");
    let rows = [
        ("IPV4NETMASK", "255.255.255.0"),
        ("IPV4BROADCAST", "10.77.0.255"),
        ("IPV4GATEWAY", "10.77.0.1"),
        ("IPV4DNS0", "10.77.0.1"),
        ("IPV4DNS1", "192.0.2.53"),
        ("DNSDOMAIN", "lab.example"),
        ("ROOTSERVER", "10.77.0.1"),
    ];
    for (name, want) in rows {
        assert_eq!(value(name), Some(want), "{name}");
    }
    assert!(addresses(&lab.client).contains(address));
}

#[test]
fn nmap_is_offered_what_the_snapshot_says() {
    let snapshot = snapshot(DhcpMode::Full, 600);
    let Some(lab) = Lab::on_link("nmap", &["nmap"], &snapshot) else { return };
    let _rack = lab.start_rack();
    lab.client.ip(&format!("addr add 10.77.0.9/24 dev {INTERFACE}"));
    let command =
        format!("nmap --script broadcast-dhcp-discover --script-args timeout=3 -e {INTERFACE}");
    let output = lab.client.shell(lab.folder(), &command);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for want in [
        "DHCP Message Type: DHCPOFFER",
        "IP Offered: 10.77.0.1",
        "Server Identifier: 10.77.0.1\n",
        "Subnet Mask: 255.255.255.0\n",
        "Router: 10.77.0.1\n",
        "Domain Name Server: 10.77.0.1, 192.0.2.53\n",
        "Domain Name: lab.example\n",
        "IP Address Lease Time: 10m00s\n",
    ] {
        assert!(said.contains(want), "no `{want}` in {said}");
    }
}

#[test]
fn systemd_networkd_gets_and_keeps_its_addresses() {
    let snapshot = snapshot(DhcpMode::Full, 8);
    let Some(lab) = Lab::on_link("networkd", &[NETWORKD], &snapshot) else { return };
    let mut rack = lab.start_rack();
    let network = format!(
        "[Match]\nName={INTERFACE}\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv6\n\
         IPv6AcceptRA=no\n[DHCPv4]\nClientIdentifier=mac\n"
    );
    std::fs::write(lab.file("10-lab.network"), network).unwrap();
    // Without udev it believes a link is ready only where /sys is read-only, as in a container.
    let line = format!(
        "sh -c \"mount -o remount,ro /sys; mkdir -p /run/systemd/network; \
         cd /run/systemd && mkdir -p netif/links netif/leases netif/lldp && chmod -R a+rwX netif; \
         cp {}/10-lab.network network; \
         SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console exec {NETWORKD}\"",
        lab.folder().display()
    );
    let mut client = lab.client.spawn(lab.folder(), &["/run"], &line);
    until("an address", || addresses(&lab.client).contains("10.77.0.1"));
    let address = addresses(&lab.client);
    client.wait_until_said("DHCPv4 address 10.77.0.1");
    // An ACK for the address, then one for each renewal.
    until("three ACKs", || 3 <= client.said().matches("DHCPv4 client: ACK").count());
    assert_eq!(addresses(&lab.client), address);
    assert!(4 <= rack.metric("dhcp_replies_total"));
    client.signal(Signal::TERM);
    client.wait_for_end();
    assert!(client.said().contains("DHCPv4 client: RELEASE"), "{}", client.said());
}

/// The IPv4 addresses on the client's link, as `ip` shows them.
fn addresses(client: &Namespace) -> String {
    let mut ip = client.command("ip");
    let output = ip.args(["-4", "-br", "addr", "show", "dev", INTERFACE]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
