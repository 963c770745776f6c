//! What a lease is of: one address of either family, or a delegated prefix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::refusal::Unknown;
use crate::text_enum::text_enum;

/// An address, or the prefix that a router was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseBlock {
    address: IpAddr,
    prefix_len: u8, // Invariant: at most as long as the address, and the host bits are zero.
}

text_enum! {
    /// How a lease came to its end.
    LeaseEnd, "end of a lease" {
        /// The client gave it back.
        Released = "RELEASED",
        /// Its time was over.
        Expired = "EXPIRED",
        /// The client found the address in use by somebody else.
        Declined = "DECLINED",
        /// Another client has the address now.
        Moved = "MOVED",
        /// The rack told all of its leases, and this was not one of them any more.
        Unreported = "UNREPORTED",
    }
}

impl LeaseBlock {
    /// The length of a key: 32 digits of the address, 2 of the prefix's length.
    pub const KEY_LEN: usize = 34;

    #[must_use]
    pub fn v4(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(it) => Some(it),
            IpAddr::V6(_) => None,
        }
    }

    /// The first address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// A text that sorts as addresses do: IPv4 before IPv6, as it is mapped into it (RFC 4291
    /// §2.5.5.2), a prefix before the addresses in it.
    #[must_use]
    pub fn key(&self) -> String {
        let offset = if self.address.is_ipv4() { 96 } else { 0 };
        format!("{:032x}{:02x}", bits(self.address), u16::from(self.prefix_len) + offset)
    }

    /// The least and the greatest key of what lies in a network.
    #[must_use]
    pub fn keys_in(network: &ipnet::IpNet) -> (String, String) {
        let end = |at: IpAddr, len: &str| format!("{:032x}{len}", bits(at));
        (end(network.network(), "00"), end(network.broadcast(), "80"))
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(it) => it.to_ipv6_mapped().to_bits(),
        IpAddr::V6(it) => it.to_bits(),
    }
}

impl From<Ipv4Addr> for LeaseBlock {
    fn from(address: Ipv4Addr) -> Self {
        Self { address: address.into(), prefix_len: 32 }
    }
}

impl From<Ipv6Addr> for LeaseBlock {
    fn from(address: Ipv6Addr) -> Self {
        Self { address: address.into(), prefix_len: 128 }
    }
}

impl fmt::Display for LeaseBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.prefix_len) {
            (IpAddr::V4(it), _) => write!(f, "{it}"),
            (IpAddr::V6(it), 128) => write!(f, "{it}"),
            (IpAddr::V6(it), len) => write!(f, "{it}/{len}"),
        }
    }
}

impl FromStr for LeaseBlock {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(address.into());
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(address.into());
        }
        let prefix: Option<ipnet::Ipv6Net> = text.parse().ok();
        let prefix = prefix.ok_or_else(|| Unknown::new("address or IPv6 prefix", text))?;
        Ok(Self { address: prefix.network().into(), prefix_len: prefix.prefix_len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_and_written_and_keys_sort_as_addresses() {
        let rows = [
            // Text, how it is written again; in the order of their keys.
            ("9.255.255.255", "9.255.255.255"),
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.10", "10.0.0.10"),
            ("2001:db8::/56", "2001:db8::/56"),
            ("2001:DB8:0::", "2001:db8::"),
            ("2001:db8::5", "2001:db8::5"),
            ("2001:db8:0:100::7/56", "2001:db8:0:100::/56"),
        ];
        let mut last = String::new();
        for (text, want) in rows {
            let block: LeaseBlock = text.parse().expect(text);
            assert_eq!(block.to_string(), want);
            assert_eq!(block.key().len(), LeaseBlock::KEY_LEN);
            assert!(last < block.key(), "{text}");
            last = block.key();
        }
        for text in ["", "10.0.0.0/24", "10.0.0", "node-1", "2001:db8::/129"] {
            assert!(text.parse::<LeaseBlock>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_keys_of_a_network_hold_what_is_in_it() {
        let rows = [
            ("10.20.0.0/24", "10.20.0.0", true),
            ("10.20.0.0/24", "10.20.0.255", true),
            ("10.20.0.0/24", "10.20.1.0", false),
            ("10.20.0.0/24", "10.19.255.255", false),
            ("2001:db8::/48", "2001:db8::/56", true),
            ("2001:db8::/48", "2001:db8:0:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:db8::/48", "2001:db8:1::", false),
            ("::/0", "10.20.0.1", true), // As it is mapped; nobody has such a subnet.
        ];
        for (network, block, want) in rows {
            let (first, last) = LeaseBlock::keys_in(&network.parse().expect(network));
            let key = block.parse::<LeaseBlock>().expect(block).key();
            assert_eq!((first..=last).contains(&key), want, "{block} in {network}");
        }
    }
}
