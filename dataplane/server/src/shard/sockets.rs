use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use ironherd_uring::socket::{
    Share, UdpOptions, frames, listener, listener6, local_port, udp, udp6,
};
use ironherd_uring::{Ring, RingError, SocketId};

use crate::config::{Ports, Services};
use crate::error::RackError;

/// The sockets of one shard, bound before its thread starts, so that a taken port is told at once.
#[derive(Debug)]
pub(crate) struct Sockets {
    dhcp: Option<(OwnedFd, OwnedFd)>, // Port 67, and frames.
    proxy: Option<OwnedFd>,
    tftp: Option<(OwnedFd, Vec<OwnedFd>)>, // Port 69, and the pool that answers.
    tftp6: Option<(OwnedFd, Vec<OwnedFd>)>, // The same over IPv6; absent where there is none.
    http: Option<TcpListener>,
    http6: Option<TcpListener>,
}

/// The ports as they were bound; 0 for a service that is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundPorts {
    pub dhcp: u16,
    pub proxy: u16,
    pub tftp: u16,
    pub http: u16,
    pub gateway: u16,
    pub metrics: u16,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Dhcp,
    Proxy,
    Frames,
    Tftp,
    TftpPool(usize),
}

/// The sockets inside a ring.
pub(crate) struct Placed {
    pub(crate) roles: Vec<Role>,
    pub(crate) dhcp: Option<DhcpSockets>,
    pub(crate) tftp: Option<TftpPool>,
    pub(crate) http: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct DhcpSockets {
    pub(crate) dhcp: SocketId,
    pub(crate) proxy: Option<SocketId>,
    pub(crate) frames: SocketId,
}

/// The sockets that TFTP answers from: one place of the pool is a socket of each family.
#[derive(Debug, Default)]
pub(crate) struct TftpPool {
    pub(crate) v4: Vec<SocketId>,
    pub(crate) v6: Vec<SocketId>, // Empty where the host has no IPv6.
}

impl TftpPool {
    /// The socket at one place that reaches `to`.
    pub(crate) fn socket(&self, to: SocketAddr, place: usize) -> Option<SocketId> {
        let pool = if to.is_ipv6() { &self.v6 } else { &self.v4 };
        pool.get(place).copied()
    }
}

/// Answering ports of TFTP: enough that one client's transfers rarely share one.
const TFTP_POOL: usize = 32;

impl Sockets {
    pub(crate) fn bind(
        services: &Services,
        ports: &Ports,
        share: Share,
    ) -> Result<(Self, BoundPorts), RackError> {
        let shared = 1 < share.count;
        if shared && share.index == 0 {
            refuse_strangers(services, ports)?;
        }
        let open = |service, port, dhcp_share| {
            let options = UdpOptions { port, shared, dhcp_share };
            let socket = udp(options).map_err(|it| RackError::port(service, port, it))?;
            let bound = local_port(&socket).unwrap_or(port);
            Ok::<_, RackError>((socket, bound))
        };
        let mut bound = BoundPorts::default();
        let mut dhcp = None;
        let mut proxy = None;
        let (mut tftp, mut tftp6) = (None, None);
        let (mut http, mut http6) = (None, None);
        if services.dhcp {
            let (socket, port) = open("dhcp", ports.dhcp, Some(share))?;
            let frames = frames().map_err(|it| RackError::port("dhcp frames", 0, it))?;
            bound.dhcp = port;
            dhcp = Some((socket, frames));
        }
        if services.dhcp && services.proxy {
            let (socket, port) = open("proxy", ports.proxy, Some(share))?;
            bound.proxy = port;
            proxy = Some(socket);
        }
        if services.tftp {
            let (socket, port) = open("tftp", ports.tftp, None)?;
            let pool = (0..TFTP_POOL).map(|_| {
                let options = UdpOptions { port: 0, shared: false, dhcp_share: None };
                udp(options).map_err(|it| RackError::port("tftp", 0, it))
            });
            bound.tftp = port;
            tftp = Some((socket, pool.collect::<Result<Vec<_>, _>>()?));
            tftp6 = or_without("tftp", tftp_over_ipv6(port, shared));
        }
        if services.http {
            let socket = listener(ports.http, shared);
            let socket = socket.map_err(|it| RackError::port("http", ports.http, it))?;
            bound.http = socket.local_addr().map_or(ports.http, |it| it.port());
            http = Some(socket);
            http6 = or_without("http", listener6(bound.http, shared));
        }
        Ok((Self { dhcp, proxy, tftp, tftp6, http, http6 }, bound))
    }

