//! What an operator should know of the networks that a rack serves: foreign DHCP servers, ranges
//! that run out, a disk that keeps no leases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use ironherd_snapshot::{DhcpMode, Mac};

use crate::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmKind {
    /// Somebody else's DHCP server answers on a VLAN.
    ForeignDhcpServer,
    /// Most addresses of a range are in use.
    PoolLow,
    /// All of them are: new clients get none.
    PoolExhausted,
    /// Leases cannot be written, so none is granted.
    JournalFailed,
}

/// One thing that is so at the moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alarm {
    pub kind: AlarmKind,
    /// What it is about: a server's address, a range. With the kind it names the alarm.
    pub subject: String,
    /// For a person to read, with the remedy.
    pub message: String,
}

/// A VLAN as people know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub vlan: String,
    pub name: String,
    pub mode: DhcpMode,
}

/// How full a range is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
    /// Leased, or quarantined.
    pub used: u64,
}

/// What is known of foreign servers, ranges and disks, as it changes.
#[derive(Debug, Default)]
pub struct Watch {
    servers: BTreeMap<(String, Ipv4Addr), Sighting>,
    pools: BTreeMap<Ipv4Addr, (PoolUse, Level)>, // By their first addresses.
    journals_failed: u64,
}

#[derive(Clone, Debug)]
struct Sighting {
    place: Place,
    mac: Option<Mac>,
    seen: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Fine,
    Low,
    Exhausted,
}

/// Servers that are remembered: an attacker can make up as many as there are addresses.
const SERVERS_MAX: usize = 64;
/// Ranges that are watched; a rack's networks have fewer.
const POOLS_MAX: usize = 4_096;
/// A range is low from here on, in percent, and fine again below the other.
const LOW_FROM: u64 = 80;
const FINE_BELOW: u64 = 75;
/// An exhausted range is no longer so once this part is free again: one lease that ends does not
/// end the alarm.
const FREE_AGAIN: u64 = 5;

impl Watch {
    /// A foreign server has answered, or a client has chosen it. `mac`: the server's card.
    pub fn heard(&mut self, place: Place, server: Ipv4Addr, mac: Option<Mac>, now: Instant) {
        let key = (place.vlan.clone(), server);
        let known = self.servers.get(&key).and_then(|it| it.mac);
        if SERVERS_MAX <= self.servers.len() && !self.servers.contains_key(&key) {
            return;
        }
        self.servers.insert(key, Sighting { place, mac: mac.or(known), seen: now });
    }

    /// Forgets servers that were not heard for `memory`. Returns the VLANs that have none any more.
    pub fn forget(&mut self, memory: Duration, now: Instant) -> Vec<String> {
        let before = self.vlans();
        self.servers.retain(|_, it| now.saturating_since(it.seen) < memory);
        let after = self.vlans();
        before.difference(&after).cloned().collect()
    }

    fn vlans(&self) -> BTreeSet<String> {
        self.servers.keys().map(|(vlan, _)| vlan.clone()).collect()
    }

    /// How full all ranges are now.
    pub fn pools(&mut self, pools: impl IntoIterator<Item = PoolUse>) {
        let mut now = BTreeMap::new();
        for pool in pools.into_iter().take(POOLS_MAX) {
            let before = self.pools.get(&pool.first).map_or(Level::Fine, |(_, level)| *level);
            now.insert(pool.first, (pool, pool.level(before)));
        }
        self.pools = now;
    }

    /// In how many journals leases cannot be written.
    pub fn journals_failed(&mut self, count: u64) {
        self.journals_failed = count;
    }

    /// All that is so now, in one order.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        let servers = self.servers.iter().map(|((_, server), it)| Alarm {
            kind: AlarmKind::ForeignDhcpServer,
            subject: format!("{server} on {}", it.place.name),
            message: it.message(*server),
        });
        let pools = self.pools.values().filter_map(|(pool, level)| pool.alarm(*level));
        let journals = (self.journals_failed != 0).then(|| Alarm {
            kind: AlarmKind::JournalFailed,
            subject: "lease journal".to_owned(),
            message: format!(
                "{} of the lease journals cannot be written, so no new lease is granted there. \
                 Free space on the disk, or replace it; granting goes on by itself.",
                self.journals_failed
            ),
        });
        let mut all: Vec<Alarm> = servers.chain(pools).chain(journals).collect();
        all.sort();
        all
    }
}

impl Sighting {
    fn message(&self, server: Ipv4Addr) -> String {
        let card = self.mac.map(|it| format!(" ({it})")).unwrap_or_default();
        let Place { name, mode, .. } = &self.place;
        let remedy = match mode {
            DhcpMode::Full => {
                "clients may get addresses of either: stop it, or set the VLAN's mode to PROXY"
            }
            DhcpMode::Auto => "this rack leaves the addresses to it, and gives boot files alone",
            DhcpMode::Proxy => "as the VLAN's mode expects; this rack gives boot files alone",
            DhcpMode::Off => "this rack does nothing on the VLAN",
        };
        format!("The DHCP server {server}{card} answers on {name}; {remedy}.")
    }
}

