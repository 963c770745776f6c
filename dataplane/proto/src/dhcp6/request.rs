use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::sync::Arc;

use ironherd_leases::v6::{Association, Block, Kind};
use ironherd_snapshot::{ClassSet, DhcpMode, Index, Lookup, Mac, Machine, Reservation6, Subnet6};
use ironherd_wire::dhcp6::{CLIENT_PORT, Message, MessageType, Relayed, SERVER_PORT, eui64_mac};
use ironherd_wire::error::Dhcp6Error;

use super::classes::Shown;
use super::{Datagram6, Link6, Reply6};
use crate::boot::Client;
use crate::{DropReason, Link};

/// One client's message with all that is known around it.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) index: &'a Index,
    pub(super) link: &'a Link6,
    pub(super) relayed: Relayed<'a>,
    pub(super) message: Message<'a>,
    /// Empty where the client names none (INFORMATION-REQUEST may).
    pub(super) duid: Arc<[u8]>,
    /// The client's card, if anything tells it.
    pub(super) mac: Option<Mac>,
    pub(super) machine: Option<&'a Machine>,
    pub(super) classes: ClassSet,
    pub(super) client: Client,
    /// Places of the subnets on the client's link; never empty.
    pub(super) subnets: Vec<usize>,
    pub(super) reply: Reply6,
}

impl<'a> Request<'a> {
    pub(super) fn parse(
        index: &'a Index,
        link: &'a Link6,
        datagram: &Datagram6<'a>,
    ) -> Result<Self, DropReason> {
        let relayed = Relayed::open(datagram.payload).map_err(refused)?;
        let message = Message::parse(relayed.message).map_err(refused)?;
        if !message.kind.is_from_client() {
            return Err(DropReason::Dhcp6NotRequest);
        }
        // Clients speak to the group of all servers (RFC 9915 §18.3); relays may know one.
        if relayed.is_direct() && !datagram.destination.is_multicast() {
            return Err(DropReason::Dhcp6Unicast);
        }
        let reply = reply_to(link, &relayed, datagram)?;
        let client_id = message.client_id();
        if client_id.is_none() && message.kind != MessageType::InformationRequest {
            return Err(DropReason::Dhcp6ClientId);
        }
        let subnets = subnets(index, link, &relayed);
        let first = subnets.first().and_then(|it| index.snapshot().subnets6.get(*it));
        match index.mode6_of(first.ok_or(DropReason::Dhcp6NoSubnet)?) {
            DhcpMode::Off => return Err(DropReason::Dhcp6Off),
            // There is no proxy DHCPv6: beside a foreign server only questions are answered.
            DhcpMode::Proxy if message.kind != MessageType::InformationRequest => {
                return Err(DropReason::Dhcp6Off);
            }
            DhcpMode::Proxy | DhcpMode::Full | DhcpMode::Auto => {}
        }
        let heard = relayed.innermost().map_or(*datagram.source.ip(), |it| it.peer);
        let mac = relayed
            .ethernet()
            .or_else(|| eui64_mac(heard).filter(|_| heard.is_unicast_link_local()))
            .or_else(|| client_id?.ethernet())
            .map(Mac);
        let uuid = client_id.and_then(|it| it.uuid());
        let machine = machine(index, mac, uuid);
        let shown = Shown { message: &message, relayed: &relayed, mac };
        let classes = shown.classes(index);
        let client = client(&message);
        let duid = client_id.map_or_else(|| Arc::from([]), |it| Arc::from(it.bytes()));
        Ok(Self {
            index,
            link,
            relayed,
            message,
            duid,
            mac,
            machine,
            classes,
            client,
            subnets,
            reply,
        })
    }

    pub(super) fn subnet(&self, at: usize) -> Option<&'a Subnet6> {
        Some(self.index.snapshot().subnets6.get(at)?)
    }

    /// The subnet of the client's link that an address belongs to.
    pub(super) fn subnet_of(&self, address: Ipv6Addr) -> Option<usize> {
        let holds = |at: &usize| self.subnet(*at).is_some_and(|it| it.cidr.contains(&address));
        self.subnets.iter().copied().find(holds)
    }

    pub(super) fn reservation(&self, subnet: usize) -> Option<&'a Reservation6> {
        self.index.reservation6(subnet, &self.duid, self.mac)
    }

    /// What is reserved for the client in one subnet, of one kind.
    pub(super) fn reserved(&self, subnet: usize, kind: Kind) -> Option<Block> {
        let reservation = self.reservation(subnet)?;
        match kind {
            Kind::Address => reservation.address.map(Block::address),
            Kind::Prefix => {
                let prefix = reservation.prefix?;
                Some(Block { address: prefix.network(), len: prefix.prefix_len() })
            }
        }
    }

    pub(super) fn association(&self, iaid: u32, kind: Kind) -> Association {
        Association { duid: Arc::clone(&self.duid), iaid, kind }
    }

    /// The card that scripts and events name: one of the machine's if none was shown.
    pub(super) fn card(&self) -> Option<Mac> {
        self.mac.or_else(|| self.machine?.macs.first().copied())
    }

    /// The link as URLs for this client see it; `None` where it could reach no address of ours.
    pub(super) fn link_for_urls(&self, subnet: Option<usize>) -> Option<Link> {
        let near = |it: &&Ipv6Addr| {
            subnet.and_then(|at| self.subnet(at)).is_some_and(|net| net.cidr.contains(*it))
        };
        let addresses = &self.link.addresses;
        let asked = Some(&self.reply.source).filter(|it| !it.is_unspecified());
        let asked = asked.filter(|it| !it.is_unicast_link_local());
        let link_local = self.link.link_local.as_ref().filter(|_| self.relayed.is_direct());
        let host = addresses.iter().find(near).or(asked).or(addresses.first()).or(link_local)?;
        Some(Link { host6: Some(*host), ..self.link.link })
    }
}