    /// Hands the sockets to the ring of their shard.
    pub(crate) fn place(self, ring: &mut Ring) -> Result<Placed, RingError> {
        let mut roles = Vec::new();
        let mut receive = |ring: &mut Ring, socket, role| {
            roles.push(role);
            ring.add_datagram_socket(socket)
        };
        let mut dhcp = None;
        if let Some((socket, frames)) = self.dhcp {
            let socket = receive(ring, socket, Role::Dhcp)?;
            let proxy = match self.proxy {
                Some(proxy) => Some(receive(ring, proxy, Role::Proxy)?),
                None => None,
            };
            roles.push(Role::Frames);
            let frames = ring.add_send_socket(frames)?;
            dhcp = Some(DhcpSockets { dhcp: socket, proxy, frames });
        }
        let mut receive = |ring: &mut Ring, socket, role| {
            roles.push(role);
            ring.add_datagram_socket(socket)
        };
        let mut tftp = None;
        if let Some((socket, pool)) = self.tftp {
            receive(ring, socket, Role::Tftp)?;
            let pool = pool.into_iter().enumerate();
            let pool = pool.map(|(place, socket)| receive(ring, socket, Role::TftpPool(place)));
            tftp = Some(TftpPool { v4: pool.collect::<Result<_, _>>()?, v6: Vec::new() });
        }
        if let (Some(tftp), Some((socket, pool))) = (&mut tftp, self.tftp6) {
            receive(ring, socket, Role::Tftp)?;
            for (place, socket) in pool.into_iter().enumerate() {
                tftp.v6.push(receive(ring, socket, Role::TftpPool(place))?);
            }
        }
        let http = self.http.map(|listener| ring.add_listener(listener)).is_some();
        if let Some(listener) = self.http6 {
            ring.add_listener(listener);
        }
        Ok(Placed { roles, dhcp, tftp, http })
    }
}

fn tftp_over_ipv6(port: u16, shared: bool) -> io::Result<(OwnedFd, Vec<OwnedFd>)> {
    let socket = udp6(port, shared)?;
    let pool = (0..TFTP_POOL).map(|_| udp6(0, false));
    Ok((socket, pool.collect::<Result<_, _>>()?))
}

/// A host without IPv6 serves all the same: what it lacks is told once.
fn or_without<T>(service: &str, opened: io::Result<T>) -> Option<T> {
    if let Err(error) = &opened {
        tracing::warn!(id = "rack.ipv6.off", service, %error, "not served over IPv6");
    }
    opened.ok()
}

/// Shards share their ports, and so would a second rack, or what the kernel has not taken down yet
/// of one that was killed: its datagrams would go astray. Whoever has a port is told by a socket
/// that shares with nobody.
fn refuse_strangers(services: &Services, ports: &Ports) -> Result<(), RackError> {
    let alone = |port| UdpOptions { port, shared: false, dhcp_share: None };
    let rows = [
        ("dhcp", services.dhcp, ports.dhcp),
        ("proxy", services.dhcp && services.proxy, ports.proxy),
        ("tftp", services.tftp, ports.tftp),
    ];
    for (service, _, port) in rows.into_iter().filter(|(_, on, port)| *on && *port != 0) {
        udp(alone(port)).map_err(|it| RackError::port(service, port, it))?;
    }
    if services.http && ports.http != 0 {
        let socket = listener(ports.http, false);
        socket.map_err(|it| RackError::port("http", ports.http, it))?;
    }
    Ok(())
}
