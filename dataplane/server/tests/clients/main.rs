//! The rack against clients that others wrote, over a pair of network namespaces.
//!
//! There is no region in any of these: what is served comes from the snapshot on disk.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

#[path = "../support/net.rs"]
#[allow(dead_code, reason = "each whole test needs its part")]
mod net;
#[path = "../support/process.rs"]
#[allow(dead_code, reason = "these clients never make the disk fail")]
mod process;
mod world;

use std::collections::HashMap;

use net::until;
use world::{Client, World};

const KNOWN: &str = "52:54:00:77:00:10";
const STRANGER: &str = "52:54:00:77:00:99";
const SECOND_STRANGER: &str = "52:54:00:77:00:98";

/// Not a test: the rack that the tests start, in its own process so that it can be killed.
#[test]
fn rack_process() {
    process::run_if_asked();
}

#[test]
fn real_dhcp_clients_get_the_reserved_address() {
    let Some(world) = World::new("dhcp") else { return };
    let _rack = world.start_rack();
    // Without and with the broadcast flag; and the client of ISC, which asks otherwise.
    for arguments in [&[][..], &["-B"]] {
        let lease = world.udhcpc(KNOWN, arguments).expect("a lease");
        assert_eq!(lease["ip"], "10.77.0.137", "{arguments:?}");
        assert_eq!(lease["mask"], "24");
        assert_eq!(lease["router"], "10.77.0.1");
        assert_eq!(lease["dns"], "10.77.0.1 192.0.2.53");
        assert_eq!(lease["domain"], "lab.example");
        assert_eq!(lease["lease"], "600");
        assert_eq!(lease["serverid"], "10.77.0.1");
    }
    let lease = world.dhclient(KNOWN).expect("a lease");
    assert_eq!(lease["new_ip_address"], "10.77.0.137");
    assert_eq!(lease["new_subnet_mask"], "255.255.255.0");
    let stranger = world.udhcpc(STRANGER, &[]).expect("a lease from the range");
    assert_eq!(stranger["ip"], "10.77.0.200");
}

#[test]
fn a_lease_outlives_kill_9() {
    let Some(world) = World::new("kill") else { return };
    let rack = world.start_rack();
    let first = world.udhcpc(STRANGER, &[]).expect("the only address of the range");
    assert_eq!(first["ip"], "10.77.0.200");
    drop(rack); // Kills it with signal 9.
    let _rack = world.start_rack();
    // Had the rack forgotten, this client would get the address.
    assert_eq!(world.udhcpc(SECOND_STRANGER, &["-r", "10.77.0.200"]), None);
    let again = world.udhcpc(STRANGER, &[]).expect("the same address");
    assert_eq!(again["ip"], first["ip"]);
}

#[test]
fn a_full_disk_grants_nothing_and_heals() {
    let Some(world) = World::new("full") else { return };
    let disk = world.small_disk();
    let _rack = world.start_rack();
    disk.fill();
    assert_eq!(world.udhcpc(KNOWN, &[]), None, "an ACK would promise what a crash forgets");
    disk.free();
    let mut lease = None;
    until("a lease", || {
        lease = world.udhcpc(KNOWN, &[]);
        lease.is_some()
    });
    assert_eq!(lease.unwrap()["ip"], "10.77.0.137");
}

#[test]
fn a_long_journal_is_written_anew_and_says_the_same() {
    let Some(world) = World::new("long") else { return };
    let journal = world.file("data/leases.journal");
    std::fs::write(&journal, world::long_journal(STRANGER, "10.77.0.200")).unwrap();
    assert!((1 << 20) < std::fs::metadata(&journal).unwrap().len());
    let rack = world.start_rack();
    until("a short journal", || std::fs::metadata(&journal).unwrap().len() < 4096);
    drop(rack);
    let _rack = world.start_rack();
    assert_eq!(world.udhcpc(SECOND_STRANGER, &[]), None, "the only address is held");
    assert_eq!(world.udhcpc(STRANGER, &[]).expect("a lease")["ip"], "10.77.0.200");
}

