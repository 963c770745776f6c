use std::net::{IpAddr, Ipv6Addr};

use ironherd_leases::Claims;
use ironherd_snapshot::{DhcpMode, Index, Mac, Reservation, ReservationKey6};
use ironherd_wire::dhcp6::eui64_mac;

use crate::cards6::Cards6;

/// Which address belongs to which card: by lease, or by the operator's word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holders<'a> {
    pub(crate) index: &'a Index,
    /// Of all shards: who asks may be another shard's DHCP client. Absent while this rack serves no
    /// DHCP.
    pub(crate) leases: Option<&'a Claims>,
    pub(crate) cards6: &'a Cards6,
}

impl Holders<'_> {
    /// The card that holds an address by a lease that runs. An offer binds nobody yet, and a free
    /// or quarantined address only remembers who had it.
    pub(crate) fn card_of(&self, address: IpAddr) -> Option<Mac> {
        let address = match address.to_canonical() {
            IpAddr::V4(address) => address,
            IpAddr::V6(address) => return self.card_of6(address),
        };
        self.leases?.bound_to(address)
    }

    /// Whether a script made for this card, which carries its machine's token, may go to `peer`.
    ///
    /// Where another server gives the addresses (modes PROXY and AUTO) nothing says whose one is:
    /// whoever asks from an address that is not known to be another's is served. Networks that the
    /// snapshot does not know are served nothing.
    pub(crate) fn owns(&self, peer: IpAddr, mac: Mac) -> bool {
        let address = match peer.to_canonical() {
            IpAddr::V4(address) => address,
            IpAddr::V6(address) => return self.owns6(address, mac),
        };
        let holder = self.card_of(peer);
        let reserved = self.index.reservation_at(address).and_then(Reservation::mac);
        if [holder, reserved].contains(&Some(mac)) {
            return true;
        }
        let subnet = self.index.subnet_of(address).map(|(_, it)| it);
        let mode = subnet.and_then(|it| self.index.vlan_of(it)).map(|it| it.mode);
        let beside_another = matches!(mode, Some(DhcpMode::Proxy | DhcpMode::Auto));
        beside_another && holder.is_none() && reserved.is_none()
    }

    /// As over IPv4; an address without a lease may tell its card by itself, if it is one that the
    /// client made on a link of ours (link-local, SLAAC). From elsewhere it is anybody's word.
    fn card_of6(&self, address: Ipv6Addr) -> Option<Mac> {
        let ours = || self.index.subnet6_of(address).is_some();
        let on_a_link = address.is_unicast_link_local() || ours();
        let by_itself = || eui64_mac(address).filter(|_| on_a_link).map(Mac);
        self.cards6.card_of(address).or_else(by_itself)
    }

    fn owns6(&self, address: Ipv6Addr, mac: Mac) -> bool {
        if let Some(holder) = self.card_of6(address) {
            return holder == mac;
        }
        let reserved = self.index.reservation6_at(address, 128).map(|it| &it.key);
        reserved == Some(&ReservationKey6::Mac(mac))
    }
}

#[cfg(test)]
mod tests {
    use ironherd_leases::{Ask, Table};
    use ironherd_snapshot::{ClassSet, Reservation, Snapshot, Subnet, Subnet6, Vlan};

    use super::*;

    const OURS: [u8; 4] = [10, 77, 0, 1];

