//! One DHCPDISCOVER on every link, and whoever answers.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use ironherd_proto::Link;
use ironherd_uring::socket::frames_on;
use ironherd_wire::dhcp::{Encoder, Header, MESSAGE_BYTES_MAX, Message, MessageType, code};
use ironherd_wire::frame::{ETHERNET_BYTES, UdpFrame, udp_ipv4};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::view::Served;

/// An OFFER to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) server: Ipv4Addr,
    /// The card that the frame came from: of the server, or of its relay.
    pub(super) mac: [u8; 6],
    pub(super) interface: String,
}

/// A server may first look whether an address is free, which takes a second.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);
const OFFERS_MAX: usize = 64;
const CLIENT_PORT: u16 = 68;
const SERVER_PORT: u16 = 67;
const BROADCAST: u16 = 0x8000;

/// Asks every link. Our own shards do not hear it: a frame that a socket sends does not come back
/// to the host.
pub(super) fn probe(links: &[Served]) -> Vec<(Link, Offer)> {
    let mut open = Vec::new();
    for served in links.iter().filter(|it| it.interface.mac != [0; 6]) {
        match ask(served) {
            Ok((socket, xid)) => open.push((served, socket, xid)),
            Err(error) => {
                let name = &served.interface.name;
                tracing::debug!(id = "rack.watch.probe", %error, name, "a link is not probed");
            }
        }
    }
    let mut offers = Vec::new();
    let deadline = Instant::now() + ANSWER_WITHIN;
    while !open.is_empty() && offers.len() < OFFERS_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        let mut waits: Vec<_> =
            open.iter().map(|(_, socket, _)| PollFd::new(socket, PollFlags::IN)).collect();
        match poll(&mut waits, Some(&timeout)) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => break,
        }
        let ready: Vec<bool> = waits.iter().map(|it| !it.revents().is_empty()).collect();
        let mut gone = Vec::new();
        for (at, _) in ready.iter().enumerate().filter(|(_, ready)| **ready) {
            let (served, socket, xid) = &open[at];
            let mut frame = [0; 2_048];
            match recv(socket, &mut frame[..], RecvFlags::DONTWAIT) {
                Ok((_, len)) => {
                    let offer = read(frame.get(..len).unwrap_or_default(), *xid);
                    offers.extend(offer.map(|(server, mac)| {
                        let interface = served.interface.name.clone();
                        (served.link, Offer { server, mac, interface })
                    }));
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => gone.push(at), // The interface went down.
            }
        }
        for at in gone.into_iter().rev() {
            open.remove(at);
        }
    }
    offers
}

fn ask(served: &Served) -> io::Result<(OwnedFd, u32)> {
    let socket = frames_on(served.interface.index, Some(CLIENT_PORT))?;
    let mut xid = [0; 4];
    aws_lc_rs::rand::fill(&mut xid).map_err(|_| io::Error::other("no random numbers"))?;
    let xid = u32::from_be_bytes(xid);
    let frame = discover(served.interface.mac, xid);
    send(&socket, &frame, SendFlags::empty())?;
    Ok((socket, xid))
}

/// From our own card: a switch that counts cards on a port sees no new one.
fn discover(mac: [u8; 6], xid: u32) -> Vec<u8> {
    let mut payload = Vec::new();
    let header = Header { flags: BROADCAST, ..Header::request(mac, xid) };
    let mut encoder = Encoder::new(&mut payload, &header, MESSAGE_BYTES_MAX);
    encoder.option(code::MESSAGE_TYPE, &[MessageType::Discover as u8]);
    encoder.option(code::PARAMETERS, &[code::SUBNET_MASK, code::ROUTER]);
    encoder.finish();
    let mut frame = Vec::new();
    udp_ipv4(
        &mut frame,
        &UdpFrame {
            source_mac: mac,
            destination_mac: [0xff; 6],
            source: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT),
            destination: SocketAddrV4::new(Ipv4Addr::BROADCAST, SERVER_PORT),
            payload: &payload,
        },
    );
    frame
}

/// The server and the card of an OFFER to our question.
fn read(frame: &[u8], xid: u32) -> Option<(Ipv4Addr, [u8; 6])> {
    let mac = frame.get(6..12)?.try_into().ok()?;
    let packet = frame.get(ETHERNET_BYTES..)?;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let message = Message::parse(packet.get(header + 8..)?).ok()?;
    let is_offer = message.is_reply() && message.message_type() == Some(MessageType::Offer);
    if !is_offer || message.xid() != xid {
        return None;
    }
    // A relay's address is the source then; the server says who it is.
    Some((message.server_id().unwrap_or(Ipv4Addr::from(source)), mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const SERVER_CARD: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn offer(xid: u32, kind: MessageType, named: Option<Ipv4Addr>) -> Vec<u8> {
        let mut payload = Vec::new();
        let header = Header { op: 2, ..Header::request(CARD, xid) };
        let mut encoder = Encoder::new(&mut payload, &header, MESSAGE_BYTES_MAX);
        encoder.option(code::MESSAGE_TYPE, &[kind as u8]);
        if let Some(named) = named {
            encoder.address(code::SERVER_ID, named);
        }
        encoder.finish();
        let mut frame = Vec::new();
        udp_ipv4(
            &mut frame,
            &UdpFrame {
                source_mac: SERVER_CARD,
                destination_mac: CARD,
                source: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), SERVER_PORT),
                destination: SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT),
                payload: &payload,
            },
        );
        frame
    }

    #[test]
    fn an_offer_to_our_question_names_its_server() {
        let named = Ipv4Addr::new(10, 0, 0, 9);
        let rows = [
            (offer(7, MessageType::Offer, Some(named)), Some(named)),
            (offer(7, MessageType::Offer, None), Some(Ipv4Addr::new(10, 0, 0, 2))),
            (offer(8, MessageType::Offer, Some(named)), None),
            (offer(7, MessageType::Ack, Some(named)), None),
            (discover(CARD, 7), None),
        ];
        for (frame, want) in rows {
            assert_eq!(read(&frame, 7), want.map(|it| (it, SERVER_CARD)));
            for len in 0..frame.len().min(280) {
                assert_eq!(read(&frame[..len], 7), None, "cut at {len}");
            }
        }
    }

    #[test]
    fn the_question_is_one_that_servers_answer() {
        let frame = discover(CARD, 7);
        let message = Message::parse(&frame[ETHERNET_BYTES + 28..]).unwrap();
        assert!(message.is_request() && message.wants_broadcast());
        assert_eq!(message.message_type(), Some(MessageType::Discover));
        assert_eq!((message.ethernet(), message.xid()), (Some(CARD), 7));
    }
}
