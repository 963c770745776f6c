//! What a shard answers from: one value, swapped between two turns.

mod v6;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use ironherd_proto::script::grub_config;
use ironherd_proto::token::Stamp;
use ironherd_proto::{FileRef, Files, Link, Made};
use ironherd_snapshot::{Index, Mac, Snapshot};
use ironherd_uring::Interface;

use crate::cache::Catalog;
use crate::cards6::Cards6;
use crate::holders::Holders;
pub(crate) use v6::{Served6, serve6};

/// The snapshot, the files that are here, and the interfaces to answer on.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) index: Index,
    pub(crate) catalog: Catalog,
    pub(crate) links: Vec<Served>,
    pub(crate) links6: Vec<Served6>,
    /// Outlives every view: leases do not end with a snapshot.
    pub(crate) cards6: Arc<Cards6>,
}

/// One interface that the rack answers on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) link: Link,
    pub(crate) interface: Interface,
}

/// The ports that links hand out in URLs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UrlPorts {
    pub(crate) http: u16,
    pub(crate) gateway: u16,
}

impl View {
    /// Indexes a snapshot with only those files that are here: no script shall name another. What
    /// is as it was before is taken over.
    pub(crate) fn new(
        snapshot: &Snapshot,
        cache: &Path,
        before: &Self,
        links: Vec<Served>,
    ) -> Self {
        let catalog = Catalog::open(cache, &snapshot.files, &before.catalog);
        let mut snapshot = snapshot.clone();
        snapshot.files.retain(|it| catalog.holds(it));
        Self { index: Index::after(&before.index, snapshot), catalog, links, ..Self::default() }
    }

    /// Our address on each interface, as text.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.links.iter().map(|it| it.link.address.to_string()).collect()
    }

    pub(crate) fn by_interface(&self, index: u32) -> Option<&Served> {
        self.links.iter().find(|it| it.link.index == index)
    }

    /// The link that a connection to `local` came in on: any address of a served interface.
    /// Our other addresses reach us, too, for the sockets are bound to all, but get no answer.
    pub(crate) fn by_address(&self, local: IpAddr, ports: UrlPorts) -> Option<Link> {
        let served = self.links.iter().find(|it| it.interface.holds(local));
        let link = served.map(|it| it.link);
        let served6 = || self.links6.iter().find(|it| it.interface.holds(local));
        let Link { index, address: ours, .. } = link.or_else(|| Some(served6()?.link.link))?;
        let UrlPorts { http: http_port, gateway: gateway_port } = ports;
        let (address, host6) = match local {
            IpAddr::V4(local) => (local, None),
            IpAddr::V6(local) => (ours, Some(local)),
        };
        Some(Link { index, address, host6, http_port, gateway_port })
    }
}

/// Chooses the interfaces to serve, and the address to answer with on each.
pub(crate) fn serve(
    snapshot: &Snapshot,
    interfaces: Vec<Interface>,
    named: &[String],
    ports: UrlPorts,
) -> Vec<Served> {
    let in_a_subnet =
        |address: &&Ipv4Addr| snapshot.subnets.iter().any(|it| it.cidr.contains(*address));
    let choose = |interface: Interface| {
        let ours = interface.addresses.iter().find(in_a_subnet);
        let wanted = match named {
            [] => ours,
            _ if named.contains(&interface.name) => ours.or(interface.addresses.first()),
            _ => None,
        };
        let address = *wanted.filter(|_| interface.is_up && interface.index != 0)?;
        let UrlPorts { http: http_port, gateway: gateway_port } = ports;
        let link = Link { index: interface.index, address, host6: None, http_port, gateway_port };
        Some(Served { link, interface })
    };
    interfaces.into_iter().filter_map(choose).collect()
}

/// The files as one request sees them: the cache, and GRUB configurations made on the spot.
pub(crate) struct Shelf<'a> {
    pub(crate) view: &'a View,
    /// Where the request came in; scripts name its address.
    pub(crate) link: Link,
    pub(crate) peer: IpAddr,
    pub(crate) holders: Holders<'a>,
    pub(crate) stamp: Stamp,
}

impl Shelf<'_> {
    fn grub_config(&self, mac: Mac) -> Made {
        if !self.holders.owns(self.peer, mac) {
            return Made::NotHolder;
        }
        let script = grub_config(&self.view.index, &self.link, mac, self.stamp);
        Made::Script { mac, script }
    }
}

