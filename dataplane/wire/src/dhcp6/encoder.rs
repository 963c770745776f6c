use std::net::Ipv6Addr;

use super::{IaKind, MessageType, code};

/// Appends one message to a buffer. What does not fit is left out whole.
#[derive(Debug)]
pub struct Encoder<'b> {
    out: &'b mut Vec<u8>,
    end: usize, // `out` never grows longer.
}

const IA_BYTES: usize = 16;

impl<'b> Encoder<'b> {
    /// Starts a message of at most `bytes_max` bytes behind what `out` already holds.
    pub fn new(
        out: &'b mut Vec<u8>,
        kind: MessageType,
        transaction: [u8; 3],
        bytes_max: usize,
    ) -> Self {
        let end = out.len() + bytes_max.max(4);
        out.push(kind as u8);
        out.extend_from_slice(&transaction);
        Self { out, end }
    }

    /// Appends an option. `false`: it does not fit and is left out.
    pub fn option(&mut self, code: u16, value: &[u8]) -> bool {
        let Ok(len) = u16::try_from(value.len()) else { return false };
        if self.room() < 4 + value.len() {
            return false;
        }
        self.out.extend_from_slice(&code.to_be_bytes());
        self.out.extend_from_slice(&len.to_be_bytes());
        self.out.extend_from_slice(value);
        true
    }

    pub fn status(&mut self, status: u16, text: &str) -> bool {
        self.option(code::STATUS, &[&status.to_be_bytes(), text.as_bytes()].concat())
    }

    pub fn addresses(&mut self, code: u16, addresses: &[Ipv6Addr]) -> bool {
        let octets: Vec<u8> = addresses.iter().flat_map(Ipv6Addr::octets).collect();
        self.option(code, &octets)
    }

    /// Appends a vendor class of one item.
    pub fn vendor_class(&mut self, enterprise: u32, item: &[u8]) -> bool {
        let Ok(len) = u16::try_from(item.len()) else { return false };
        let value = [&enterprise.to_be_bytes()[..], &len.to_be_bytes(), item].concat();
        self.option(code::VENDOR_CLASS, &value)
    }

    /// Appends an identity association; `fill` appends what stands inside.
    pub fn ia(
        &mut self,
        kind: IaKind,
        id: u32,
        (t1, t2): (u32, u32),
        fill: impl FnOnce(&mut Self),
    ) -> bool {
        if self.room() < IA_BYTES {
            return false;
        }
        let start = self.out.len();
        self.out.extend_from_slice(&kind.code().to_be_bytes());
        self.out.extend_from_slice(&[0; 2]); // The length, once it is known.
        self.out.extend_from_slice(&id.to_be_bytes());
        if kind != IaKind::Temporary {
            self.out.extend_from_slice(&t1.to_be_bytes());
            self.out.extend_from_slice(&t2.to_be_bytes());
        }
        fill(self);
        let len = u16::try_from(self.out.len() - start - 4).unwrap_or(u16::MAX);
        self.out[start + 2..start + 4].copy_from_slice(&len.to_be_bytes());
        true
    }

    /// Appends an address with its lifetimes, inside an association of addresses.
    pub fn ia_address(&mut self, address: Ipv6Addr, preferred: u32, valid: u32) -> bool {
        let lifetimes = [preferred.to_be_bytes(), valid.to_be_bytes()].concat();
        self.option(code::IA_ADDRESS, &[&address.octets()[..], &lifetimes].concat())
    }

    /// Appends a prefix with its lifetimes, inside an association of prefixes.
    pub fn ia_prefix(&mut self, prefix: Ipv6Addr, len: u8, preferred: u32, valid: u32) -> bool {
        let mut value = [preferred.to_be_bytes(), valid.to_be_bytes()].concat();
        value.push(len);
        value.extend_from_slice(&prefix.octets());
        self.option(code::IA_PREFIX, &value)
    }

    fn room(&self) -> usize {
        self.end.saturating_sub(self.out.len())
    }
}