fn refused(error: Dhcp6Error) -> DropReason {
    match error {
        Dhcp6Error::Truncated | Dhcp6Error::EmptyEnvelope => DropReason::Dhcp6Malformed,
        Dhcp6Error::MessageType => DropReason::Dhcp6NotRequest,
        Dhcp6Error::TooDeep => DropReason::Dhcp6TooDeep,
    }
}

/// Replies go back to whom we heard: to the client's port, or to the relay's (RFC 8357).
fn reply_to(
    link: &Link6,
    relayed: &Relayed<'_>,
    datagram: &Datagram6<'_>,
) -> Result<Reply6, DropReason> {
    let source = *datagram.source.ip();
    if source.is_unspecified() || source.is_multicast() || source.is_loopback() {
        return Err(DropReason::Dhcp6NoDestination);
    }
    let port = match (relayed.is_direct(), relayed.has_own_port()) {
        (true, _) => CLIENT_PORT,
        (false, true) => datagram.source.port(),
        (false, false) => SERVER_PORT,
    };
    let near = source.is_unicast_link_local();
    let scope = if near { link.link.index } else { 0 };
    let ours = datagram.destination;
    let from = match link.link_local {
        Some(ours) if near => ours,
        _ if ours.is_multicast() => Ipv6Addr::UNSPECIFIED,
        _ => ours,
    };
    Ok(Reply6 {
        link: link.link.index,
        to: SocketAddrV6::new(source, port, 0, scope),
        source: from,
    })
}

/// The subnets on the client's link: by the address that its relay tells, else on ours.
fn subnets(index: &Index, link: &Link6, relayed: &Relayed<'_>) -> Vec<usize> {
    match relayed.link() {
        Some(address) => places(index, &[address], None),
        None => subnets_on(index, link),
    }
}

/// The places of the subnets on a link: those of our addresses there, and those that share their
/// VLAN. A link without an IPv6 address of ours has the VLAN of its IPv4 subnet.
#[must_use]
pub fn subnets_on(index: &Index, link: &Link6) -> Vec<usize> {
    places(index, &link.addresses, Some(link.link.address))
}

fn places(index: &Index, told: &[Ipv6Addr], v4: Option<Ipv4Addr>) -> Vec<usize> {
    let mut places: Vec<usize> =
        told.iter().filter_map(|it| index.subnet6_of(*it)).map(|it| it.0).collect();
    let mut vlans: Vec<&str> = places
        .iter()
        .filter_map(|it| index.snapshot().subnets6.get(*it))
        .map(|it| it.vlan.as_str())
        .collect();
    if places.is_empty() {
        let v4 = v4.and_then(|it| index.subnet_of(it));
        vlans.extend(v4.map(|(_, subnet)| subnet.vlan.as_str()));
    }
    for vlan in vlans {
        places.extend_from_slice(index.subnets6_on(vlan));
    }
    let mut seen = Vec::with_capacity(places.len());
    places.retain(|it| {
        let is_new = !seen.contains(it);
        seen.push(*it);
        is_new
    });
    places
}

/// The machine of a card, else of a UUID in either byte order: iPXE writes that of the text form,
/// EDK2 that of SMBIOS.
fn machine(index: &Index, mac: Option<Mac>, uuid: Option<[u8; 16]>) -> Option<&Machine> {
    let swapped = uuid.map(|it| {
        let [a, b, c, d, e, f, g, h, rest @ ..] = it;
        let mut swapped = [d, c, b, a, f, e, h, g, 0, 0, 0, 0, 0, 0, 0, 0];
        swapped[8..].copy_from_slice(&rest);
        swapped
    });
    let find = |uuid| match index.machine(mac.unwrap_or_default(), uuid) {
        Lookup::Known(machine) => Some(machine),
        Lookup::Unknown => None,
    };
    find(uuid).or_else(|| find(swapped))
}

/// Tells the program by its user class (15) and vendor class (16).
fn client(message: &Message<'_>) -> Client {
    if message.has_user_class(b"iPXE") {
        Client::Ipxe
    } else if message.has_vendor_class(b"PXEClient") {
        Client::Pxe
    } else if message.has_vendor_class(b"HTTPClient") {
        Client::Http
    } else {
        Client::Plain
    }
}

/// Our address as text that a URL takes.
pub(super) fn url_host(host: IpAddr) -> String {
    match host {
        IpAddr::V4(host) => host.to_string(),
        IpAddr::V6(host) => format!("[{host}]"),
    }
}
