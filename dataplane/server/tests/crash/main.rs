//! A rack that is killed under load, again and again, and a rack whose disk fails.
//!
//! Thousands of clients ask for fewer addresses than there are clients, directly and through a
//! relay; a ledger keeps what each was promised. `IRONHERD_CRASH_ROUNDS` says how often the rack
//! is killed.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

#[path = "../support/net.rs"]
#[allow(dead_code, reason = "each whole test needs its part")]
mod net;
#[path = "../support/process.rs"]
mod process;
mod lab;
mod load;

use std::net::Ipv4Addr;
use std::time::Duration;

use ironherd_rack::Durability;
use ironherd_wire::dhcp::MessageType;
use lab::Lab;
use load::{Load, Random};

const ROUNDS: u32 = 12;
const EIO: i32 = 5;

/// Not a test: the rack that the tests start, in its own process so that it can be killed.
#[test]
fn rack_process() {
    process::run_if_asked();
}

#[test]
fn no_promise_is_lost_by_kill_9_under_load() {
    let Some(lab) = Lab::new("kill") else { return };
    let rounds = std::env::var("IRONHERD_CRASH_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |it| it.parse().unwrap());
    let mut random = Random::new(u64::from(std::process::id()));
    let mut load = Load::new(&lab, random.next());
    let mut shards = 1;
    for round in 0..rounds {
        if random.below(3) == 0 {
            shards = 1 + random.below(4);
        }
        let rack = lab.start_rack(shards, Durability::Durable);
        load.check_promises(&format!("round {round}, {shards} shards"));
        let before = load.acks();
        // At some moment of the first half second, and never before a lease was granted.
        load.run(Duration::from_millis(10 + u64::from(random.below(400))));
        load.run_until(Duration::from_secs(20), |load| before < load.acks());
        drop(rack); // Kills it with signal 9.
    }
    let _rack = lab.start_rack(2, Durability::Durable);
    load.check_promises("the end");
    println!("{} promises in {rounds} rounds, {} held at the end", load.acks(), load.held());
    assert!(u64::from(rounds) * 10 < load.acks(), "only {} promises", load.acks());
}

#[test]
fn a_relaxed_rack_keeps_its_promises_when_it_is_killed() {
    let Some(lab) = Lab::new("relaxed") else { return };
    let mut load = Load::new(&lab, 7);
    for round in 0..3 {
        let mut rack = lab.start_rack(2, Durability::Relaxed);
        assert_eq!(rack.metric("leases_durable"), 0);
        load.check_promises(&format!("round {round}"));
        load.run(Duration::from_millis(300));
    }
    assert!(30 < load.acks(), "only {} promises", load.acks());
}

#[test]
fn a_disk_that_fails_grants_nothing_and_heals() {
    let Some(lab) = Lab::new("disk") else { return };
    let mut load = Load::new(&lab, 9);
    let mut rack = lab.start_rack(2, Durability::Durable);
    load.run(Duration::from_millis(200));
    assert_eq!(rack.metric("journals_failed"), 0);
    rack.fail_disk_with(EIO);
    // Each shard meets the fault at its next commit. From then on there is no ACK of a new lease.
    load.run_until(Duration::from_secs(20), |_| rack.metric("journals_failed") == 2);
    load.run(Duration::from_millis(300));
    let (acks, failures) = (load.acks(), rack.metric("journal_failures_total"));
    load.run(Duration::from_millis(700));
    assert_eq!(load.acks(), acks, "an ACK would promise what a crash forgets");
    assert!(2 <= failures);
    rack.fail_disk_with(0);
    load.run_until(Duration::from_secs(30), |load| acks + 20 < load.acks());
    load.run_until(Duration::from_secs(30), |_| rack.metric("journals_failed") == 0);
    drop(rack);
    let _rack = lab.start_rack(3, Durability::Durable);
    load.check_promises("behind the fault");
}

#[test]
fn an_address_that_somebody_squats_on_is_refused() {
    let only = Ipv4Addr::new(10, 77, 3, 9);
    let Some(lab) = Lab::with_probes("squat", only) else { return };
    // One answers to the probe, one does not, and one sits behind a relay, where none is heard.
    for (client, squats, want) in [(1, true, MessageType::Nak), (3, false, MessageType::Ack)] {
        let lab = if squats { &lab } else { &Lab::with_probes("nobody", only).unwrap() };
        let mut rack = lab.start_rack(2, Durability::Durable);
        let mut load = Load::new(lab, 5);
        if squats {
            lab.squat(only);
        }
        let offer = load.converse(client, MessageType::Discover, None);
        assert_eq!(offer, Some((MessageType::Offer, only)), "nobody waits for the probe");
        rack.wait_for_metric("conflict_probes_total", 1);
        if squats {
            rack.wait_for_metric("conflicts_total", 1);
        }
        let answer = load.converse(client, MessageType::Request, Some(only));
        assert_eq!(answer.map(|it| it.0), Some(want), "squats: {squats}");
        let other = load.converse(client + 4, MessageType::Discover, None);
        assert_eq!(other, None, "let alone, or held");
        assert_eq!(rack.metric("conflicts_total"), u64::from(squats));
    }
    let lab = Lab::with_probes("relay", only).unwrap();
    let mut rack = lab.start_rack(1, Durability::Durable);
    let offer = Load::new(&lab, 6).converse(2, MessageType::Discover, None);
    assert_eq!(offer, Some((MessageType::Offer, only)));
    assert_eq!(rack.metric("conflict_probes_total"), 0);
}