#[test]
fn every_tftp_client_gets_the_same_bytes() {
    let Some(world) = World::new("tftp") else { return };
    let _rack = world.start_rack();
    world.give_address();
    let want = world::big_file();
    let clients = [
        ("tftp-hpa", "tftp -m binary 10.77.0.1 -c get snponly.efi got"),
        ("atftp", "atftp --get -r snponly.efi -l got 10.77.0.1"),
        (
            "atftp with options",
            "atftp --option 'blksize 1468' --option 'windowsize 16' --option 'tsize 0' --get \
             -r snponly.efi -l got 10.77.0.1",
        ),
        ("busybox", "busybox tftp -g -r snponly.efi -l got 10.77.0.1"),
        ("busybox with blksize", "busybox tftp -b 1468 -g -r snponly.efi -l got 10.77.0.1"),
        ("curl", "curl --silent --show-error -o got tftp://10.77.0.1/snponly.efi"),
    ];
    for (name, command) in clients {
        let got = world.fetch(command, "got");
        assert!(got.as_deref() == Some(&want[..]), "{name}: {:?} bytes", got.map(|it| it.len()));
    }
    let missing = world.in_client("curl --silent --max-time 5 -o got tftp://10.77.0.1/missing");
    assert!(!missing.status.success(), "a file that is not there is refused at once");
}

#[test]
fn blocks_longer_than_the_link_still_arrive() {
    let Some(world) = World::new("mtu") else { return };
    let _rack = world.start_rack();
    world.give_address();
    // The kernel refuses to segment what must then be fragmented: each block is sent by itself.
    world.set_mtu(1000);
    let command = "atftp --option 'blksize 1468' --option 'windowsize 8' --get -r snponly.efi \
                   -l got 10.77.0.1";
    assert!(world.fetch(command, "got").as_deref() == Some(&world::big_file()[..]));
}

#[test]
fn curl_gets_files_parts_and_heads() {
    let Some(world) = World::new("http") else { return };
    let _rack = world.start_rack();
    world.give_address();
    let want = world::big_file();
    let base = "http://10.77.0.1:5248";
    let digest = world::digest(&want);
    for path in ["/boot/snponly.efi".to_owned(), format!("/images/{digest}")] {
        let got = world.fetch(&format!("curl --fail -sS -o got {base}{path}"), "got");
        assert!(got.as_deref() == Some(&want[..]), "{path}");
    }
    let part = format!("curl --fail -sS -r 100000-199999 -o got {base}/boot/snponly.efi");
    assert!(world.fetch(&part, "got").as_deref() == want.get(100_000..200_000));
    // Two requests on one connection, the second resumed where a first was cut.
    std::fs::write(world.file("got"), &want[..1234]).unwrap();
    let resumed = format!("curl --fail -sS -C - -o got {base}/boot/snponly.efi");
    assert!(world.fetch(&resumed, "got").as_deref() == Some(&want[..]));
    let head = world.in_client(&format!("curl --fail -sS -I {base}/boot/snponly.efi"));
    let head = String::from_utf8_lossy(&head.stdout).into_owned();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", want.len())), "{head}");
    assert!(head.contains(&format!("ETag: \"{digest}\"\r\n")), "{head}");
    let missing =
        world.in_client(&format!("curl -s -o got -w '%{{http_code}}' {base}/boot/missing"));
    assert_eq!(missing.stdout, b"404");
    // The one file that the snapshot names but the cache lacks: on its way.
    let arriving =
        world.in_client(&format!("curl -s -o got -w '%{{http_code}}' {base}/boot/arriving"));
    assert_eq!(arriving.stdout, b"503");
    let script = world.in_client(&format!("curl --fail -sS {base}/ipxe/52-54-00-77-00-10"));
    assert!(script.stdout.starts_with(b"#!ipxe"), "{script:?}");
    let gateway = world.in_client(
        "curl -s -D - -H 'content-type: application/json' \
         -d '{\"query\":\"{ agentTask { kind } }\"}' http://10.77.0.1:5249/graphql",
    );
    let gateway = String::from_utf8_lossy(&gateway.stdout).into_owned();
    assert!(gateway.starts_with("HTTP/1.1 503"), "{gateway}");
    assert!(gateway.to_lowercase().contains("retry-after: 2"), "{gateway}");
}

