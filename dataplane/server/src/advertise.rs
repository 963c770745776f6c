//! Router Advertisements on every boot link: iPXE waits 13 s for one after its DHCP ACK. Without an
//! IPv6 subnet they say nothing; with one they tell its prefix, and where addresses come from.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use ironherd_uring::Interface;
use ironherd_wire::icmpv6::{
    ALL_NODES, ALL_ROUTERS, Advertisement, HOP_LIMIT, parse_router_solicitation,
    router_advertisement,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::view::View;

/// One task for each served interface that speaks IPv6.
#[derive(Debug, Default)]
pub(crate) struct Advertisers {
    running: HashMap<Key, JoinHandle<()>>,
    skipped: Vec<u32>,
}

/// A task ends with any of these: interface, our link-local address, what is said.
type Key = (u32, Ipv6Addr, Advertisement);

const PERIOD: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(1);
/// One multicast answers all who asked meanwhile: a rack that powers on asks at once.
const GATHER: Duration = Duration::from_millis(20);

impl Advertisers {
    /// Starts and ends tasks so that they match the served interfaces.
    pub(crate) fn follow(&mut self, view: &View) {
        let links = view.advertisements();
        let key = |(it, says): &(Interface, Advertisement)| {
            Some((it.index, it.link_local?, says.clone()))
        };
        let wanted: Vec<Key> = links.iter().filter_map(key).collect();
        self.running.retain(|key, task| {
            let stays = wanted.contains(key) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for link in &links {
            let interface = &link.0;
            let name = interface.name.as_str();
            let Some(key) = key(link) else {
                if !self.skipped.contains(&interface.index) {
                    self.skipped.push(interface.index);
                    tracing::info!(
                        id = "rack.ra.off",
                        name,
                        "no IPv6, so no router advertisements"
                    );
                }
                continue;
            };
            if self.running.contains_key(&key) {
                continue;
            }
            match open(interface) {
                Ok(socket) => {
                    let task = tokio::spawn(advertise(socket, interface.mac, key.clone()));
                    self.running.insert(key, task);
                }
                Err(error) => {
                    tracing::warn!(id = "rack.ra.socket", %error, name, "no router advertisements");
                }
            }
        }
    }
}

impl Drop for Advertisers {
    fn drop(&mut self) {
        self.running.values().for_each(JoinHandle::abort);
    }
}

/// A raw ICMPv6 socket. Tokio's UDP type carries it, since to send and to receive is all the same.
fn open(interface: &Interface) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.bind_device(Some(interface.name.as_bytes()))?;
    socket.set_multicast_hops_v6(u32::from(HOP_LIMIT))?;
    socket.set_unicast_hops_v6(u32::from(HOP_LIMIT))?;
    socket.set_multicast_if_v6(interface.index)?;
    socket.set_multicast_loop_v6(false)?;
    socket.join_multicast_v6(&ALL_ROUTERS, interface.index)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

async fn advertise(socket: UdpSocket, mac: [u8; 6], (index, source, says): Key) {
    let to = SocketAddrV6::new(ALL_NODES, 0, 0, index);
    let mut advertisement = Vec::new();
    router_advertisement(&mut advertisement, mac, source, ALL_NODES, &says);
    let mut due = Instant::now();
    let mut message = [0; 1500];
    loop {
        tokio::select! {
            () = sleep_until(due) => {
                // A new link-local address is no source yet: the kernel first asks who has it.
                let sent = socket.send_to(&advertisement, to).await;
                due = Instant::now() + if sent.is_ok() { PERIOD } else { RETRY };
            }
            received = socket.recv(&mut message) => {
                // The interface went; if it comes back, so does a task for it.
                let Ok(len) = received else { return };
                let asked = message.get(..len).and_then(parse_router_solicitation);
                if asked.is_some() {
                    due = due.min(Instant::now() + GATHER);
                }
            }
        }
    }
}
