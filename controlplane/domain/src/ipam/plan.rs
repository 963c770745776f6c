use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::Refusal;

/// A run of addresses; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
}

impl Span {
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }
}

/// Who has what in one subnet. Built from the store before each decision.
#[derive(Clone, Debug)]
pub struct Plan {
    pub cidr: Ipv4Net,
    pub gateway: Option<Ipv4Addr>,
    /// Dynamic ranges: the rack hands these out.
    pub ranges: Vec<Span>,
    /// Reserved addresses, name servers and whatever else must not be given away.
    pub taken: BTreeSet<Ipv4Addr>,
}

impl Plan {
    /// # Errors
    /// `GATEWAY_OUTSIDE_SUBNET` unless a machine in the subnet could reach it.
    pub fn check_gateway(&self, field: &[&str]) -> Result<(), Refusal> {
        match self.gateway {
            Some(gateway) if !self.usable(gateway) => {
                let (first, last) = self.ends();
                let why = format!(
                    "The gateway {gateway} is no host address of {}: choose one from {first} to \
                     {last}.",
                    self.cidr
                );
                Err(Refusal::new("GATEWAY_OUTSIDE_SUBNET", field, why))
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// `RANGE_BACKWARDS`, `RANGE_OUTSIDE_SUBNET`, `RANGE_OVERLAP`, `RANGE_HOLDS_GATEWAY` or
    /// `RANGE_HOLDS_RESERVATION`.
    pub fn check_range(&self, span: Span, field: &[&str]) -> Result<(), Refusal> {
        let refused = |code, why: String| Err(Refusal::new(code, field, why));
        let Span { first, last } = span;
        if last < first {
            return refused("RANGE_BACKWARDS", format!("{first} comes after {last}: swap them."));
        }
        if !self.usable(first) || !self.usable(last) {
            let (low, high) = self.ends();
            let why = format!(
                "{first}–{last} leaves the subnet {}: its hosts are {low} to {high}.",
                self.cidr
            );
            return refused("RANGE_OUTSIDE_SUBNET", why);
        }
        let meets = |it: &&Span| it.first <= last && first <= it.last;
        if let Some(other) = self.ranges.iter().find(meets) {
            let why = format!(
                "{first}–{last} overlaps the range {}–{}. Delete that one first or choose others.",
                other.first, other.last
            );
            return refused("RANGE_OVERLAP", why);
        }
        if let Some(gateway) = self.gateway.filter(|it| span.contains(*it)) {
            let why = format!("The gateway {gateway} lies inside {first}–{last}.");
            return refused("RANGE_HOLDS_GATEWAY", why);
        }
        if let Some(taken) = self.taken.range(first..=last).next() {
            let why = format!(
                "{taken} lies inside {first}–{last} but is reserved or used by the subnet itself. \
                 Choose a range beside it or delete the reservation."
            );
            return refused("RANGE_HOLDS_RESERVATION", why);
        }
        Ok(())
    }

    /// # Errors
    /// `ADDRESS_OUTSIDE_SUBNET`, `ADDRESS_IN_RANGE` or `ADDRESS_TAKEN`.
    pub fn check_reservation(&self, address: Ipv4Addr, field: &[&str]) -> Result<(), Refusal> {
        let refused = |code, why: String| Err(Refusal::new(code, field, why));
        if !self.usable(address) {
            let (low, high) = self.ends();
            let why = format!(
                "{address} is no host address of {}: choose one from {low} to {high}.",
                self.cidr
            );
            return refused("ADDRESS_OUTSIDE_SUBNET", why);
        }
        if let Some(range) = self.ranges.iter().find(|it| it.contains(address)) {
            let why = format!(
                "{address} lies in the dynamic range {}–{}: another machine may hold it now. \
                 Choose an address outside the ranges.",
                range.first, range.last
            );
            return refused("ADDRESS_IN_RANGE", why);
        }
        if self.gateway == Some(address) {
            let why = format!("{address} is the gateway of {}.", self.cidr);
            return refused("ADDRESS_TAKEN", why);
        }
        if self.taken.contains(&address) {
            let why = match self.next_free() {
                Some(free) => format!("{address} is already taken; {free} is free."),
                None => format!("{address} is already taken, and no other address is free."),
            };
            return refused("ADDRESS_TAKEN", why);
        }
        Ok(())
    }

    /// The lowest address that is outside every range and that nobody has.
    ///
    /// Steps over a whole range at once, so that a /8 full of ranges costs no more than a /24.
    #[must_use]
    pub fn next_free(&self) -> Option<Ipv4Addr> {
        let (low, high) = self.ends();
        let mut at = low;
        while at <= high {
            if let Some(range) = self.ranges.iter().find(|it| it.contains(at)) {
                at = following(range.last)?;
            } else if self.gateway == Some(at) || self.taken.contains(&at) {
                at = following(at)?;
            } else {
                return Some(at);
            }
        }
        None
    }

    /// # Errors
    /// `SUBNET_FULL` when no address is free outside the ranges.
    pub fn next_free_or_refuse(&self, field: &[&str]) -> Result<Ipv4Addr, Refusal> {
        self.next_free().ok_or_else(|| {
            let why = format!(
                "Every address of {} outside its ranges is reserved. Delete a reservation or \
                 shrink a range.",
                self.cidr
            );
            Refusal::new("SUBNET_FULL", field, why)
        })
    }

    fn usable(&self, address: Ipv4Addr) -> bool {
        let (low, high) = self.ends();
        (low..=high).contains(&address)
    }

    /// First and last host address. The prefix is at most 30, so there are at least two.
    fn ends(&self) -> (Ipv4Addr, Ipv4Addr) {
        let low = u32::from(self.cidr.network()).saturating_add(1);
        let high = u32::from(self.cidr.broadcast()).saturating_sub(1);
        (low.into(), high.into())
    }
}

fn following(address: Ipv4Addr) -> Option<Ipv4Addr> {
    u32::from(address).checked_add(1).map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            cidr: "10.20.0.0/24".parse().unwrap(),
            gateway: Some("10.20.0.1".parse().unwrap()),
            ranges: vec![span("10.20.0.100", "10.20.0.199")],
            taken: ["10.20.0.2", "10.20.0.53"].iter().map(|it| it.parse().unwrap()).collect(),
        }
    }

    fn span(first: &str, last: &str) -> Span {
        Span { first: first.parse().unwrap(), last: last.parse().unwrap() }
    }

    #[test]
    fn a_gateway_is_a_host_of_its_subnet() {
        let rows = [("10.20.0.254", true), ("10.21.0.1", false), ("10.20.0.0", false)];
        for (gateway, want) in rows {
            let plan = Plan { gateway: Some(gateway.parse().unwrap()), ..plan() };
            assert_eq!(plan.check_gateway(&[]).is_ok(), want, "{gateway}");
        }
    }

    #[test]
    fn a_range_keeps_clear_of_everything_else() {
        let rows = [
            ("10.20.0.200", "10.20.0.254", None),
            ("10.20.0.210", "10.20.0.200", Some("RANGE_BACKWARDS")),
            ("10.20.0.200", "10.20.0.255", Some("RANGE_OUTSIDE_SUBNET")), // Broadcast.
            ("10.19.0.1", "10.20.0.9", Some("RANGE_OUTSIDE_SUBNET")),
            ("10.20.0.199", "10.20.0.210", Some("RANGE_OVERLAP")),
            ("10.20.0.90", "10.20.0.250", Some("RANGE_OVERLAP")),
            ("10.20.0.1", "10.20.0.1", Some("RANGE_HOLDS_GATEWAY")),
            ("10.20.0.50", "10.20.0.60", Some("RANGE_HOLDS_RESERVATION")),
        ];
        for (first, last, want) in rows {
            let got = plan().check_range(span(first, last), &["input"]).err();
            assert_eq!(got.map(|it| it.code), want, "{first}-{last}");
        }
    }

    #[test]
    fn a_reservation_lies_outside_the_ranges() {
        let rows = [
            ("10.20.0.3", None),
            ("10.20.0.254", None),
            ("10.20.1.3", Some("ADDRESS_OUTSIDE_SUBNET")),
            ("10.20.0.255", Some("ADDRESS_OUTSIDE_SUBNET")),
            ("10.20.0.150", Some("ADDRESS_IN_RANGE")),
            ("10.20.0.1", Some("ADDRESS_TAKEN")),
            ("10.20.0.2", Some("ADDRESS_TAKEN")),
        ];
        for (address, want) in rows {
            let got = plan().check_reservation(address.parse().unwrap(), &["input"]).err();
            assert_eq!(got.map(|it| it.code), want, "{address}");
        }
    }

    #[test]
    fn the_next_free_address_steps_over_ranges_and_the_taken() {
        assert_eq!(plan().next_free(), Some("10.20.0.3".parse().unwrap()));
        let mut full = Plan { ranges: vec![span("10.20.0.2", "10.20.0.254")], ..plan() };
        assert_eq!(full.next_free(), None);
        assert_eq!(full.next_free_or_refuse(&[]).unwrap_err().code, "SUBNET_FULL");
        full.ranges = vec![span("10.20.0.2", "10.20.0.253")];
        assert_eq!(full.next_free(), Some("10.20.0.254".parse().unwrap()));
    }
}