#[test]
fn a_boot_token_goes_to_its_own_machine_only() {
    let Some(world) = World::new("token") else { return };
    let rack = world.start_rack();
    world.give_address(); // That of the known machine.
    let status = |path: &str| {
        let command = format!("curl -s -o got -w '%{{http_code}}' http://10.77.0.1:5248{path}");
        String::from_utf8(world.in_client(&command).stdout).unwrap()
    };
    let tftp = |name: &str| {
        world.in_client(&format!("curl -s --max-time 5 -o got tftp://10.77.0.1/{name}")).status
    };
    let (own, anothers) = ("52-54-00-77-00-10", "52-54-00-77-00-99");
    let rows = [(own, "200", true), (anothers, "403", false)];
    for (mac, want, granted) in rows {
        for path in [format!("/ipxe/{mac}"), format!("/grub/{mac}")] {
            assert_eq!(status(&path), want, "{path}");
        }
        let name = format!("boot/grub/grub.cfg-01-{mac}");
        assert_eq!(status(&format!("/{name}")), want, "{name}");
        assert_eq!(tftp(&name).success(), granted, "{name}");
    }
    // A machine with a lease has its script, also from a rack that was killed meanwhile.
    let lease = world.udhcpc(STRANGER, &[]).expect("a lease");
    drop(rack);
    let _rack = world.start_rack();
    world.take_address(&lease["ip"]);
    assert_eq!(
        (status(&format!("/ipxe/{anothers}")), tftp("grub.cfg").success()),
        ("200".to_owned(), true)
    );
    assert_eq!(status(&format!("/ipxe/{own}")), "403");
}

#[test]
fn hundreds_of_downloads_share_the_rack() {
    let Some(world) = World::new("many") else { return };
    let _rack = world.start_rack();
    world.give_address();
    let want = world::digest(&world::big_file());
    let url = "http://10.77.0.1:5248/boot/snponly.efi";
    let command = format!(
        "seq 100 | xargs -P 50 -I% sh -c 'curl --fail -sS {url} | sha256sum' | sort | uniq -c"
    );
    let counted = String::from_utf8(world.in_client(&command).stdout).unwrap();
    let words: Vec<&str> = counted.split_whitespace().collect();
    assert_eq!(words, ["100", &want, "-"], "{counted}");
}

#[test]
fn routers_are_advertised_without_being_routers() {
    let Some(world) = World::new("ra") else { return };
    if !std::path::Path::new("/proc/sys/net/ipv6").exists() {
        return process::skip("IPv6 is off in this kernel");
    }
    let _rack = world.start_rack();
    let received = || -> HashMap<String, u64> {
        let counters = world.in_client("cat /proc/net/snmp6");
        let counters = String::from_utf8_lossy(&counters.stdout).into_owned();
        let lines = counters.lines().filter_map(|line| line.split_once(char::is_whitespace));
        lines.map(|(name, count)| (name.to_owned(), count.trim().parse().unwrap())).collect()
    };
    until("an advertisement", || 0 < received()["Icmp6InRouterAdvertisements"]);
    let routes = world.in_client("ip -6 route show default");
    assert_eq!(String::from_utf8_lossy(&routes.stdout), "", "nobody may take us for a router");
}

/// What a DHCP client's script saw in its environment.
type Lease = HashMap<String, String>;

impl World {
    fn udhcpc(&self, mac: &str, arguments: &[&str]) -> Option<Lease> {
        self.dhcp(mac, &Client::Udhcpc(arguments))
    }

    fn dhclient(&self, mac: &str) -> Option<Lease> {
        self.dhcp(mac, &Client::Dhclient)
    }
}
