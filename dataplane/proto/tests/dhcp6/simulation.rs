//! Goal: whatever the network and the power do, each client that keeps asking ends up with an
//! address, and no two ever hold one at a time.
//!
//! Method: each seed draws its own losses, repeats and crashes and replays exactly;
//! `SIM_SEED=n` runs one alone.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use ironherd_leases::v6::Table6;
use ironherd_proto::dhcp6::{Config, Server};
use ironherd_snapshot::Range6;
use ironherd_wire::dhcp6::MessageType;

use super::lab::*;

const CLIENTS: u8 = 8;
const ROUNDS: u64 = 400;

/// SplitMix64: chance that replays.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// What a client believes to hold, and until when.
type Held = HashMap<u8, (Ipv6Addr, u64)>;

fn duid(client: u8) -> Vec<u8> {
    vec![0, 2, 0, 0, 0, 9, client]
}

/// Renews what it holds, else asks anew.
fn next_message(client: u8, held: &Held, chance: &mut Chance) -> Ask {
    let kinds = match held.get(&client) {
        None => [MessageType::Solicit, MessageType::Request, MessageType::Request],
        Some(_) => [MessageType::Renew, MessageType::Rebind, MessageType::Release],
    };
    let kind = kinds[usize::try_from(chance.below(3)).unwrap()];
    let addresses: Vec<_> = held.get(&client).map(|it| it.0).into_iter().collect();
    Ask::new(kind).na(&addresses).duid(&duid(client))
}

/// What the client makes of a reply. `0` seconds end a lease.
fn take(client: u8, got: &Got, now: u64, held: &mut Held) {
    if got.message().kind != MessageType::Reply {
        return;
    }
    for (address, valid) in got.leases() {
        let address: Ipv6Addr = address.parse().unwrap();
        if valid == 0 {
            held.retain(|who, it| *who != client || it.0 != address);
        } else {
            held.insert(client, (address, now + u64::from(valid)));
        }
    }
}

fn run(seed: u64) {
    let mut chance = Chance(seed);
    let (loss, crash) = (chance.below(500), chance.below(60));
    let mut snapshot = snapshot();
    // Just enough for all, so that leases that are lost or doubled show.
    snapshot.subnets6[0].ranges = vec![Range6 { first: ip("fd77::1000"), last: ip("fd77::1007") }];
    let mut lab = Lab::new(snapshot);
    let mut held = Held::new();
    for round in 0..ROUNDS {
        lab.wait(chance.below(u64::from(VALID) / 4));
        held.retain(|_, it| lab.now < it.1);
        let client = u8::try_from(chance.below(CLIENTS.into())).unwrap();
        let ask = next_message(client, &held, &mut chance);
        if ask.kind == MessageType::Release {
            held.remove(&client); // It stops using the address before it says so.
        }
        for _ in 0..=chance.below(2) {
            if chance.below(1000) < loss {
                continue;
            }
            let _ = lab.hear(CLIENT, SERVERS, &ask.bytes());
        }
        if chance.below(1000) < crash {
            // All that was not committed is gone, and so is every reply that waited for it.
            let (table, recovery) = Table6::recover(&lab.disk);
            lab.disk.truncate(recovery.valid_bytes);
            lab.server = Server::new(Config::default(), SERVER_DUID.to_vec(), table);
            continue;
        }
        lab.commit();
        while let Some(got) = lab.poll() {
            if loss <= chance.below(1000) {
                take(client, &got, lab.now, &mut held);
            }
        }
        let mut addresses: Vec<_> = held.values().map(|it| it.0).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), held.len(), "seed {seed}, round {round}: two holders");
    }
    // On a quiet network each gets one.
    for client in 0..CLIENTS {
        lab.wait(u64::from(VALID) * 2);
        let ask = Ask::new(MessageType::Request).na(&[]).duid(&duid(client));
        assert_eq!(lab.ask(&ask).unwrap().leases().len(), 1, "seed {seed}: client {client}");
    }
}

#[test]
fn no_address_has_two_holders_under_any_faults() {
    match std::env::var("SIM_SEED").ok().and_then(|it| it.parse().ok()) {
        Some(seed) => run(seed),
        None => (0..60).for_each(run),
    }
}