    fn mac(last: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, last])
    }

    fn index() -> Index {
        let reservation = Reservation::of_card(mac(3), [10, 77, 0, 13].into(), None);
        let subnet = Subnet {
            id: "1".to_owned(),
            cidr: "10.77.0.0/24".parse().unwrap(),
            gateway: None,
            dns_servers: Vec::new(),
            ntp_servers: Vec::new(),
            domain: None,
            mtu: None,
            lease_seconds: 600,
            ranges: vec![ironherd_snapshot::Range::new(
                [10, 77, 0, 20].into(),
                [10, 77, 0, 29].into(),
            )],
            reservations: vec![reservation.into()],
            ..Subnet::default()
        };
        Index::new(Snapshot { subnets: vec![subnet.into()], ..Snapshot::default() })
    }

    #[test]
    fn a_script_goes_to_the_address_of_its_own_card() {
        let index = index();
        let (mut table, _) = Table::recover(&[]);
        table.follow(&index);
        let ask = |last| Ask {
            index: &index,
            subnet: 0,
            mac: mac(last),
            reserved: None,
            ours: OURS.into(),
            classes: ClassSet::NONE,
        };
        table.bind(&ask(1), [10, 77, 0, 20].into(), 600).unwrap();
        table.offer(&ask(2), Some([10, 77, 0, 21].into()), 600).unwrap();
        table.bind(&ask(4), [10, 77, 0, 24].into(), 600).unwrap();
        table.release(mac(4), [10, 77, 0, 24].into(), 1).unwrap();
        // What came back from the journal counts as much as what this run granted.
        let (table, _) = Table::recover(&table.compact());
        let rows: [(&str, [u8; 4], u8, bool); 9] = [
            ("its lease", [10, 77, 0, 20], 1, true),
            ("another's lease", [10, 77, 0, 20], 2, false),
            ("only offered", [10, 77, 0, 21], 2, false),
            ("its reservation", [10, 77, 0, 13], 3, true),
            ("another's reservation", [10, 77, 0, 13], 1, false),
            ("its own card from an address it took", [10, 77, 0, 25], 1, false),
            ("given back", [10, 77, 0, 24], 4, false),
            ("nobody's", [10, 77, 0, 99], 9, false),
            ("a network that nobody told us of", [192, 0, 2, 7], 1, false),
        ];
        for (name, peer, last, want) in rows {
            let holders =
                Holders { index: &index, leases: Some(table.claims()), cards6: &Cards6::default() };
            assert_eq!(holders.owns(IpAddr::from(peer), mac(last)), want, "{name}");
        }
        let holders = Holders { index: &index, leases: None, cards6: &Cards6::default() };
        assert!(holders.owns(IpAddr::from([10, 77, 0, 13]), mac(3)), "without DHCP of our own");
        assert!(!holders.owns(IpAddr::from([10, 77, 0, 20]), mac(1)));
    }

    #[test]
    fn beside_another_server_an_unknown_address_may_be_the_machines() {
        let rows = [
            (DhcpMode::Full, [10, 77, 0, 99], 1, false),
            (DhcpMode::Proxy, [10, 77, 0, 99], 1, true),
            (DhcpMode::Auto, [10, 77, 0, 99], 1, true),
            (DhcpMode::Off, [10, 77, 0, 99], 1, false),
            (DhcpMode::Proxy, [10, 77, 0, 13], 1, false), // Reserved for card 3.
            (DhcpMode::Proxy, [10, 77, 0, 13], 3, true),
            (DhcpMode::Proxy, [192, 0, 2, 7], 1, false),
        ];
        for (mode, peer, last, want) in rows {
            let mut snapshot = index().snapshot().clone();
            snapshot.subnets[0].vlan = "v".to_owned();
            snapshot.vlans = vec![Vlan { id: "v".to_owned(), mode, ..Vlan::default() }];
            let index = Index::new(snapshot);
            let holders = Holders { index: &index, leases: None, cards6: &Cards6::default() };
            assert_eq!(holders.owns(IpAddr::from(peer), mac(last)), want, "{mode:?} {peer:?}");
        }
    }

    #[test]
    fn an_address_over_ipv6_tells_its_card_on_our_links_alone() {
        let subnet = Subnet6 { cidr: "fd77::/64".parse().unwrap(), ..Subnet6::default() };
        let index = Index::new(Snapshot { subnets6: vec![subnet.into()], ..Snapshot::default() });
        let holders = Holders { index: &index, leases: None, cards6: &Cards6::default() };
        let rows = [
            ("fe80::ff:fe00:1", true),
            ("fd77::ff:fe00:1", true),
            ("fd78::ff:fe00:1", false), // An attacker's own prefix.
            ("fd77::1", false),
            ("2001:db8::7", false),
        ];
        for (peer, want) in rows {
            let peer: IpAddr = peer.parse().unwrap();
            assert_eq!(holders.owns(peer, mac(1)), want, "{peer}");
        }
    }

    #[test]
    fn only_a_running_lease_names_a_card() {
        let index = index();
        let (mut table, _) = Table::recover(&[]);
        table.follow(&index);
        let ask = Ask {
            index: &index,
            subnet: 0,
            mac: mac(1),
            reserved: None,
            ours: OURS.into(),
            classes: ClassSet::NONE,
        };
        let address = IpAddr::from([10, 77, 0, 20]);
        let card = |table: &Table| {
            Holders { index: &index, leases: Some(table.claims()), cards6: &Cards6::default() }
                .card_of(address)
        };
        table.offer(&ask, Some([10, 77, 0, 20].into()), 600).unwrap();
        assert_eq!(card(&table), None, "offered");
        table.bind(&ask, [10, 77, 0, 20].into(), 600).unwrap();
        assert_eq!(card(&table), Some(mac(1)), "bound");
        table.decline(&ask, [10, 77, 0, 20].into(), 900).unwrap();
        assert_eq!(card(&table), None, "quarantined");
    }
}
