use std::time::Duration;

use ironherd_snapshot::Mac;

use crate::Instant;

/// Places of the memory: enough that the clients of one storm seldom share one.
const PLACES: usize = 1 << 14;
/// A message with the same number within this time is a repeat.
const REPEAT_WITHIN: Duration = Duration::from_secs(1);

/// Remembers who was heard last, one client a place; a newcomer replaces the older.
///
/// Forgetting one only lets a repeat pass as a first contact.
#[derive(Debug)]
pub(super) struct Recent {
    places: Vec<Option<(Mac, u32, Instant)>>,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self { places: vec![None; PLACES] }
    }

    /// Notes one message; `true` if its transaction was heard a moment ago.
    ///
    /// DISCOVER and REQUEST share a number, so a REQUEST right behind counts as a repeat too. It
    /// will come again, and its offer is kept.
    pub(super) fn note(&mut self, mac: Mac, xid: u32, now: Instant) -> bool {
        // The low bytes differ within a rack, the middle ones between vendors.
        let [_, a, b, c, d, e] = mac.0.map(usize::from);
        let place = (a ^ c << 3 ^ b << 5 ^ d << 6 ^ e) % PLACES;
        let last = self.places[place].replace((mac, xid, now));
        last.is_some_and(|(who, what, when)| {
            (who, what) == (mac, xid) && now.saturating_since(when) < REPEAT_WITHIN
        })
    }
}
