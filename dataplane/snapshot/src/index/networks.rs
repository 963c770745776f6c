use std::collections::HashMap;
use std::net::Ipv4Addr;

use crate::{Shared, Subnet};

/// Finds the subnet of an address with one look-up for each length of prefix that is in use.
#[derive(Debug, Default)]
pub(super) struct Networks {
    lengths: Vec<u8>, // Longest first.
    by_prefix: HashMap<(u8, u32), usize>,
    /// For each subnet the places of all on its VLAN, itself first.
    together: Vec<Vec<usize>>,
}

impl Networks {
    pub(super) fn of(subnets: &[Shared<Subnet>]) -> Self {
        let mut networks = Self::default();
        let mut by_vlan: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, subnet) in subnets.iter().enumerate() {
            let length = subnet.cidr.prefix_len();
            let prefix = (length, subnet.cidr.network().to_bits());
            networks.by_prefix.entry(prefix).or_insert(at);
            networks.lengths.push(length);
            by_vlan.entry(&subnet.vlan).or_default().push(at);
        }
        networks.lengths.sort_unstable_by(|a, b| b.cmp(a));
        networks.lengths.dedup();
        networks.together = subnets
            .iter()
            .enumerate()
            .map(|(at, subnet)| {
                // A subnet of no VLAN is alone on its link.
                let all = by_vlan.get(&*subnet.vlan).filter(|_| !subnet.vlan.is_empty());
                let others = all.into_iter().flatten().copied().filter(|it| *it != at);
                std::iter::once(at).chain(others).collect()
            })
            .collect();
        networks
    }

    /// The longest prefix wins.
    pub(super) fn find(&self, address: Ipv4Addr) -> Option<usize> {
        self.holding(address).next()
    }

    /// Every subnet around an address, the longest prefix first.
    pub(super) fn holding(&self, address: Ipv4Addr) -> impl Iterator<Item = usize> {
        self.lengths.iter().filter_map(move |length| {
            let mask = u32::MAX.checked_shl(32 - u32::from(*length)).unwrap_or(0);
            self.by_prefix.get(&(*length, address.to_bits() & mask)).copied()
        })
    }

    pub(super) fn together(&self, subnet: usize) -> &[usize] {
        self.together.get(subnet).map_or(&[], Vec::as_slice)
    }
}
