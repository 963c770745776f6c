use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use ipnet::Ipv6Net;

use crate::Refusal;
use crate::refusal::Unknown;

/// A pool of more prefixes than this is a slip of the pen.
const POOL_BITS_MAX: u8 = 32;

/// A run of IPv6 addresses; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span6 {
    pub first: Ipv6Addr,
    pub last: Ipv6Addr,
}

/// Prefixes to delegate: every prefix of length `delegated_len` inside `prefix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixPool {
    pub prefix: Ipv6Net,
    pub delegated_len: u8,
}

/// Who has what in one IPv6 subnet. Built from the store before each decision.
#[derive(Clone, Debug)]
pub struct Plan6 {
    pub cidr: Ipv6Net,
    pub ranges: Vec<Span6>,
    pub pools: Vec<PrefixPool>,
    /// Reserved addresses and name servers.
    pub taken: BTreeSet<Ipv6Addr>,
    /// Reserved prefixes.
    pub taken_prefixes: Vec<Ipv6Net>,
    /// Networks and pools of the other subnets.
    pub others: Vec<Ipv6Net>,
}

/// Reads a network such as `2001:db8::/64`.
///
/// # Errors
/// `CIDR_INVALID`.
pub fn cidr6(text: &str, field: &[&str]) -> Result<Ipv6Net, Refusal> {
    let net = network(text, "CIDR_INVALID", field)?;
    if (48..=126).contains(&net.prefix_len()) {
        return Ok(net);
    }
    let why = format!("{net} must have a prefix length from 48 to 126, usually 64.");
    Err(Refusal::new("CIDR_INVALID", field, why))
}

/// Reads one address.
///
/// # Errors
/// `ADDRESS_INVALID`.
pub fn address6(text: &str, field: &[&str]) -> Result<Ipv6Addr, Refusal> {
    let read = text.trim().parse::<Ipv6Addr>().ok();
    let fits = |it: &Ipv6Addr| !it.is_unspecified() && !it.is_multicast() && !it.is_loopback();
    read.filter(fits).ok_or_else(|| {
        let shown: String = text.chars().take(64).collect();
        let why = format!("`{shown}` is no IPv6 address; write it like 2001:db8::10.");
        Refusal::new("ADDRESS_INVALID", field, why)
    })
}

/// Reads a list of addresses; the refusal names the place in the list.
///
/// # Errors
/// `ADDRESS_INVALID` for the first that cannot be read.
pub fn addresses6(texts: &[String], field: &[&str]) -> Result<Vec<Ipv6Addr>, Refusal> {
    let read = |(at, text): (usize, &String)| {
        let place = at.to_string();
        address6(text, &[field, &[&place]].concat())
    };
    texts.iter().enumerate().map(read).collect()
}

/// Reads a prefix to delegate or to reserve.
///
/// # Errors
/// `PREFIX_INVALID`.
pub fn prefix6(text: &str, field: &[&str]) -> Result<Ipv6Net, Refusal> {
    let net = network(text, "PREFIX_INVALID", field)?;
    if (16..=64).contains(&net.prefix_len()) {
        return Ok(net);
    }
    let why = format!("{net} must have a length from 16 to 64 to be delegated.");
    Err(Refusal::new("PREFIX_INVALID", field, why))
}

/// Reads a pool of prefixes.
///
/// # Errors
/// `PREFIX_INVALID`, `POOL_INVALID`.
pub fn pool6(prefix: &str, delegated: i64, field: &[&str]) -> Result<PrefixPool, Refusal> {
    let prefix = prefix6(prefix, &[field, &["prefix"]].concat())?;
    let len = prefix.prefix_len();
    let most = len.saturating_add(POOL_BITS_MAX).min(64);
    let read = u8::try_from(delegated).ok().filter(|it| (len..=most).contains(it));
    let delegated_len = read.ok_or_else(|| {
        let why = format!("Prefixes delegated from {prefix} have a length from {len} to {most}.");
        Refusal::new("POOL_INVALID", &[field, &["delegatedLength"]].concat(), why)
    })?;
    Ok(PrefixPool { prefix, delegated_len })
}

fn network(text: &str, code: &'static str, field: &[&str]) -> Result<Ipv6Net, Refusal> {
    let refused = |why: String| Refusal::new(code, field, why);
    let shown: String = text.chars().take(64).collect();
    let Ok(net) = text.trim().parse::<Ipv6Net>() else {
        let why = format!("`{shown}` is no IPv6 network; write it like 2001:db8::/64.");
        return Err(refused(why));
    };
    if net.addr() != net.network() {
        let meant = net.trunc();
        return Err(refused(format!("`{shown}` is inside a network; the network is {meant}.")));
    }
    let first = net.network();
    let local = first.is_unicast_link_local() || first.to_ipv4_mapped().is_some();
    if first.is_multicast() || first.is_loopback() || first.is_unspecified() || local {
        return Err(refused(format!("`{shown}` is no network to have addresses from.")));
    }
    Ok(net)
}

