//! The IPv6 side of what is served: links, and what their Router Advertisements say.

use std::net::Ipv4Addr;

use ironherd_proto::Link;
use ironherd_proto::dhcp6::{Link6, subnets_on};
use ironherd_snapshot::{Index, Shared, Snapshot, Subnet6};
use ironherd_uring::Interface;
use ironherd_wire::icmpv6::{Advertisement, Prefix};

use super::{UrlPorts, View};

/// One interface that DHCPv6 answers on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served6 {
    pub(crate) link: Link6,
    pub(crate) interface: Interface,
}

/// Chooses the interfaces that an IPv6 subnet is on: by our address there, else by the VLAN of
/// its IPv4 subnet. Where interfaces are named, only those.
pub(crate) fn serve6(
    snapshot: &Snapshot,
    interfaces: &[Interface],
    named: &[String],
    ports: UrlPorts,
) -> Vec<Served6> {
    let choose = |interface: &Interface| {
        let wanted = named.is_empty() || named.contains(&interface.name);
        if !wanted || !interface.is_up || interface.index == 0 {
            return None;
        }
        let vlans = || snapshot.subnets6.iter().map(|it| it.vlan.as_str());
        let v4 = |address: &&Ipv4Addr| {
            let mut subnets = snapshot.subnets.iter().filter(|it| it.cidr.contains(*address));
            subnets.any(|it| !it.vlan.is_empty() && vlans().any(|vlan| vlan == it.vlan))
        };
        let v4 = interface.addresses.iter().find(v4).copied();
        let v6 = interface.addresses6.iter();
        let mut v6 = v6.filter(|ours| snapshot.subnets6.iter().any(|it| it.cidr.contains(*ours)));
        if v4.is_none() && v6.next().is_none() {
            return None;
        }
        let UrlPorts { http: http_port, gateway: gateway_port } = ports;
        let address = v4.or(interface.addresses.first().copied()).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let index = interface.index;
        let link = Link { index, address, host6: None, http_port, gateway_port };
        let link_local = interface.link_local;
        let link = Link6 { link, link_local, addresses: interface.addresses6.clone() };
        Some(Served6 { link, interface: interface.clone() })
    };
    interfaces.iter().filter_map(choose).collect()
}

impl View {
    /// What each served interface advertises. A link without an IPv6 subnet gets what ends the
    /// wait of those who ask, and nothing more.
    pub(crate) fn advertisements(&self) -> Vec<(Interface, Advertisement)> {
        let with_subnets = self.links6.iter().filter_map(|it| {
            let said = advertisement(&self.index, &subnets_on(&self.index, &it.link))?;
            Some((it.interface.clone(), said))
        });
        let has_subnet = |index| self.links6.iter().any(|it| it.interface.index == index);
        let plain = self.links.iter().filter(|it| !has_subnet(it.interface.index));
        let plain = plain.map(|it| (it.interface.clone(), Advertisement::default()));
        with_subnets.chain(plain).collect()
    }
}

/// `None`: every subnet of the link has them off.
fn advertisement(index: &Index, places: &[usize]) -> Option<Advertisement> {
    let all = &index.snapshot().subnets6;
    let subnets: Vec<&Shared<Subnet6>> = places.iter().filter_map(|it| all.get(*it)).collect();
    let on = || subnets.iter().filter(|it| it.router_advertisement.enabled);
    let lifetime = on().map(|it| it.router_advertisement.router_lifetime_seconds).max()?;
    let prefix = |it: &&Shared<Subnet6>| Prefix {
        address: it.cidr.network(),
        len: it.cidr.prefix_len(),
        // Only 64 bits leave room for what clients make of their card (RFC 4862 §5.5.3).
        autonomous: it.router_advertisement.autonomous && it.cidr.prefix_len() == 64,
        valid_seconds: it.valid_seconds,
        preferred_seconds: it.preferred_seconds.min(it.valid_seconds),
    };
    Some(Advertisement {
        router_lifetime_seconds: lifetime,
        managed: subnets.iter().any(|it| !it.ranges.is_empty() || !it.reservations.is_empty()),
        other: true,
        prefixes: on().map(prefix).collect(),
    })
}