impl PoolUse {
    fn size(self) -> u64 {
        u64::from(self.last.to_bits().saturating_sub(self.first.to_bits())) + 1
    }

    fn level(self, before: Level) -> Level {
        let (used, size) = (self.used, self.size());
        let from = if before == Level::Fine { LOW_FROM } else { FINE_BELOW };
        let is_full = size <= used;
        // Of a small range one free address is more than that part.
        let stays = before == Level::Exhausted && (size - used.min(size)) * 100 < size * FREE_AGAIN;
        if is_full || stays {
            Level::Exhausted
        } else if size * from <= used * 100 {
            Level::Low
        } else {
            Level::Fine
        }
    }

    fn alarm(self, level: Level) -> Option<Alarm> {
        let (used, size) = (self.used, self.size());
        let (kind, then) = match level {
            Level::Fine => return None,
            Level::Low => (AlarmKind::PoolLow, "Make it larger before it is full"),
            Level::Exhausted => {
                (AlarmKind::PoolExhausted, "New clients get no address: make it larger")
            }
        };
        let message = format!("{used} of {size} addresses are in use. {then}, or shorten leases.");
        Some(Alarm { kind, subject: self.to_string(), message })
    }
}

impl fmt::Display for PoolUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn place(vlan: &str, mode: DhcpMode) -> Place {
        Place { vlan: vlan.to_owned(), name: format!("VLAN {vlan}"), mode }
    }

    #[test]
    fn a_range_is_low_then_exhausted_and_does_not_flap() {
        let first = Ipv4Addr::new(10, 0, 0, 1);
        let mut watch = Watch::default();
        // Addresses in use of 100; what is said of them.
        let rows = [
            (79, None),
            (80, Some(AlarmKind::PoolLow)),
            (76, Some(AlarmKind::PoolLow)),
            (74, None),
            (79, None),
            (99, Some(AlarmKind::PoolLow)),
            (100, Some(AlarmKind::PoolExhausted)),
            (99, Some(AlarmKind::PoolExhausted)),
            (96, Some(AlarmKind::PoolExhausted)),
            (95, Some(AlarmKind::PoolLow)),
            (10, None),
        ];
        for (used, want) in rows {
            watch.pools([PoolUse { first, last: Ipv4Addr::new(10, 0, 0, 100), used }]);
            let alarms = watch.alarms();
            assert_eq!(alarms.first().map(|it| it.kind), want, "{used}");
            assert!(alarms.iter().all(|it| it.subject == "10.0.0.1-10.0.0.100"));
        }
        // One of two addresses is half of a range; none left is none left.
        watch.pools([PoolUse { first, last: Ipv4Addr::new(10, 0, 0, 2), used: 2 }]);
        assert_eq!(watch.alarms()[0].kind, AlarmKind::PoolExhausted);
        watch.pools([PoolUse { first, last: Ipv4Addr::new(10, 0, 0, 2), used: 1 }]);
        assert_eq!(watch.alarms(), []);
        watch.pools([]);
        assert_eq!(watch.alarms(), [], "a range that is gone");
    }

    #[test]
    fn a_foreign_server_is_known_until_it_is_silent() {
        let mut watch = Watch::default();
        let server = Ipv4Addr::new(10, 0, 0, 9);
        let mac = Some(Mac([2, 0, 0, 0, 0, 9]));
        watch.heard(place("a", DhcpMode::Full), server, mac, at(0));
        watch.heard(place("b", DhcpMode::Proxy), server, None, at(5));
        watch.heard(place("a", DhcpMode::Full), server, None, at(10));
        let messages: Vec<_> = watch.alarms().into_iter().map(|it| it.message).collect();
        assert!(messages[0].contains("(02:00:00:00:00:09)") && messages[0].contains("PROXY"));
        assert!(messages[1].contains("as the VLAN's mode expects"), "{messages:?}");
        let memory = Duration::from_secs(20);
        assert!(watch.forget(memory, at(24)).is_empty());
        assert_eq!(watch.forget(memory, at(25)), ["b"]);
        assert_eq!(watch.forget(memory, at(30)), ["a"]);
        assert_eq!(watch.alarms(), []);
        for made_up in 0..1_000 {
            let server = Ipv4Addr::from(made_up);
            watch.heard(place("a", DhcpMode::Full), server, None, at(40));
        }
        assert_eq!(watch.alarms().len(), SERVERS_MAX);
    }

    #[test]
    fn a_failed_journal_is_an_alarm_until_it_is_written_again() {
        let mut watch = Watch::default();
        watch.journals_failed(2);
        assert_eq!(watch.alarms()[0].kind, AlarmKind::JournalFailed);
        watch.journals_failed(0);
        assert_eq!(watch.alarms(), []);
    }
}
