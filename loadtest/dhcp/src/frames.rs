//! The way to the server: which frames carry a message there, and where its replies come in.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use ironherd_uring::socket::{UdpOptions, frames_on, udp};
use ironherd_uring::{Interface, interfaces};
use ironherd_wire::frame::{ETHERNET_BYTES, HEADER_BYTES, UdpFrame, udp_ipv4};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{LoadError, Step, ToSend, wire};

/// How the clients reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Through a relay, which we are: unicast both ways. The server sees one neighbour.
    Relay { server: Ipv4Addr },
    /// From the server's own link, by broadcast, until they have an address.
    Direct { interface: String },
}

/// Sockets and addresses on the way to one server.
#[derive(Debug)]
pub struct Path {
    interface: Interface,
    relay: Option<Relay>,
    out: OwnedFd,
    input: OwnedFd,
    /// Replies come as whole frames, not as payloads.
    frames: bool,
}

#[derive(Clone, Copy, Debug)]
struct Relay {
    ours: Ipv4Addr,
    server: Ipv4Addr,
    server_mac: [u8; 6],
}

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
const BROADCAST_MAC: [u8; 6] = [0xff; 6];
/// Who listens there does not matter: the datagram makes the kernel ask for the card.
const DISCARD_PORT: u16 = 9;
const ARP_PATIENCE: Duration = Duration::from_secs(3);

impl Path {
    /// Opens the sockets and finds the way.
    ///
    /// # Errors
    /// [`LoadError`] says what is not there.
    pub fn open(via: &Via) -> Result<Self, LoadError> {
        let all = interfaces().map_err(LoadError::io("list interfaces"))?;
        match via {
            Via::Relay { server } => Self::relay(*server, all),
            Via::Direct { interface } => {
                let found = all.into_iter().find(|it| it.name == *interface && it.is_up);
                let missing = || LoadError::Interface { name: interface.clone() };
                let interface = found.ok_or_else(missing)?;
                let open = LoadError::io("open a socket for frames");
                let both = frames_on(interface.index, Some(CLIENT_PORT)).map_err(open)?;
                let out = both.try_clone().map_err(LoadError::io("open a socket for frames"))?;
                Ok(Self { interface, relay: None, out, input: both, frames: true })
            }
        }
    }

    fn relay(server: Ipv4Addr, all: Vec<Interface>) -> Result<Self, LoadError> {
        let route = LoadError::io("find the way to the server");
        let probe = || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.connect((server, DISCARD_PORT))?;
            socket.send(&[])?;
            socket.local_addr()
        };
        let ours = match probe().map_err(route)?.ip() {
            std::net::IpAddr::V4(ours) => ours,
            std::net::IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        // Our own address is reached over the loopback, whichever interface holds it.
        let local = all.iter().any(|it| it.addresses.contains(&server));
        let mut holders = all.into_iter();
        let found = holders.find(|it| match local {
            true => it.is_loopback,
            false => it.addresses.contains(&ours),
        });
        let interface = found.ok_or(LoadError::Route { address: ours })?;
        let server_mac = if local { [0; 6] } else { neighbour(server)? };
        let out = frames_on(interface.index, None);
        let out = out.map_err(LoadError::io("open a socket for frames"))?;
        let options = UdpOptions { port: SERVER_PORT, shared: true, dhcp_share: None };
        let input = udp(options).map_err(LoadError::io("open port 67, where relays listen"))?;
        let relay = Some(Relay { ours, server, server_mac });
        Ok(Self { interface, relay, out, input, frames: false })
    }

