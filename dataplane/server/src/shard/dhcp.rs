use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use ironherd_leases::{Claims, Table};
use ironherd_proto::dhcp::{Config, Destination, ForeignServer, Probe, Reply, Server, ServerPort};
use ironherd_proto::tape::{Packet, Tape};
use ironherd_proto::{DropReason, Event, Instant, Link, Now};
use ironherd_snapshot::ask::{DhcpQuestion, RackRefusal, RefusalCode};
use ironherd_snapshot::{Index, Mac};
use ironherd_uring::{Datagram, Outgoing, Ring, Source, Target};
use ironherd_wire::frame::{HEADER_BYTES, UdpFrame, udp_ipv4};

use super::sockets::DhcpSockets;
use crate::ask::{Found, explain_question, link};
use crate::metrics::{Metrics, add};
use crate::view::{Served, View};

/// The DHCP server of one shard and its sockets.
#[derive(Debug)]
pub(super) struct DhcpService {
    server: Server,
    sockets: DhcpSockets,
    frame: Vec<u8>,
}

/// No reply is longer: it would not fit an Ethernet frame.
const REPLY_BYTES_MAX: usize = 1500 + HEADER_BYTES;

impl DhcpService {
    pub(super) fn new(config: Config, sockets: DhcpSockets, leases: Table) -> Self {
        let server = Server::new(config, leases);
        Self { server, sockets, frame: Vec::with_capacity(REPLY_BYTES_MAX) }
    }

    pub(super) fn leases(&self) -> &Table {
        self.server.leases()
    }

    pub(super) fn events_lost(&self) -> u64 {
        self.server.events_lost()
    }

    pub(super) fn claims(&self) -> &Claims {
        self.server.leases().claims()
    }

    /// A foreign server answers on a VLAN, or is silent by now.
    pub(super) fn on_foreign(&mut self, vlan: &str, server: Option<Ipv4Addr>, now: Now) {
        let server = server.map(|address| ForeignServer { address, seen: now.instant });
        self.server.set_foreign_server(vlan, server);
    }

    pub(super) fn on_datagram(
        &mut self,
        index: &Index,
        port: ServerPort,
        link: &Link,
        datagram: &Datagram<'_>,
        now: Now,
    ) -> Result<(), DropReason> {
        let SocketAddr::V4(source) = datagram.source else { return Ok(()) };
        self.server.handle_datagram(index, port, source, link, datagram.payload, now)
    }

    pub(super) fn send_all(
        &mut self,
        ring: &mut Ring,
        sending: &mut Sending<'_>,
        out: &mut Vec<u8>,
    ) {
        while ring.can_send(REPLY_BYTES_MAX) {
            out.clear();
            let Some(reply) = self.server.poll_reply(out) else { return };
            let metrics = sending.metrics;
            // The interface may have gone since it was asked.
            let served = sending.view.by_interface(reply.link);
            match served.filter(|served| self.send(ring, served, reply, out)) {
                Some(served) => {
                    add(&metrics.dhcp_replies, 1);
                    sending.tape.record(&sent(&reply, &served.link, out, sending.now));
                }
                None => add(&metrics.sends_refused, 1),
            }
        }
    }

    fn send(&mut self, ring: &mut Ring, served: &Served, reply: Reply, payload: &[u8]) -> bool {
        let address = served.link.address;
        let by_port = match self.sockets.proxy {
            Some(proxy) if reply.source_port == PROXY_PORT => proxy,
            _ => self.sockets.dhcp,
        };
        let outgoing = match reply.to {
            // To a relay or a client with an address: the routing table knows the way.
            Destination::Unicast(to) => Outgoing {
                socket: by_port,
                to: Target::Udp(to.into()),
                source: Some(Source { interface: 0, address: address.into() }),
                payload,
                segment_bytes: None,
            },
            Destination::Broadcast { port } => Outgoing {
                socket: by_port,
                to: Target::Udp((Ipv4Addr::BROADCAST, port).into()),
                source: Some(Source { interface: served.link.index, address: address.into() }),
                payload,
                segment_bytes: None,
            },
            Destination::Frame { mac: Mac(mac), address: to, port } => {
                let frame = UdpFrame {
                    source_mac: served.interface.mac,
                    destination_mac: mac,
                    source: SocketAddrV4::new(address, reply.source_port),
                    destination: SocketAddrV4::new(to, port),
                    payload,
                };
                self.frame.clear();
                if !udp_ipv4(&mut self.frame, &frame) {
                    return false;
                }
                Outgoing {
                    socket: self.sockets.frames,
                    to: Target::Link { interface: served.link.index, mac },
                    source: None,
                    payload: &self.frame,
                    segment_bytes: None,
                }
            }
        };
        ring.send(outgoing).is_ok()
    }

