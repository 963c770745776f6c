//! Asks the link whether an offered IPv6 address is in use by someone who never asked us.
//!
//! This goes on beside the service: the offer is long out when the answer comes. Who asks for the
//! address by then is refused, and gets another.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use arc_swap::ArcSwap;
use ironherd_proto::dhcp6::Probe6;
use ironherd_uring::Waker;
use ironherd_wire::icmpv6::{
    HOP_LIMIT, neighbor_advertised, neighbor_solicitation, solicited_node,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::metrics::{Metrics, add};
use crate::view::View;

/// Asks about addresses, one question each.
#[derive(Debug)]
pub(super) struct Neighbours {
    pub(super) view: Arc<ArcSwap<View>>,
    pub(super) metrics: Arc<Metrics>,
    /// Where addresses go that somebody uses, and what wakes whoever takes them.
    pub(super) conflicts: SyncSender<Ipv6Addr>,
    pub(super) waker: Waker,
}

/// Addresses that wait for a probe.
pub(super) const PROBES_MAX: usize = 256;
/// Whoever uses an address answers within milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Probes in ten milliseconds: a storm of machines must not become one of solicitations.
const EVERY: Duration = Duration::from_millis(10);
const AT_ONCE: usize = 10;
/// No answer is longer: it would not fit an Ethernet frame.
const ANSWER_BYTES_MAX: usize = 1500;

/// What an answer is awaited for: interface and address → until when.
type Open = HashMap<(u32, Ipv6Addr), Instant>;

impl Neighbours {
    /// Asks until nobody wants to know any more. The socket is there while an answer may come,
    /// since it hears all ICMPv6 of the host.
    pub(super) async fn run(self, mut probes: mpsc::Receiver<Probe6>) {
        while let Some(first) = probes.recv().await {
            let asked = match open() {
                Ok(socket) => self.ask(&socket, first, &mut probes).await,
                Err(error) => Err(error),
            };
            if let Err(error) = asked {
                add(&self.metrics.probes_left_out, 1);
                tracing::warn!(id = "rack.probe6", %error, "IPv6 addresses cannot be probed");
            }
        }
    }

    async fn ask(
        &self,
        socket: &UdpSocket,
        first: Probe6,
        probes: &mut mpsc::Receiver<Probe6>,
    ) -> io::Result<()> {
        let mut open = Open::new();
        let mut next = Some(first);
        let mut due = interval(EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut message = [0; ANSWER_BYTES_MAX];
        while next.is_some() || !open.is_empty() {
            tokio::select! {
                now = due.tick() => {
                    for _ in 0..AT_ONCE {
                        let Some(probe) = next.take().or_else(|| probes.try_recv().ok()) else {
                            break;
                        };
                        self.send(socket, probe, &mut open).await;
                    }
                    open.retain(|_, until| now < *until);
                }
                heard = socket.recv_from(&mut message) => {
                    let (len, from) = heard?;
                    self.hear(from, message.get(..len).unwrap_or_default(), &mut open);
                }
            }
        }
        Ok(())
    }

    async fn send(&self, socket: &UdpSocket, probe: Probe6, open: &mut Open) {
        let Probe6 { link, address } = probe;
        let mac = {
            let view = self.view.load();
            view.links6.iter().find(|it| it.link.link.index == link).map(|it| it.interface.mac)
        };
        let Some(mac) = mac else { return };
        let to = SocketAddrV6::new(solicited_node(address), 0, 0, link);
        if socket.send_to(&neighbor_solicitation(mac, address), to).await.is_ok() {
            add(&self.metrics.probes, 1);
            open.insert((link, address), Instant::now() + ANSWER_WITHIN);
        }
    }

    fn hear(&self, from: SocketAddr, message: &[u8], open: &mut Open) {
        let Some(address) = neighbor_advertised(message) else { return };
        // Answers come from link-local addresses, whose scope is the interface; others come from
        // the address itself, on whichever link it was asked about.
        let scope = if let SocketAddr::V6(from) = from { from.scope_id() } else { 0 };
        let before = open.len();
        open.retain(|(link, asked), _| *asked != address || ![0, *link].contains(&scope));
        if open.len() == before {
            return;
        }
        tracing::warn!(id = "rack.probe6.answer", %address, "a probe was answered");
        // A full inbox has worse to tell; the client that gets the address finds out by itself.
        if self.conflicts.try_send(address).is_ok() {
            self.waker.wake();
        }
    }
}

/// A raw ICMPv6 socket. Tokio's UDP type carries it, since to send and to receive is all the same.
fn open() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.set_multicast_hops_v6(u32::from(HOP_LIMIT))?;
    socket.set_multicast_loop_v6(false)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}