fn meet(a: &Ipv6Net, b: &Ipv6Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

impl Plan6 {
    /// # Errors
    /// `SUBNET_OVERLAP` if the network shares addresses with another subnet's network or pool.
    pub fn check_network(&self, field: &[&str]) -> Result<(), Refusal> {
        match self.others.iter().find(|it| meet(it, &self.cidr)) {
            None => Ok(()),
            Some(other) => {
                let why = format!("{} overlaps {other}, which is in use.", self.cidr);
                Err(Refusal::new("SUBNET_OVERLAP", field, why))
            }
        }
    }

    /// # Errors
    /// `RANGE_BACKWARDS`, `RANGE_OUTSIDE_SUBNET`, `RANGE_OVERLAP` or `RANGE_HOLDS_RESERVATION`
    /// for the first range at fault, with its place.
    pub fn check_ranges(&self, field: &[&str]) -> Result<(), Refusal> {
        for (at, span) in self.ranges.iter().enumerate() {
            let place = at.to_string();
            let path = [field, &[&place]].concat();
            let refused = |code, why: String| Err(Refusal::new(code, &path, why));
            let Span6 { first, last } = *span;
            if last < first {
                return refused("RANGE_BACKWARDS", format!("{first} is after {last}: swap them."));
            }
            if !self.usable(first) || !self.usable(last) {
                let why = format!(
                    "{first}–{last} leaves the hosts of {}; its first address is the routers'.",
                    self.cidr
                );
                return refused("RANGE_OUTSIDE_SUBNET", why);
            }
            let earlier = self.ranges.iter().take(at);
            if let Some(it) = earlier.clone().find(|it| it.first <= last && first <= it.last) {
                let why = format!("{first}–{last} overlaps the range {}–{}.", it.first, it.last);
                return refused("RANGE_OVERLAP", why);
            }
            if let Some(taken) = self.taken.range(first..=last).next() {
                let why = format!(
                    "{taken} lies inside {first}–{last} but is reserved or a name server. Choose \
                     a range beside it or delete the reservation."
                );
                return refused("RANGE_HOLDS_RESERVATION", why);
            }
        }
        Ok(())
    }

    /// # Errors
    /// `POOL_OVERLAP` or `POOL_HOLDS_RESERVATION` for the first pool at fault, with its place.
    pub fn check_pools(&self, field: &[&str]) -> Result<(), Refusal> {
        for (at, pool) in self.pools.iter().enumerate() {
            let place = at.to_string();
            let path = [field, &[&place]].concat();
            let earlier = self.pools.iter().take(at).map(|it| &it.prefix);
            let mut all = earlier.chain(&self.others).chain(std::iter::once(&self.cidr));
            if let Some(other) = all.find(|it| meet(it, &pool.prefix)) {
                let why = format!("{} overlaps {other}, which is in use.", pool.prefix);
                return Err(Refusal::new("POOL_OVERLAP", &path, why));
            }
            if let Some(taken) = self.taken_prefixes.iter().find(|it| meet(it, &pool.prefix)) {
                let why = format!(
                    "{taken} lies inside {} but is reserved. Delete the reservation first.",
                    pool.prefix
                );
                return Err(Refusal::new("POOL_HOLDS_RESERVATION", &path, why));
            }
        }
        Ok(())
    }

    /// # Errors
    /// `ADDRESS_OUTSIDE_SUBNET`, `ADDRESS_IN_RANGE` or `ADDRESS_TAKEN`.
    pub fn check_address(&self, address: Ipv6Addr, field: &[&str]) -> Result<(), Refusal> {
        let refused = |code, why: String| Err(Refusal::new(code, field, why));
        if !self.usable(address) {
            let why = format!(
                "{address} is no host address of {}; its first address is the routers'.",
                self.cidr
            );
            return refused("ADDRESS_OUTSIDE_SUBNET", why);
        }
        if let Some(it) = self.ranges.iter().find(|it| (it.first..=it.last).contains(&address)) {
            let why = format!(
                "{address} lies in the dynamic range {}–{}: another machine may hold it now. \
                 Choose an address outside the ranges.",
                it.first, it.last
            );
            return refused("ADDRESS_IN_RANGE", why);
        }
        if self.taken.contains(&address) {
            return refused("ADDRESS_TAKEN", format!("{address} is already taken."));
        }
        Ok(())
    }

    /// # Errors
    /// `PREFIX_TAKEN` or `PREFIX_IN_POOL`.
    pub fn check_prefix(&self, prefix: Ipv6Net, field: &[&str]) -> Result<(), Refusal> {
        let refused = |code, why: String| Err(Refusal::new(code, field, why));
        if let Some(pool) = self.pools.iter().find(|it| meet(&it.prefix, &prefix)) {
            let why = format!(
                "{prefix} meets the pool {}: another machine may hold a part of it now. Choose \
                 a prefix outside the pools.",
                pool.prefix
            );
            return refused("PREFIX_IN_POOL", why);
        }
        let mut all = self.taken_prefixes.iter().chain(&self.others);
        let own = meet(&self.cidr, &prefix).then_some(&self.cidr);
        if let Some(other) = all.find(|it| meet(it, &prefix)).or(own) {
            return refused("PREFIX_TAKEN", format!("{prefix} overlaps {other}, which is in use."));
        }
        Ok(())
    }

    /// The address of all zeroes is every router's (RFC 4291 §2.6.1).
    fn usable(&self, address: Ipv6Addr) -> bool {
        self.cidr.contains(&address) && address != self.cidr.network()
    }
}

/// The form that the database uses.
impl fmt::Display for Span6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for Span6 {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let read = || {
            let (first, last) = text.split_once('-')?;
            Some(Self { first: first.parse().ok()?, last: last.parse().ok()? })
        };
        read().ok_or_else(|| Unknown::new("range of IPv6 addresses", text))
    }
}

/// The form that the database uses.
impl fmt::Display for PrefixPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{}", self.prefix, self.delegated_len)
    }
}

impl FromStr for PrefixPool {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let read = || {
            let (prefix, len) = text.split_once('>')?;
            Some(Self { prefix: prefix.parse().ok()?, delegated_len: len.parse().ok()? })
        };
        read().ok_or_else(|| Unknown::new("pool of prefixes", text))
    }
}

#[cfg(test)]
mod tests;
