//! Explanations and captures, from the shell down to real clients: region and rack in one process
//! in a namespace, a DHCP client of busybox in another.

use serde_json::Value;

use crate::world::World;

const MAC: &str = "52:54:00:77:00:10";

#[test]
fn what_is_explained_is_what_the_client_gets_and_what_the_capture_shows() {
    let Some(mut world) = World::new("asks") else { return };
    let refused = world.run(&["dhcp", "explain", "--mac", MAC]);
    assert!(!refused.status.success(), "nobody serves yet");
    world.serve();
    world.say(&["subnet", "create", "lab", "10.77.0.0/24", "--dynamic", "10.77.0.100-10.77.0.199"]);
    // The rack has the subnet a moment after the region has it.
    let explain = ["dhcp", "explain", "--mac", MAC, "--output", "json"];
    let before = world.until("an offer", || {
        let output = world.run(&explain);
        let said: Value = serde_json::from_slice(&output.stdout).ok()?;
        (said["replyKind"] == "OFFER").then_some(said)
    });
    assert_eq!(before["answered"], true, "{before:#}");
    assert_eq!(before["subnet"]["name"], "10.77.0.0/24", "{before:#}");
    assert_eq!(before["interface"], "vs", "{before:#}");

    let got = world.udhcpc(MAC);
    assert_eq!(before["address"], got.as_str(), "{before:#}");
    let after: Value = serde_json::from_str(&world.say(&explain)).unwrap();
    assert_eq!(after["address"], got.as_str(), "{after:#}");
    assert_ne!(after["addressWhy"], before["addressWhy"], "now there is a lease");
    // Cards of every shard: each is explained by the one that then answers it.
    for mac in ["52:54:00:77:00:11", "52:54:00:77:00:12", "52:54:00:77:00:13"] {
        let said = world.say(&["dhcp", "explain", "--mac", mac, "--output", "json"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["address"], world.udhcpc(mac).as_str(), "{said:#}");
    }
    let account = world.say(&["dhcp", "explain", "--mac", MAC, "--arch", "x64"]);
    assert!(account.contains("OFFER") && account.contains(&got), "{account}");

    let capture = ["dhcp", "capture", MAC, "--output", "json"];
    let packets: Value = serde_json::from_str(&world.say(&capture)).unwrap();
    let messages: Vec<(bool, &str)> = packets
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["sent"] == true, it["message"].as_str().unwrap()))
        .collect();
    let dora = [(false, "DISCOVER"), (true, "OFFER"), (false, "REQUEST"), (true, "ACK")];
    assert!(messages.ends_with(&dora), "no question of ours is a packet: {messages:?}");
    let all = world.say(&["dhcp", "capture", "--output", "json"]);
    let all: Value = serde_json::from_str(&all).unwrap();
    assert!(4 * 4 <= all.as_array().unwrap().len(), "the packets of every shard: {all:#}");
    let other = world.say(&["dhcp", "capture", "52:54:00:77:00:99", "--output", "json"]);
    assert_eq!(other.trim(), "[]");

    let file = world.file("dora.pcap");
    world.say(&["dhcp", "capture", MAC, "-w", file.to_str().unwrap()]);
    check_file(&std::fs::read(&file).unwrap(), messages.len());
    world.read_by_tcpdump(&file, MAC, &got, messages.len());
}

/// The file as its format says: header, then records whose lengths and sums are right.
fn check_file(file: &[u8], packets: usize) {
    assert_eq!(file[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    assert_eq!(file[20..24], 1_u32.to_le_bytes(), "Ethernet");
    let mut rest = &file[24..];
    let mut found = 0;
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        assert!(1_700_000_000 < word(0) && word(4) < 1_000_000 && word(8) == word(12));
        let (frame, after) = rest[16..].split_at(usize::try_from(word(8)).unwrap());
        assert_eq!(frame[12..14], [8, 0], "IPv4");
        let (ip, udp) = (&frame[14..34], &frame[34..]);
        assert_eq!(sum(&[ip]), 0xffff, "the header's checksum");
        let len = u16::try_from(udp.len()).unwrap().to_be_bytes();
        assert_eq!(sum(&[&ip[12..20], &[0, 17], &len, udp]), 0xffff, "the datagram's checksum");
        rest = after;
        found += 1;
    }
    assert_eq!(found, packets);
}

/// The Internet checksum over everything, itself included: all ones where it holds.
fn sum(parts: &[&[u8]]) -> u32 {
    let bytes = parts.concat();
    let words =
        bytes.chunks(2).map(|it| u32::from(it[0]) << 8 | it.get(1).map_or(0, |it| (*it).into()));
    let mut sum: u32 = words.sum();
    while 0xffff < sum {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}
