use std::net::{IpAddr, Ipv6Addr};

use ironherd_leases::Claims;
use ironherd_snapshot::{Index, Mac, Reservation, ReservationKey6};
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
    /// Where none of our subnets is, another server gave the address: nothing is known of it, and
    /// whoever asks is served.
    pub(crate) fn owns(&self, peer: IpAddr, mac: Mac) -> bool {
        let address = match peer.to_canonical() {
            IpAddr::V4(address) => address,
            IpAddr::V6(address) => return self.owns6(address, mac),
        };
        self.card_of(peer) == Some(mac)
            || self.index.reservation_at(address).and_then(Reservation::mac) == Some(mac)
            || self.index.subnet_of(address).is_none()
    }

    /// As over IPv4; an address without a lease may tell its card by itself (link-local, SLAAC).
    fn card_of6(&self, address: Ipv6Addr) -> Option<Mac> {
        self.cards6.card_of(address).or_else(|| eui64_mac(address).map(Mac))
    }

    fn owns6(&self, address: Ipv6Addr, mac: Mac) -> bool {
        if let Some(holder) = self.card_of6(address) {
            return holder == mac;
        }
        let reserved = self.index.reservation6_at(address, 128).map(|it| &it.key);
        let foreign = self.index.subnet6_of(address).is_none();
        reserved == Some(&ReservationKey6::Mac(mac))
            || (foreign && !address.is_unicast_link_local())
    }
}

#[cfg(test)]
mod tests {
    use ironherd_leases::{Ask, Table};
    use ironherd_snapshot::{ClassSet, Reservation, Snapshot, Subnet};

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
            ("another server's network", [192, 0, 2, 7], 1, true),
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
