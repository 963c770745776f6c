use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::Ipv4Addr;
use std::time::Duration;

/// One client between two messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) xid: u32,
    pub(crate) stage: Stage,
    /// When this transaction was meant to begin; it may have been later.
    pub(crate) meant: Duration,
    pub(crate) address: Ipv4Addr,
    pub(crate) server: Ipv4Addr,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Idle,
    Discovering,
    Requesting,
    Renewing,
}

impl Default for Client {
    fn default() -> Self {
        let nobody = Ipv4Addr::UNSPECIFIED;
        let meant = Duration::ZERO;
        Self { xid: 0, stage: Stage::Idle, meant, address: nobody, server: nobody }
    }
}

impl Client {
    pub(crate) fn has_address(&self) -> bool {
        !self.address.is_unspecified()
    }
}

/// Locally administered, and not what an operating system would make up.
const PREFIX: [u8; 2] = [0x02, 0x1d];

/// The card of one client. Servers that share clients out by the last bytes see them all alike.
pub(crate) fn card(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    let [x, y] = PREFIX;
    [x, y, a, b, c, d]
}

pub(crate) fn number_of(card: [u8; 6]) -> Option<u32> {
    let [x, y, a, b, c, d] = card;
    ([x, y] == PREFIX).then(|| u32::from_be_bytes([a, b, c, d]))
}

/// Which client was promised which address.
#[derive(Debug, Default)]
pub(crate) struct Owners(HashMap<u32, u32, BuildHasherDefault<AddressHasher>>);

impl Owners {
    /// Notes a promise; `false`: someone else has this address.
    pub(crate) fn promise(&mut self, client: u32, before: Ipv4Addr, address: Ipv4Addr) -> bool {
        if before != address && self.0.get(&before.to_bits()) == Some(&client) {
            self.0.remove(&before.to_bits());
        }
        self.0.insert(address.to_bits(), client).is_none_or(|it| it == client)
    }
}

/// Addresses are our own server's choice: nobody floods this table on purpose.
#[derive(Debug, Default)]
pub(crate) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32((*byte).into());
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.0 = (self.0 ^ u64::from(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
