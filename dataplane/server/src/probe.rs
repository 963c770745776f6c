//! Asks the link whether an offered address is in use by someone who never asked us.
//!
//! This goes on beside the shards: the offer is long out when the answer comes. Who asks for the
//! address by then is refused, and gets another.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ironherd_proto::dhcp::Probe;
use ironherd_snapshot::Mac;
use ironherd_uring::ArpSocket;
use ironherd_wire::arp::{self, FRAME_BYTES};
use tokio::sync::mpsc;

use crate::ask::Door;
use crate::metrics::{Metrics, add};
use crate::shard::Command;
use crate::view::View;

/// An address to ask about, and the shard that has offered it.
#[derive(Debug)]
pub(crate) struct ShardProbe {
    pub(crate) shard: usize,
    pub(crate) probe: Probe,
}

/// Asks about addresses, one question each.
#[derive(Debug)]
pub(crate) struct Prober {
    pub(crate) view: Arc<ArcSwap<View>>,
    pub(crate) metrics: Arc<Metrics>,
    /// The ways to the shards, in their order.
    pub(crate) doors: Vec<Door>,
}

/// Addresses that wait for a probe.
pub(crate) const PROBES_MAX: usize = 256;
/// Whoever uses an address answers within milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Probes in ten milliseconds: a storm of machines must not become one of ARP.
const EVERY: Duration = Duration::from_millis(10);
const AT_ONCE: usize = 10;
const ENETDOWN: i32 = 100;

/// Who waits for an answer: interface and address → the shard, and until when.
type Open = HashMap<(u32, Ipv4Addr), (usize, Instant)>;

impl Prober {
    /// Asks until nobody wants to know any more: on a thread of its own, for it waits. The socket
    /// is there while an answer may come, since it hears all ARP of the host.
    pub(crate) fn run(self, mut probes: mpsc::Receiver<ShardProbe>) {
        while let Some(first) = probes.blocking_recv() {
            let asked = ArpSocket::open(EVERY).and_then(|it| self.ask(&it, first, &mut probes));
            if let Err(error) = asked {
                add(&self.metrics.probes_left_out, 1);
                tracing::warn!(id = "rack.probe", %error, "addresses cannot be probed");
            }
        }
    }

    fn ask(
        &self,
        socket: &ArpSocket,
        first: ShardProbe,
        probes: &mut mpsc::Receiver<ShardProbe>,
    ) -> io::Result<()> {
        let mut open = Open::new();
        let mut next = Some(first);
        let mut due = Instant::now();
        while next.is_some() || !open.is_empty() {
            let now = Instant::now();
            if due <= now {
                for _ in 0..AT_ONCE {
                    let Some(probe) = next.take().or_else(|| probes.try_recv().ok()) else { break };
                    self.send(socket, &probe, &mut open);
                }
                due = now + EVERY;
                open.retain(|_, (_, until)| now < *until);
            }
            let mut frame = [0; FRAME_BYTES];
            match socket.receive(&mut frame) {
                Ok((len, link)) => self.hear(link, frame.get(..len).unwrap_or_default(), &mut open),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                    // An interface that went down says so once.
                    _ if error.raw_os_error() == Some(ENETDOWN) => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    fn send(&self, socket: &ArpSocket, probe: &ShardProbe, open: &mut Open) {
        let ShardProbe { shard, probe: Probe { link, address } } = *probe;
        let view = self.view.load();
        let Some(served) = view.by_interface(link) else { return };
        if socket.send(link, &arp::probe(served.interface.mac, address)).is_ok() {
            add(&self.metrics.probes, 1);
            open.insert((link, address), (shard, Instant::now() + ANSWER_WITHIN));
        }
    }

    fn hear(&self, link: u32, frame: &[u8], open: &mut Open) {
        let Some(arp::Holder { mac, address }) = arp::holder(frame) else { return };
        let Some((shard, _)) = open.remove(&(link, address)) else { return };
        let Some(door) = self.doors.get(shard) else { return };
        let mac = Mac(mac);
        tracing::warn!(id = "rack.probe.answer", %address, %mac, "a probe was answered");
        // A full inbox has worse to tell; the client that gets the address finds out by itself.
        if door.commands.try_send(Command::Conflict(address)).is_ok() {
            door.waker.wake();
        }
    }
}
