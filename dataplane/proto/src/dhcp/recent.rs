use std::time::Duration;

use ironherd_snapshot::Mac;

use crate::Instant;
use crate::rate::{CLIENTS, Rate, Used};

/// A message with the same number within this time is a repeat.
const REPEAT_WITHIN: Duration = Duration::from_secs(1);

/// Remembers who was heard last, one client a place; a newcomer replaces the older.
///
/// Forgetting one only lets a repeat pass as a first contact, and gives it a new allowance.
#[derive(Debug)]
pub(super) struct Recent {
    places: Vec<Option<Heard>>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    mac: Mac,
    xid: u32,
    at: Instant,
    used: Used,
}

/// What is known of a message before it is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    New,
    /// Its transaction was heard a moment ago.
    Repeated,
    /// Its card has asked more than its rate.
    TooMany,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self { places: vec![None; CLIENTS] }
    }

    /// Notes one message.
    ///
    /// DISCOVER and REQUEST share a number, so a REQUEST right behind counts as a repeat too. It
    /// will come again, and its offer is kept.
    pub(super) fn note(&mut self, mac: Mac, xid: u32, rate: Rate, now: Instant) -> Standing {
        // The low bytes differ within a rack, the middle ones between vendors.
        let [_, a, b, c, d, e] = mac.0.map(usize::from);
        let place = (a ^ c << 3 ^ b << 5 ^ d << 6 ^ e) % CLIENTS;
        let last = self.places[place].filter(|it| it.mac == mac);
        let mut used = last.map(|it| it.used).unwrap_or_default();
        let may = used.take(rate, now);
        self.places[place] = Some(Heard { mac, xid, at: now, used });
        match last {
            _ if !may => Standing::TooMany,
            Some(it) if it.xid == xid && now.saturating_since(it.at) < REPEAT_WITHIN => {
                Standing::Repeated
            }
            _ => Standing::New,
        }
    }
}
