use ironherd_snapshot::Mac;

use crate::record::Record;

/// Which address a card had last in a network: an open table of the records' slots.
///
/// Cards choose their own numbers, so the hash has a secret key: a folded product, which costs two
/// nanoseconds where SipHash costs twenty. It is no cipher, but nobody outside sees where a card
/// falls, and that is all there is to learn it from. An entry is the hash (32 bits) and the
/// slot + 1 (32), so that neither growing nor removing looks at a record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients {
    key: [u64; 2],
    entries: Vec<u64>, // Zero: empty.
    len: usize,
}

const ENTRIES_MIN: usize = 64;

impl Clients {
    pub(crate) fn with_key(key: [u64; 2]) -> Self {
        Self { key, ..Self::default() }
    }

    pub(crate) fn key(&self) -> [u64; 2] {
        self.key
    }

    pub(crate) fn get(&self, records: &[Record], mac: Mac, network: u32) -> Option<u32> {
        let hash = self.hash(mac, network);
        let at = self.find(records, hash, mac, network).ok()?;
        Some(slot_of(self.entries[at]))
    }

    /// Files the slot, whose record is the card's already; tells the slot it replaces.
    pub(crate) fn insert(&mut self, records: &[Record], slot: u32) -> Option<u32> {
        if self.entries.len() * 3 <= self.len * 4 {
            self.grow();
        }
        let Record { mac, network, .. } = records[slot as usize];
        let hash = self.hash(mac, network);
        let entry = u64::from(hash) << 32 | u64::from(slot + 1);
        match self.find(records, hash, mac, network) {
            Ok(at) => Some(slot_of(std::mem::replace(&mut self.entries[at], entry))),
            Err(at) => {
                self.entries[at] = entry;
                self.len += 1;
                None
            }
        }
    }

    /// Forgets the card of this slot's record, if the slot is what is filed for it.
    pub(crate) fn remove(&mut self, records: &[Record], slot: u32) {
        let Record { mac, network, .. } = records[slot as usize];
        let hash = self.hash(mac, network);
        let Ok(mut hole) = self.find(records, hash, mac, network) else { return };
        if slot_of(self.entries[hole]) != slot {
            return;
        }
        self.len -= 1;
        self.entries[hole] = 0;
        // What stands behind moves up, unless that would put it before its home.
        let mut at = self.after(hole);
        while self.entries[at] != 0 {
            let home = self.home(hash_of(self.entries[at]));
            let from_home = |it: usize| (it + self.entries.len() - home) % self.entries.len();
            if from_home(hole) < from_home(at) {
                self.entries[hole] = std::mem::take(&mut self.entries[at]);
                hole = at;
            }
            at = self.after(at);
        }
    }

    fn hash(&self, mac: Mac, network: u32) -> u32 {
        let [a, b, c, d, e, f] = mac.0;
        let card = u64::from_be_bytes([0, 0, a, b, c, d, e, f]) ^ self.key[0];
        let product = u128::from(card) * u128::from((u64::from(network) << 16 ^ self.key[1]) | 1);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are folded into one")]
        let folded = (product >> 64) as u64 ^ product as u64;
        #[expect(clippy::cast_possible_truncation, reason = "and that once more")]
        let hash = (folded >> 32) as u32 ^ folded as u32;
        hash
    }

    /// Where the card stands, or the empty entry where it would.
    fn find(&self, records: &[Record], hash: u32, mac: Mac, net: u32) -> Result<usize, usize> {
        if self.entries.is_empty() {
            return Err(0);
        }
        let mut at = self.home(hash);
        loop {
            let entry = self.entries[at];
            if entry == 0 {
                return Err(at);
            }
            if hash_of(entry) == hash {
                let record = &records[slot_of(entry) as usize];
                if (record.mac, record.network) == (mac, net) {
                    return Ok(at);
                }
            }
            at = self.after(at);
        }
    }

    /// The entry that a hash points at; the high bits count, so that growing keeps the order.
    fn home(&self, hash: u32) -> usize {
        (hash as usize * self.entries.len()) >> 32
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.entries.len() { 0 } else { at + 1 }
    }

    fn grow(&mut self) {
        let len = (self.entries.len() * 2).max(ENTRIES_MIN);
        let before = std::mem::replace(&mut self.entries, vec![0; len]);
        for entry in before.into_iter().filter(|it| *it != 0) {
            let mut at = self.home(hash_of(entry));
            while self.entries[at] != 0 {
                at = self.after(at);
            }
            self.entries[at] = entry;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half of an entry")]
fn slot_of(entry: u64) -> u32 {
    (entry as u32).wrapping_sub(1)
}

fn hash_of(entry: u64) -> u32 {
    u32::try_from(entry >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn check(key: [u64; 2], steps: &[(bool, u8)]) {
        let records: Vec<Record> = (0..=255_u8)
            .map(|it| Record { mac: Mac([2, 0, 0, 0, 0, it / 2]), ..Record::new(it.into()) })
            .collect();
        let mut clients = Clients::with_key(key);
        let mut want: HashMap<Mac, u32> = HashMap::new();
        for (insert, slot) in steps {
            let mac = records[usize::from(*slot)].mac;
            let slot = u32::from(*slot);
            if *insert {
                assert_eq!(clients.insert(&records, slot), want.insert(mac, slot));
            } else {
                clients.remove(&records, slot);
                if want.get(&mac) == Some(&slot) {
                    want.remove(&mac);
                }
            }
        }
        assert_eq!(clients.len, want.len());
        for record in &records {
            let got = clients.get(&records, record.mac, 0);
            assert_eq!(got, want.get(&record.mac).copied());
        }
    }

    proptest! {
        #[test]
        fn it_is_a_map(
            key in any::<[u64; 2]>(),
            steps in prop::collection::vec(any::<(bool, u8)>(), 0..600),
        ) {
            check(key, &steps);
            check([0x0200_0000_0000, 0], &steps); // Hashes that fall close together.
        }
    }
}