    pub(crate) fn out(&self) -> BorrowedFd<'_> {
        self.out.as_fd()
    }

    pub(crate) fn input(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }

    /// Appends the frame that carries a message. `scratch` is for the message itself.
    pub(crate) fn write(&self, out: &mut Vec<u8>, scratch: &mut Vec<u8>, message: &ToSend) {
        scratch.clear();
        wire::write(scratch, message, self.relay.map(|it| it.ours));
        let frame = match self.relay {
            Some(Relay { ours, server, server_mac }) => UdpFrame {
                source_mac: self.interface.mac,
                destination_mac: server_mac,
                source: SocketAddrV4::new(ours, SERVER_PORT),
                destination: SocketAddrV4::new(server, SERVER_PORT),
                payload: scratch,
            },
            None => {
                // A client that renews has an address; it may still broadcast (REBINDING).
                let source = match message.step {
                    Step::Renew => message.address,
                    Step::Discover | Step::Request => Ipv4Addr::UNSPECIFIED,
                };
                UdpFrame {
                    source_mac: message.mac,
                    destination_mac: BROADCAST_MAC,
                    source: SocketAddrV4::new(source, CLIENT_PORT),
                    destination: SocketAddrV4::new(Ipv4Addr::BROADCAST, SERVER_PORT),
                    payload: scratch,
                }
            }
        };
        let fits = udp_ipv4(out, &frame);
        debug_assert!(fits, "a client's message is far shorter than a packet may be");
    }

    /// The DHCP message inside what came in.
    pub(crate) fn payload<'a>(&self, received: &'a [u8]) -> &'a [u8] {
        if !self.frames {
            return received;
        }
        // The UDP header says how long it is: an Ethernet frame may be padded.
        let len = received.get(HEADER_BYTES - 4..HEADER_BYTES - 2);
        let len = len.map_or(0, |it| usize::from(u16::from_be_bytes([it[0], it[1]])));
        let start = ETHERNET_BYTES + 20;
        received.get(start + 8..start + len).unwrap_or_default()
    }

    /// Waits until a reply is there, at most so long.
    pub(crate) fn wait(&self, at_most: Duration) -> Result<(), LoadError> {
        let timeout = Timespec::try_from(at_most).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let mut waits = [PollFd::from_borrowed_fd(self.input(), PollFlags::IN)];
        match poll(&mut waits, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(LoadError::io("wait for replies")(error.into())),
        }
    }
}

/// The card of a neighbour, which the kernel is asking for already.
fn neighbour(server: Ipv4Addr) -> Result<[u8; 6], LoadError> {
    let deadline = Instant::now() + ARP_PATIENCE;
    while Instant::now() < deadline {
        let table = std::fs::read_to_string("/proc/self/net/arp");
        let table = table.map_err(LoadError::io("read the ARP table"))?;
        if let Some(mac) = table.lines().find_map(|line| entry(line, server)) {
            return Ok(mac);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(LoadError::Neighbour { server })
}

/// Reads `10.0.0.1 0x1 0x2 02:00:00:00:00:01 * eth0`; flag 2 says that the card is known.
fn entry(line: &str, server: Ipv4Addr) -> Option<[u8; 6]> {
    let mut words = line.split_whitespace();
    let address: Ipv4Addr = words.next()?.parse().ok()?;
    let flags = u32::from_str_radix(words.nth(1)?.strip_prefix("0x")?, 16).ok()?;
    if address != server || flags & 2 == 0 {
        return None;
    }
    let mut mac = [0; 6];
    let mut bytes = words.next()?.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(bytes.next()?, 16).ok()?;
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arp_table_is_read_as_the_kernel_prints_it() {
        let mac = [0x02, 0, 0, 0, 0, 0x0a];
        let rows = [
            (
                "10.0.0.1         0x1         0x2         02:00:00:00:00:0a     *        vc",
                Some(mac),
            ),
            ("10.0.0.1         0x1         0x0         00:00:00:00:00:00     *        vc", None),
            ("10.0.0.2         0x1         0x2         02:00:00:00:00:0a     *        vc", None),
            (
                "IP address       HW type     Flags       HW address            Mask     Device",
                None,
            ),
        ];
        for (line, want) in rows {
            assert_eq!(entry(line, Ipv4Addr::new(10, 0, 0, 1)), want, "{line}");
        }
    }
}
