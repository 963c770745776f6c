use std::net::{Ipv4Addr, SocketAddrV4};

use ironherd_leases::Ask;
use ironherd_snapshot::{ClassSet, Identity, Index, Mac, Reservation, Subnet};
use ironherd_wire::dhcp::{Message, MessageType, code};

use crate::boot::Client;
use crate::{DropReason, Link};

/// One client's message with all that is known around it.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) index: &'a Index,
    pub(super) link: &'a Link,
    pub(super) source: SocketAddrV4,
    pub(super) message: Message<'a>,
    pub(super) kind: MessageType,
    pub(super) mac: Mac,
    /// What reservations go by.
    pub(super) identity: Identity<'a>,
    pub(super) client: Client,
    /// Who we are to this client: a relay may stand in for us (RFC 5107).
    pub(super) server_id: Ipv4Addr,
}

impl<'a> Request<'a> {
    pub(super) fn parse(
        index: &'a Index,
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
        let stand_in = message.relay_address(code::relay::SERVER_ID_OVERRIDE);
        let server_id = stand_in.filter(|_| relayed).unwrap_or(link.address);
        let client = Client::of(&message);
        let identity = identity(&message, mac, relayed);
        Ok(Self { index, link, source, message, kind, mac, identity, client, server_id })
    }

    pub(super) fn is_relayed(&self) -> bool {
        !self.message.giaddr().is_unspecified()
    }

    /// Whether the client speaks to us, or to nobody in particular.
    pub(super) fn is_for_us(&self) -> bool {
        self.message.server_id().is_none_or(|it| it == self.server_id || it == self.link.address)
    }

    /// The subnet the client is on: what the relay says (RFC 3527, 3011), else the relay's own,
    /// else our link's.
    pub(super) fn subnet_here(&self) -> Result<usize, DropReason> {
        let giaddr = self.message.giaddr();
        if !self.is_relayed() {
            return self.subnet_of(self.link.address);
        }
        let said = self.message.relay_address(code::relay::LINK_SELECTION);
        let asked = || self.message.option(code::SUBNET_SELECTION)?.address();
        self.subnet_of(said.or_else(asked).unwrap_or(giaddr))
    }

    /// The subnet of an address the client already uses, which may lie behind a router.
    pub(super) fn subnet_of(&self, address: Ipv4Addr) -> Result<usize, DropReason> {
        self.index.subnet_of(address).map(|(at, _)| at).ok_or(DropReason::DhcpNoSubnet)
    }

    pub(super) fn subnet(&self, at: usize) -> Result<&'a Subnet, DropReason> {
        self.index.snapshot().subnets.get(at).ok_or(DropReason::DhcpNoSubnet)
    }

    pub(super) fn ask(&self, subnet: usize) -> Ask<'a> {
        let reserved = self.reservation(subnet).map(|it| it.address);
        let (classes, ours) = (ClassSet::NONE, self.link.address);
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
