use std::net::{Ipv4Addr, SocketAddrV4};

use ironherd_wire::dhcp::{MessageType, code};

use super::Destination;
use super::request::Request;
use crate::DropReason;

pub(super) const SERVER_PORT: u16 = 67;
pub(super) const CLIENT_PORT: u16 = 68;
pub(super) const PROXY_PORT: u16 = 4011;

/// Where a reply goes (RFC 2131 §4.1).
pub(super) fn destination(
    request: &Request<'_>,
    kind: MessageType,
    yiaddr: Ipv4Addr,
) -> Result<Destination, DropReason> {
    let message = &request.message;
    if request.is_relayed() {
        // RFC 8357: a relay that says so listens where it sent from.
        let own_port =
            message.read_sub_option(code::RELAY_AGENT, code::relay::SOURCE_PORT, |_| Some(()));
        let port = own_port.map_or(SERVER_PORT, |()| request.source.port());
        return unicast(SocketAddrV4::new(message.giaddr(), port));
    }
    if kind == MessageType::Nak {
        // Its address is wrong for it, so it may not hear anything else.
        return Ok(Destination::Broadcast { port: CLIENT_PORT });
    }
    let ciaddr = message.ciaddr();
    if !ciaddr.is_unspecified() {
        return unicast(SocketAddrV4::new(ciaddr, CLIENT_PORT));
    }
    // Without an address of its own no client hears anything else.
    if message.wants_broadcast() || yiaddr.is_unspecified() {
        return Ok(Destination::Broadcast { port: CLIENT_PORT });
    }
    Ok(Destination::Frame { mac: request.mac, address: yiaddr, port: CLIENT_PORT })
}

/// INFORM is answered to the address the client says it has, else to where it sent from.
pub(super) fn informed(request: &Request<'_>) -> Result<Destination, DropReason> {
    let ciaddr = SocketAddrV4::new(request.message.ciaddr(), CLIENT_PORT);
    unicast(ciaddr).or_else(|_| unicast(request.source))
}

/// Refuses what is nobody's own address: a reply there could reach many, or us.
pub(super) fn unicast(to: SocketAddrV4) -> Result<Destination, DropReason> {
    let ip = to.ip();
    let nobody = ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast() || ip.is_loopback();
    if nobody || to.port() == 0 {
        Err(DropReason::DhcpNoDestination)
    } else {
        Ok(Destination::Unicast(to))
    }
}
