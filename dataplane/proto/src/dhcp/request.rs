use std::net::{Ipv4Addr, SocketAddrV4};

use ironherd_leases::Ask;
use ironherd_snapshot::{
    ClassSet, DhcpMode, Identity, Index, Lookup, Mac, Machine, Reservation, Subnet, Vlan,
};
use ironherd_wire::dhcp::{Message, MessageType, code};

use super::ServerPort;
use super::classes::classes;
use super::wanted::Wanted;
use crate::boot::Client;
use crate::{DropReason, Link};

/// One client's message with all that is known around it.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) index: &'a Index,
    pub(super) link: &'a Link,
    pub(super) port: ServerPort,
    pub(super) source: SocketAddrV4,
    pub(super) message: Message<'a>,
    pub(super) kind: MessageType,
    pub(super) mac: Mac,
    /// What reservations go by.
    pub(super) identity: Identity<'a>,
    pub(super) client: Client,
    pub(super) wanted: Wanted,
    pub(super) classes: ClassSet,
    pub(super) machine: Option<&'a Machine>,
    /// Who we are to this client: a relay may stand in for us (RFC 5107).
    pub(super) server_id: Ipv4Addr,
    /// Place of the subnet the client is on, if any is ours.
    pub(super) here: Option<usize>,
}

/// The VPN that means "none" (RFC 6607 §3.4).
const GLOBAL_VPN: u8 = 255;

impl<'a> Request<'a> {
    pub(super) fn parse(
        index: &'a Index,
        port: ServerPort,
        source: SocketAddrV4,
        link: &'a Link,
        payload: &'a [u8],
    ) -> Result<Self, DropReason> {
        let message = Message::parse(payload).map_err(|_| DropReason::DhcpMalformed)?;
        if !message.is_request() {
            return Err(DropReason::DhcpNotRequest);
        }
        let mac = Mac(message.ethernet().ok_or(DropReason::DhcpHardware)?);
        let kind = message.message_type().ok_or(DropReason::DhcpMessageType)?;
        let from_server = [MessageType::Offer, MessageType::Ack, MessageType::Nak];
        if from_server.contains(&kind) {
            return Err(DropReason::DhcpMessageType);
        }
        // A relay's word counts only where there is a relay.
        let relayed = !message.giaddr().is_unspecified();
        if relayed && is_of_a_vpn(&message) {
            return Err(DropReason::DhcpOtherVpn);
        }
        let stand_in = message.relay_address(code::relay::SERVER_ID_OVERRIDE);
        let server_id = stand_in.filter(|_| relayed).unwrap_or(link.address);
        let identity = identity(&message, mac, relayed);
        let machine = match index.machine(mac, identity.uuid) {
            Lookup::Known(machine) => Some(machine),
            Lookup::Unknown => None,
        };
        Ok(Self {
            index,
            link,
            port,
            source,
            kind,
            mac,
            identity,
            machine,
            server_id,
            client: Client::of(&message),
            wanted: Wanted::of(&message),
            classes: classes(index, &message, mac, relayed),
            here: here(index, link, &message),
            message,
        })
    }

    pub(super) fn is_relayed(&self) -> bool {
        !self.message.giaddr().is_unspecified()
    }

    /// Whether the client speaks to us, or to nobody in particular.
    pub(super) fn is_for_us(&self) -> bool {
        self.message.server_id().is_none_or(|it| it == self.server_id || it == self.link.address)
    }

    pub(super) fn subnet_here(&self) -> Result<usize, DropReason> {
        self.here.ok_or(DropReason::DhcpNoSubnet)
    }

    /// The subnets of the client's link, its own first.
    pub(super) fn together(&self) -> &'a [usize] {
        self.here.map_or(&[], |it| self.index.subnets_together(it))
    }

    /// The subnet of an address on the client's link.
    pub(super) fn together_of(&self, address: Ipv4Addr) -> Option<usize> {
        let holds = |it: &usize| self.subnet(*it).is_ok_and(|it| it.cidr.contains(&address));
        self.together().iter().copied().find(holds)
    }

    pub(super) fn vlan(&self) -> Option<&'a Vlan> {
        self.index.vlan_of(self.subnet(self.here?).ok()?)
    }

    pub(super) fn mode(&self) -> DhcpMode {
        self.vlan().map_or(DhcpMode::Full, |it| it.mode)
    }

    /// The subnet of an address the client already uses, which may lie behind a router.
    pub(super) fn subnet_of(&self, address: Ipv4Addr) -> Result<usize, DropReason> {
        self.index.subnet_of(address).map(|(at, _)| at).ok_or(DropReason::DhcpNoSubnet)
    }

    pub(super) fn subnet(&self, at: usize) -> Result<&'a Subnet, DropReason> {
        let found = self.index.snapshot().subnets.get(at);
        found.map(|it| &**it).ok_or(DropReason::DhcpNoSubnet)
    }

    pub(super) fn network(&self, at: usize) -> Option<Ipv4Addr> {
        self.subnet(at).ok().map(|it| it.cidr.network())
    }

    pub(super) fn ask(&self, subnet: usize) -> Ask<'a> {
        let reserved = self.reservation(subnet).map(|it| it.address);
        let (classes, ours) = (self.classes, self.link.address);
        Ask { index: self.index, subnet, mac: self.mac, reserved, ours, classes }
    }

    pub(super) fn reservation(&self, subnet: usize) -> Option<&'a Reservation> {
        self.index.reservation(subnet, &self.identity)
    }

    /// What the client calls itself.
    pub(super) fn hostname(&self) -> Option<String> {
        self.message.option(code::HOSTNAME)?.text()
    }
}

/// The subnet the client is on: what the relay says (RFC 3527, 3011), else the relay's own, else
/// our link's. A client on our own link may choose (option 118) among the subnets of that link.
fn here(index: &Index, link: &Link, message: &Message<'_>) -> Option<usize> {
    let subnet_of = |address| index.subnet_of(address).map(|(at, _)| at);
    let giaddr = message.giaddr();
    let asked = message.option(code::SUBNET_SELECTION).and_then(|it| it.address());
    if giaddr.is_unspecified() {
        let ours = subnet_of(link.address)?;
        let chosen = asked.and_then(subnet_of);
        let is_ours = |it: &usize| index.subnets_together(ours).contains(it);
        return Some(chosen.filter(is_ours).unwrap_or(ours));
    }
    let said = message.relay_address(code::relay::LINK_SELECTION);
    subnet_of(said.or(asked).unwrap_or(giaddr))
}

/// Whether a relay speaks for a client of a VPN, whose addresses are not ours to give (RFC 6607).
fn is_of_a_vpn(message: &Message<'_>) -> bool {
    let other = |it: &[u8]| Some(it.first() != Some(&GLOBAL_VPN));
    message.read_sub_option(code::RELAY_AGENT, code::relay::VPN, other) == Some(true)
}

fn identity<'a>(message: &Message<'a>, mac: Mac, relayed: bool) -> Identity<'a> {
    let relay = message.option(code::RELAY_AGENT).filter(|_| relayed);
    let port = |sub| relay.as_ref()?.sub_option(sub);
    Identity {
        mac,
        client_id: message.option(code::CLIENT_ID).map(|it| it.whole()),
        uuid: message.uuid(),
        circuit_id: port(code::relay::CIRCUIT_ID),
        remote_id: port(code::relay::REMOTE_ID),
    }
}
