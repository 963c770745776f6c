//! The messages of clients, as an operating system words them.

use std::net::Ipv4Addr;

use ironherd_wire::dhcp::{Encoder, Header, MESSAGE_BYTES_DEFAULT, MessageType, code};

use crate::{Step, ToSend};

/// Mask, router, DNS, name, domain, MTU, broadcast, NTP, lease time.
const PARAMETERS: [u8; 9] = [1, 3, 6, 12, 15, 26, 28, 42, 51];

/// Appends the message; `relay` is the address of the relay that passes it on.
pub(crate) fn write(out: &mut Vec<u8>, message: &ToSend, relay: Option<Ipv4Addr>) {
    let mut header = Header::request(message.mac, message.xid);
    if let Some(relay) = relay {
        header.giaddr = relay;
        header.hops = 1;
    }
    if message.step == Step::Renew {
        header.ciaddr = message.address;
    }
    let kind = match message.step {
        Step::Discover => MessageType::Discover,
        Step::Request | Step::Renew => MessageType::Request,
    };
    let mut encoder = Encoder::new(out, &header, MESSAGE_BYTES_DEFAULT);
    encoder.option(code::MESSAGE_TYPE, &[kind as u8]);
    if message.step == Step::Request {
        encoder.address(code::REQUESTED_ADDRESS, message.address);
        encoder.address(code::SERVER_ID, message.server);
    }
    encoder.option(code::PARAMETERS, &PARAMETERS);
    encoder.finish();
}