impl Files for Shelf<'_> {
    fn open(&self, name: &str) -> Option<FileRef> {
        self.view.catalog.named(name).cloned()
    }

    fn made(&self, name: &str) -> Option<Made> {
        let mac = match grub_config_of(name)? {
            GrubConfig::Card(mac) => mac,
            GrubConfig::Client => self.holders.card_of(self.peer)?,
        };
        Some(self.grub_config(mac))
    }

    fn by_digest(&self, sha256: &str) -> Option<FileRef> {
        self.view.catalog.digested(sha256).cloned()
    }

    fn is_arriving(&self, name_or_sha256: &str) -> bool {
        self.view.catalog.is_arriving(name_or_sha256)
    }
}

/// Whose configuration GRUB asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GrubConfig {
    Card(Mac),
    /// A plain `grub.cfg`: that of whoever asks.
    Client,
}

/// GRUB tries `grub.cfg-01-<mac>` (01 is Ethernet), then shorter and shorter address forms, then
/// `grub.cfg`; each in the folder of its prefix.
fn grub_config_of(name: &str) -> Option<GrubConfig> {
    let last = name.rsplit('/').next()?;
    let rest = last.strip_prefix("grub.cfg")?;
    if rest.is_empty() {
        return Some(GrubConfig::Client);
    }
    let rest = rest.strip_prefix('-')?;
    let mac = if rest.len() == 20 { rest.strip_prefix("01-")? } else { rest };
    // With separators only: `0A4D0089` and the like are addresses.
    if mac.len() != 17 {
        return None;
    }
    mac.parse().ok().map(GrubConfig::Card)
}

#[cfg(test)]
mod tests {
    use ironherd_snapshot::Subnet;

    use super::*;

    #[test]
    fn grub_names_a_card_or_nobody() {
        let mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x10]);
        let rows = [
            ("grub.cfg-01-52-54-00-77-00-10", Some(GrubConfig::Card(mac))),
            ("boot/grub/grub.cfg-01-52-54-00-77-00-10", Some(GrubConfig::Card(mac))),
            ("grub/grub.cfg-52:54:00:77:00:10", Some(GrubConfig::Card(mac))),
            ("grub/grub.cfg", Some(GrubConfig::Client)),
            ("grub/grub.cfg-0A4D0089", None),
            ("grub/grub.cfg-52540077", None),
            ("grub/grub.cfg-06-52-54-00-77-00-10", None),
            ("grub/grub.cfgx", None),
            ("grub/x86_64-efi/normal.mod", None),
            ("", None),
        ];
        for (name, want) in rows {
            assert_eq!(grub_config_of(name), want, "{name}");
        }
    }

    #[test]
    fn interfaces_are_served_by_subnet_or_by_name() {
        let subnet = Subnet {
            id: "1".to_owned(),
            cidr: "10.77.0.0/24".parse().unwrap(),
            lease_seconds: 600,
            ..Subnet::default()
        };
        let snapshot = Snapshot { subnets: vec![subnet.into()], ..Snapshot::default() };
        let interface = |name: &str, index: u32, addresses: &[[u8; 4]], is_up| Interface {
            name: name.to_owned(),
            index,
            addresses: addresses.iter().map(|it| Ipv4Addr::from(*it)).collect(),
            is_up,
            ..Interface::default()
        };
        let all = [
            interface("lo", 1, &[[127, 0, 0, 1]], true),
            interface("eth0", 2, &[[192, 0, 2, 9], [10, 77, 0, 1]], true),
            interface("eth1", 3, &[[192, 0, 2, 10]], true),
            interface("eth2", 4, &[[10, 77, 0, 2]], false),
        ];
        let rows = [
            (&[][..], &[(2, [10, 77, 0, 1])][..]),
            (&["eth0"], &[(2, [10, 77, 0, 1])]),
            (&["eth1", "lo"], &[(1, [127, 0, 0, 1]), (3, [192, 0, 2, 10])]),
            (&["eth2", "eth9"], &[]),
        ];
        for (named, want) in rows {
            let named: Vec<String> = named.iter().map(|it| (*it).to_owned()).collect();
            let served = serve(&snapshot, all.to_vec(), &named, UrlPorts::default());
            let got: Vec<_> =
                served.iter().map(|it| (it.link.index, it.link.address.octets())).collect();
            assert_eq!(got, want, "{named:?}");
            let view = View { links: served, ..View::default() };
            for interface in &all {
                for address in &interface.addresses {
                    let link = view.by_address((*address).into(), UrlPorts::default());
                    let is_served = want.iter().any(|(index, _)| *index == interface.index);
                    assert_eq!(link.is_some(), is_served, "{named:?}, {address}");
                }
            }
        }
    }
}
