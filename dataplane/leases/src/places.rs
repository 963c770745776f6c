/// Where each address has its record: four steps by its bytes, about four bytes an address. Only
/// addresses of the operator's ranges come in, so the steps need no secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    nodes: Vec<[u32; 256]>, // The first is the root; empty until the first address comes.
}

const NONE: u32 = u32::MAX;

impl Places {
    pub(crate) fn get(&self, address: u32) -> Option<u32> {
        let mut found = 0;
        for byte in address.to_be_bytes() {
            found = self.nodes.get(found as usize)?[usize::from(byte)];
        }
        (found != NONE).then_some(found)
    }

    pub(crate) fn set(&mut self, address: u32, slot: u32) {
        let [first, second, third, last] = address.to_be_bytes();
        if self.nodes.is_empty() {
            self.nodes.push([NONE; 256]);
        }
        let mut node = 0;
        for byte in [first, second, third] {
            let next = self.nodes[node][usize::from(byte)];
            if next == NONE {
                let made = self.nodes.len();
                self.nodes.push([NONE; 256]);
                // There are fewer than 2^25 of them.
                self.nodes[node][usize::from(byte)] = u32::try_from(made).unwrap_or(NONE);
                node = made;
            } else {
                node = next as usize;
            }
        }
        self.nodes[node][usize::from(last)] = slot;
    }

    pub(crate) fn remove(&mut self, address: u32) {
        if self.get(address).is_some() {
            self.set(address, NONE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_a_place_of_its_own() {
        let mut places = Places::default();
        let addresses = [0, 1, 255, 256, 0x0a00_0001, 0x0a00_0101, 0x0a01_0001, u32::MAX];
        assert!(addresses.iter().all(|it| places.get(*it).is_none()));
        for (slot, address) in (7..).zip(addresses) {
            places.set(address, slot);
        }
        for (slot, address) in (7..).zip(addresses) {
            assert_eq!(places.get(address), Some(slot));
            assert_eq!(places.get(address ^ 2), None);
        }
        places.remove(256);
        places.remove(0x0b00_0000);
        assert_eq!((places.get(256), places.get(255)), (None, Some(9)));
    }
}
