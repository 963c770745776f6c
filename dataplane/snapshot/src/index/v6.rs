//! IPv6: subnets by address and VLAN, reservations by client and by what is reserved.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use super::Index;
use crate::{DhcpMode, Mac, Reservation6, ReservationKey6, Snapshot, Subnet6};

/// The tables of one snapshot's IPv6 side.
#[derive(Debug, Default)]
pub(super) struct Networks6 {
    by_vlan: HashMap<String, Vec<usize>>,
    by_client: HashMap<(usize, ReservationKey6), usize>, // -> place in the subnet's reservations.
    by_address: HashMap<Ipv6Addr, (usize, usize)>,       // -> subnet, place.
    prefixes: Vec<(Ipv6Net, (usize, usize))>,            // Reserved ones: seldom many.
}

impl Networks6 {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut networks = Self::default();
        for (at, subnet) in snapshot.subnets6.iter().enumerate() {
            if !subnet.vlan.is_empty() {
                networks.by_vlan.entry(subnet.vlan.clone()).or_default().push(at);
            }
            for (place, reservation) in subnet.reservations.iter().enumerate() {
                networks.by_client.entry((at, reservation.key.clone())).or_insert(place);
                if let Some(address) = reservation.address {
                    networks.by_address.entry(address).or_insert((at, place));
                }
                if let Some(prefix) = reservation.prefix {
                    networks.prefixes.push((prefix.trunc(), (at, place)));
                }
            }
        }
        networks
    }
}

impl Index {
    /// The IPv6 subnet that holds `address`, with its place; the longest prefix wins.
    #[must_use]
    pub fn subnet6_of(&self, address: Ipv6Addr) -> Option<(usize, &Subnet6)> {
        let subnets = self.snapshot.subnets6.iter().enumerate();
        let held = subnets.filter(|(_, subnet)| subnet.cidr.contains(&address));
        let narrowest = held.max_by_key(|(_, subnet)| subnet.cidr.prefix_len());
        narrowest.map(|(at, subnet)| (at, &**subnet))
    }

    /// The places of the IPv6 subnets that share a VLAN.
    #[must_use]
    pub fn subnets6_on(&self, vlan: &str) -> &[usize] {
        self.networks6.by_vlan.get(vlan).map_or(&[], Vec::as_slice)
    }

    /// What DHCP does where an IPv6 subnet is.
    #[must_use]
    pub fn mode6_of(&self, subnet: &Subnet6) -> DhcpMode {
        self.vlan(&subnet.vlan).map_or(DhcpMode::Full, |it| it.mode)
    }

    /// The reservation of one client in the IPv6 subnet at this place. The card goes first.
    #[must_use]
    pub fn reservation6(
        &self,
        subnet: usize,
        duid: &[u8],
        mac: Option<Mac>,
    ) -> Option<&Reservation6> {
        let all = &self.snapshot.subnets6.get(subnet)?.reservations;
        if all.is_empty() {
            return None;
        }
        let place = |key| self.networks6.by_client.get(&(subnet, key));
        let by_mac = mac.and_then(|it| place(ReservationKey6::Mac(it)));
        let by_duid = || place(ReservationKey6::Duid(duid.to_vec()));
        all.get(*by_mac.or_else(by_duid)?)
    }

    /// The reservation that an address (`len` 128) or prefix belongs to; of prefixes any that
    /// shares addresses with it.
    #[must_use]
    pub fn reservation6_at(&self, address: Ipv6Addr, len: u8) -> Option<&Reservation6> {
        let (subnet, place) = if len == 128 {
            *self.networks6.by_address.get(&address)?
        } else {
            let wanted = Ipv6Net::new(address, len).ok()?;
            let shares = |it: &Ipv6Net| it.contains(&wanted) || wanted.contains(it);
            self.networks6.prefixes.iter().find(|it| shares(&it.0))?.1
        };
        self.snapshot.subnets6.get(subnet)?.reservations.get(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ScopeOptions, Vlan};

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn reservation(key: ReservationKey6, address: &str, prefix: Option<&str>) -> Reservation6 {
        Reservation6 {
            key,
            address: Some(address.parse().unwrap()),
            prefix: prefix.map(|it| it.parse().unwrap()),
            hostname: None,
            options: ScopeOptions::NONE,
        }
    }

    fn index() -> Index {
        let subnet = |cidr: &str, vlan: &str, reservations| Subnet6 {
            id: cidr.to_owned(),
            cidr: cidr.parse().unwrap(),
            vlan: vlan.to_owned(),
            reservations,
            ..Subnet6::default()
        };
        let by_mac = reservation(ReservationKey6::Mac(MAC), "fd00::10", Some("fd10:0:0:100::/56"));
        let by_duid = reservation(ReservationKey6::Duid(vec![0, 4, 7]), "fd00::20", None);
        let off = Vlan { id: "2".to_owned(), mode: DhcpMode::Off, ..Vlan::default() };
        Index::new(Snapshot {
            vlans: vec![off],
            subnets6: vec![
                subnet("fd00::/16", "1", Vec::new()).into(),
                subnet("fd00::/64", "1", vec![by_mac, by_duid]).into(),
                subnet("fd02::/64", "2", Vec::new()).into(),
                subnet("fd03::/64", "", Vec::new()).into(),
            ],
            ..Snapshot::default()
        })
    }

    #[test]
    fn subnets_are_found_by_address_and_by_vlan() {
        let index = index();
        let rows =
            [("fd00::9", Some(1)), ("fd00:1::9", Some(0)), ("fd03::1", Some(3)), ("::1", None)];
        for (address, want) in rows {
            let got = index.subnet6_of(address.parse().unwrap()).map(|it| it.0);
            assert_eq!(got, want, "{address}");
        }
        assert_eq!(index.subnets6_on("1"), [0, 1]);
        assert!(index.subnets6_on("").is_empty(), "no VLAN is none in common");
        let mode = |place: usize| index.mode6_of(&index.snapshot().subnets6[place]);
        assert_eq!((mode(0), mode(2)), (DhcpMode::Full, DhcpMode::Off));
    }

    #[test]
    fn reservations_are_found_by_client_and_by_what_is_reserved() {
        let index = index();
        let of = |subnet, duid: &[u8], mac| index.reservation6(subnet, duid, mac)?.address;
        let address = |text: &str| Some(text.parse::<Ipv6Addr>().unwrap());
        assert_eq!(of(1, &[9], Some(MAC)), address("fd00::10"));
        assert_eq!(of(1, &[0, 4, 7], Some(MAC)), address("fd00::10"), "the card goes first");
        assert_eq!(of(1, &[0, 4, 7], None), address("fd00::20"));
        assert_eq!(of(1, &[0, 4, 8], None), None);
        assert_eq!(of(0, &[0, 4, 7], Some(MAC)), None, "another subnet");
        let rows = [
            ("fd00::20", 128, true),
            ("fd00::21", 128, false),
            ("fd10:0:0:100::", 56, true),
            ("fd10:0:0:1ff::", 64, true),
            ("fd10::", 48, true),
            ("fd10:0:0:200::", 64, false),
        ];
        for (address, len, want) in rows {
            let got = index.reservation6_at(address.parse().unwrap(), len).is_some();
            assert_eq!(got, want, "{address}/{len}");
        }
    }
}