#[cfg(test)]
mod tests {
    use ironherd_snapshot::{Range6, RouterAdvertisement, Subnet};

    use super::*;

    fn subnet6(cidr: &str, vlan: &str, router_advertisement: RouterAdvertisement) -> Subnet6 {
        let first = std::net::Ipv6Addr::LOCALHOST;
        Subnet6 {
            vlan: vlan.to_owned(),
            cidr: cidr.parse().unwrap(),
            ranges: vec![Range6 { first, last: first }],
            preferred_seconds: 300,
            valid_seconds: 600,
            router_advertisement,
            ..Subnet6::default()
        }
    }

    fn view(subnets6: Vec<Subnet6>, interfaces: &[Interface], named: &[String]) -> View {
        let v4 = Subnet {
            vlan: "lan".to_owned(),
            cidr: "10.77.0.0/24".parse().unwrap(),
            ..Subnet::default()
        };
        let subnets6 = subnets6.into_iter().map(Shared::from).collect();
        let snapshot = Snapshot { subnets: vec![v4.into()], subnets6, ..Snapshot::default() };
        let links6 = serve6(&snapshot, interfaces, named, UrlPorts::default());
        let links = super::super::serve(&snapshot, interfaces.to_vec(), named, UrlPorts::default());
        View { index: Index::new(snapshot), links, links6, ..View::default() }
    }

    fn interface(name: &str, index: u32, v4: &str, v6: &str) -> Interface {
        Interface {
            name: name.to_owned(),
            index,
            is_up: true,
            addresses: v4.parse().into_iter().collect(),
            addresses6: v6.parse().into_iter().collect(),
            ..Interface::default()
        }
    }

    #[test]
    fn interfaces_are_served_by_address_or_by_vlan() {
        let all = [
            interface("eth0", 2, "10.77.0.1", ""),
            interface("eth1", 3, "", "fd77::1"),
            interface("eth2", 4, "192.0.2.1", "fd99::1"),
            Interface { is_up: false, ..interface("eth3", 5, "", "fd77::2") },
        ];
        let rows = [
            ("lan", &[][..], &[2, 3][..]),
            ("other", &[], &[3]),
            ("lan", &["eth1"], &[3]),
            ("lan", &["eth2"], &[]),
        ];
        for (vlan, named, want) in rows {
            let named: Vec<String> = named.iter().map(|it| (*it).to_owned()).collect();
            let on = RouterAdvertisement::default();
            let view = view(vec![subnet6("fd77::/64", vlan, on)], &all, &named);
            let got: Vec<_> = view.links6.iter().map(|it| it.link.link.index).collect();
            assert_eq!(got, want, "{vlan} {named:?}");
        }
    }

    #[test]
    fn a_link_advertises_what_its_subnets_say() {
        let eth0 = [interface("eth0", 2, "10.77.0.1", "fd77::1")];
        let on = RouterAdvertisement::default();
        let said = |subnets| {
            let all = view(subnets, &eth0, &[]).advertisements();
            all.into_iter().map(|it| it.1).collect::<Vec<_>>()
        };
        assert_eq!(said(vec![]), [Advertisement::default()], "as without any IPv6 subnet");
        let off = RouterAdvertisement { enabled: false, ..on };
        assert_eq!(said(vec![subnet6("fd77::/64", "lan", off)]), []);
        let slaac = RouterAdvertisement { router_lifetime_seconds: 1800, autonomous: true, ..on };
        let subnets = vec![
            subnet6("fd77::/64", "lan", on),
            subnet6("fd78::/48", "lan", slaac),
            subnet6("fd79::/64", "lan", slaac),
            subnet6("fd80::/64", "lan", off),
            subnet6("fd81::/64", "other", on),
        ];
        let [said] = &said(subnets)[..] else { panic!("one link") };
        assert_eq!((said.router_lifetime_seconds, said.managed, said.other), (1800, true, true));
        let prefixes: Vec<_> =
            said.prefixes.iter().map(|it| (it.address.to_string(), it.autonomous)).collect();
        let want = [("fd77::", false), ("fd78::", false), ("fd79::", true)];
        assert_eq!(prefixes, want.map(|(it, autonomous)| (it.to_owned(), autonomous)));
    }
}
