//! The rack's IPv6 side against clients that others wrote, over a pair of network namespaces.
//!
//! There is no region in any of these: what is served comes from the snapshot on disk.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

mod firmware;
#[path = "../support/machine.rs"]
#[allow(dead_code, reason = "each whole test needs its part")]
mod machine;
#[path = "../support/net.rs"]
#[allow(dead_code, reason = "each whole test needs its part")]
mod net;
#[path = "../support/process.rs"]
mod process;
mod slow;
mod world;

use ironherd_rack::Durability;
use ironherd_wire::dhcp6::MessageType;
use net::until;
use world::{KNOWN, STRANGER, World, boot_file};

/// Not a test: the rack that the tests start, in its own process so that it can be killed.
#[test]
fn rack_process() {
    process::run_if_asked();
}

#[test]
fn dhclient_gets_the_reserved_address_and_the_rest() {
    let Some(world) = World::new("na") else { return };
    let _rack = world.start_rack();
    let lease = world.dhclient(KNOWN, "-6 -N").expect("a lease");
    assert_eq!(lease["new_ip6_address"], "fd77::137");
    assert_eq!(lease["new_dhcp6_name_servers"], "fd77::1 fd77::53");
    assert_eq!(lease["new_dhcp6_domain_search"], "lab.example.");
    assert_eq!(lease["new_max_life"], "600");
    assert_eq!(lease["new_preferred_life"], "300");
    world.forget(); // Else it would only ask whether its address fits the link.
    let lease = world.dhclient(STRANGER, "-6 -N").expect("a lease from the range");
    assert_eq!(lease["new_ip6_address"], "fd77::200");
}

#[test]
fn dhclient_gets_a_prefix_beside_its_address() {
    let Some(world) = World::new("pd") else { return };
    let _rack = world.start_rack();
    let lease = world.dhclient(STRANGER, "-6 -P").expect("a prefix");
    let prefix = &lease["new_ip6_prefix"];
    assert!(prefix.starts_with("fd80:") && prefix.ends_with("/56"), "{prefix}"); // fd80::/56, too.
    assert_eq!(world.dhclient(STRANGER, "-6 -P").unwrap()["new_ip6_prefix"], *prefix, "again");
}

#[test]
fn dhclient_is_told_the_configuration_alone() {
    let Some(world) = World::new("info") else { return };
    let _rack = world.start_rack();
    let told = world.dhclient(STRANGER, "-6 -S").expect("an answer");
    assert_eq!(told["new_dhcp6_name_servers"], "fd77::1 fd77::53");
    assert!(!told.contains_key("new_ip6_address"));
}

#[test]
fn a_lease_outlives_kill_9() {
    let Some(world) = World::new("kill") else { return };
    let rack = world.start_rack();
    let first = world.dhclient(STRANGER, "-6 -N").expect("the only address of the range");
    let duid = std::fs::read(world.file("data/duid")).unwrap();
    drop(rack); // Kills it with signal 9.
    let _rack = world.start_rack();
    assert_eq!(std::fs::read(world.file("data/duid")).unwrap(), duid, "one name for ever");
    // Had the rack forgotten, this client would get the address.
    world.forget();
    assert_eq!(world.dhclient("52:54:00:77:00:98", "-6 -N"), None);
    world.remember();
    let again = world.dhclient(STRANGER, "-6 -N").expect("the same address");
    assert_eq!(again["new_ip6_address"], first["new_ip6_address"]);
}

#[test]
fn a_failed_disk_grants_nothing_until_it_heals() {
    let Some(world) = World::new("disk") else { return };
    let mut rack = world.start_rack_with(Durability::Relaxed);
    rack.fail_disk_with(28); // ENOSPC
    assert_eq!(world.dhclient(STRANGER, "-6 -N"), None);
    rack.wait_for_metric("journals_failed", 1);
    rack.fail_disk_with(0);
    rack.wait_for_metric("journals_failed", 0);
    let lease = world.dhclient(STRANGER, "-6 -N").expect("a lease");
    drop(rack);
    let _rack = world.start_rack();
    let again = world.dhclient(STRANGER, "-6 -N").expect("the kernel had it");
    assert_eq!(again["new_ip6_address"], lease["new_ip6_address"]);
}

