use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use ironherd_leases::{Position, Table};
use ironherd_proto::dhcp::{Config, Destination, Reply, Server, ServerPort};
use ironherd_proto::{DropReason, Event, Instant, Link, Now};
use ironherd_snapshot::{Index, Mac};
use ironherd_uring::{Datagram, Outgoing, Ring, Source, Target};
use ironherd_wire::frame::{HEADER_BYTES, UdpFrame, udp_ipv4};

use super::sockets::DhcpSockets;
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
    pub(super) fn new(sockets: DhcpSockets, leases: Table) -> Self {
        let server = Server::new(Config::default(), leases);
        Self { server, sockets, frame: Vec::with_capacity(REPLY_BYTES_MAX) }
    }

    pub(super) fn leases(&self) -> &Table {
        self.server.leases()
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
        view: &View,
        out: &mut Vec<u8>,
        metrics: &Metrics,
    ) {
        while ring.can_send(REPLY_BYTES_MAX) {
            out.clear();
            let Some(reply) = self.server.poll_reply(out) else { return };
            let sent = match view.by_interface(reply.link) {
                Some(served) => self.send(ring, served, reply, out),
                None => false, // The interface has gone since it was asked.
            };
            add(if sent { &metrics.dhcp_replies } else { &metrics.sends_refused }, 1);
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

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.server.poll_event()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.server.next_deadline()
    }

    pub(super) fn handle_timeouts(&mut self, now: Now) {
        self.server.handle_timeouts(now);
    }

    pub(super) fn take_journal_batch(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        self.server.take_journal_batch(out)
    }

    pub(super) fn take_compaction(&mut self, out: &mut Vec<u8>) -> Option<Position> {
        self.server.take_compaction(out)
    }

    pub(super) fn handle_committed(&mut self, upto: Position) {
        self.server.handle_committed(upto);
    }

    pub(super) fn handle_compaction_abandoned(&mut self) {
        self.server.handle_compaction_abandoned();
    }

    pub(super) fn handle_commit_failed(&mut self) {
        self.server.handle_commit_failed();
    }
}

const PROXY_PORT: u16 = 4011;