    pub(super) fn poll_probe(&mut self) -> Option<Probe> {
        self.server.poll_probe()
    }

    pub(super) fn handle_conflict(&mut self, address: Ipv4Addr, now: Now) -> bool {
        self.server.handle_conflict(address, now)
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.server.poll_event()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.server.next_deadline()
    }

    pub(super) fn handle_timeouts(&mut self, now: Now) {
        self.server.handle_timeouts(now);
    }

    /// For the journal, which keeps what it promises.
    pub(super) fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

/// Says what a client would get now; nothing is kept or sent.
pub(super) fn explain(
    dhcp: Option<&mut DhcpService>,
    view: &Arc<View>,
    asked: &DhcpQuestion,
    now: Now,
) -> Result<Found, RackRefusal> {
    let Some(dhcp) = dhcp else {
        let message = "DHCP is off on this rack".to_owned();
        return Err(RackRefusal { code: RefusalCode::NotServed, message });
    };
    let served = link(view, asked)?.clone();
    let question = explain_question(asked);
    let explanation = dhcp.server.explain(&view.index, &served.link, &question, now);
    Ok(Found { view: Arc::clone(view), served, explanation })
}

/// What sending needs beside the ring.
pub(super) struct Sending<'a> {
    pub(super) view: &'a View,
    pub(super) tape: &'a mut Tape,
    pub(super) metrics: &'a Metrics,
    pub(super) now: Now,
}

/// A datagram that came in, for the tape.
pub(super) fn received<'a>(
    port: ServerPort,
    datagram: &Datagram<'a>,
    outcome: Result<(), DropReason>,
    now: Now,
) -> Packet<'a> {
    let port = match port {
        ServerPort::Dhcp67 => SERVER_PORT,
        ServerPort::Proxy4011 => PROXY_PORT,
    };
    Packet {
        at: now.instant,
        interface: datagram.interface,
        sent: false,
        mac: client_card(datagram.payload),
        from: datagram.source,
        to: SocketAddr::new(datagram.destination, port),
        dropped: outcome.err(),
        payload: datagram.payload,
    }
}

/// A reply that went out, for the tape.
fn sent<'a>(reply: &Reply, link: &Link, payload: &'a [u8], now: Now) -> Packet<'a> {
    let to = match reply.to {
        Destination::Unicast(to) => to,
        Destination::Broadcast { port } => SocketAddrV4::new(Ipv4Addr::BROADCAST, port),
        Destination::Frame { address, port, .. } => SocketAddrV4::new(address, port),
    };
    Packet {
        at: now.instant,
        interface: reply.link,
        sent: true,
        mac: client_card(payload),
        from: SocketAddr::V4(SocketAddrV4::new(link.address, reply.source_port)),
        to: SocketAddr::V4(to),
        dropped: None,
        payload,
    }
}

/// The client's card as the message itself says it, even where the rest cannot be read.
fn client_card(payload: &[u8]) -> Mac {
    payload.get(CHADDR..CHADDR + 6).and_then(|it| it.try_into().ok()).map(Mac).unwrap_or_default()
}

const CHADDR: usize = 28;
const SERVER_PORT: u16 = 67;
const PROXY_PORT: u16 = 4011;