#[test]
fn boot_files_come_over_ipv6() {
    let Some(world) = World::new("files") else { return };
    let _rack = world.start_rack();
    world.give_address("fd77::137");
    for (name, url) in [
        ("TFTP", "--tftp-blksize 1428 tftp://[fd77::1]/snponly.efi"),
        ("TFTP, 512", "--tftp-no-options tftp://[fd77::1]/snponly.efi"),
        ("HTTP", "http://[fd77::1]:5248/boot/snponly.efi"),
    ] {
        let got = world.fetch(&format!("curl -gsf --max-time 20 -o got {url}"), "got");
        assert!(got.is_some_and(|it| it == boot_file()), "{name}");
    }
}

/// The only address of the range was taken by hand: whoever has it answers the rack's question, and
/// no client is bound to it. What is reserved is its machine's, and not asked about.
#[test]
fn an_address_that_somebody_squats_on_is_refused() {
    let Some(world) = World::new("squat") else { return };
    let mut rack = world.start_rack();
    let only = "fd77::200".parse().ok();
    world.give_address("fd77::200");
    let client = world.slow_client();
    let offer = client.solicit();
    assert_eq!((offer.kind, offer.address), (MessageType::Advertise, only), "nobody waits");
    rack.wait_for_metric("conflicts_total", 1);
    let answer = client.request(&offer);
    assert_eq!((answer.kind, answer.address), (MessageType::Reply, None));
    assert_eq!(client.solicit().address, None, "let alone");
    assert_eq!(rack.metric("conflict_probes_total"), 1);
    drop(client); // It has the port.
    world.give_address("fd77::137");
    let lease = world.dhclient(KNOWN, "-6 -N").expect("the reserved address");
    assert_eq!(lease["new_ip6_address"], "fd77::137");
    assert_eq!(rack.metric("conflict_probes_total"), 1);
}

/// A script holds a machine's token: it goes to the address that its card holds, and names the
/// rack as the card reached it.
#[test]
fn a_script_goes_to_the_holder_of_the_lease() {
    let Some(world) = World::new("script") else { return };
    let _rack = world.start_rack();
    let lease = world.dhclient(STRANGER, "-6 -N").expect("a lease");
    world.give_address(&lease["new_ip6_address"]);
    let script = |mac: &str| {
        let url = format!("http://[fd77::1]:5248/ipxe/{}", mac.replace(':', "-"));
        world.fetch(&format!("curl -gsf --max-time 20 -o got '{url}'"), "got")
    };
    let own = String::from_utf8(script(STRANGER).expect("its own script")).unwrap();
    assert!(own.contains("http://[fd77::1]:5248/"), "{own}");
    assert_eq!(script(KNOWN), None, "another card's");
}

#[test]
fn the_link_is_told_its_prefix_and_nobody_becomes_a_router() {
    let Some(world) = World::new("ra") else { return };
    let _rack = world.start_rack();
    until("the prefix on the link", || {
        let routes = world.in_client("ip -6 route show dev vc");
        String::from_utf8_lossy(&routes.stdout).contains("fd77::/64 proto kernel")
    });
    let routes = world.in_client("ip -6 route show");
    let routes = String::from_utf8_lossy(&routes.stdout);
    assert!(!routes.contains("default"), "{routes}");
    let addresses = world.in_client("ip -6 addr show dev vc");
    let addresses = String::from_utf8_lossy(&addresses.stdout);
    assert!(!addresses.contains("fd77::"), "no SLAAC unless configured: {addresses}");
}
