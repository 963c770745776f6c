//! The ring, sockets and ports.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ironherd_uring::socket::{self, UdpOptions};
use ironherd_uring::{Ring, RingConfig, RingError};
use socket2::{Domain, SockRef, Socket, Type};

use super::Finding;
use crate::RackConfig;

/// A queue of this size holds some four thousand DISCOVERs, as the kernel counts.
const RECEIVE_BYTES_WANTED: usize = 8 << 20;

/// Sets up the smallest ring there is.
pub(super) fn io_uring() -> Finding {
    let smallest = RingConfig {
        submissions: 8,
        datagram_buffers: 8,
        stream_buffers: 1,
        small_slots: 8,
        large_slots: 1,
        streams_max: 1,
        ..RingConfig::default()
    };
    match Ring::new(smallest) {
        Ok(_) => Finding::good("io_uring", "works"),
        Err(RingError::SetUp { source, cause, remedy }) => {
            Finding::bad("io_uring", format!("{cause} ({source})"), format!("{remedy}."))
        }
        Err(error) => Finding::bad("io_uring", error.to_string(), "Run on Linux 6.1 or newer."),
    }
}

/// How long a queue the kernel gives a socket that asks as the rack's do.
pub(super) fn receive_buffer() -> Finding {
    let name = "receive_buffer";
    let options = UdpOptions { port: 0, shared: false, dhcp_share: None };
    let size = socket::udp(options).and_then(|it| SockRef::from(&it).recv_buffer_size());
    match size {
        Ok(bytes) if bytes < RECEIVE_BYTES_WANTED => {
            let remedy = "A storm of machines overflows it: the packets are lost before we see \
                          them. Run with CAP_NET_ADMIN, or `sysctl -w net.core.rmem_max=16777216`.";
            Finding::poor(name, format!("{} KiB", bytes >> 10), remedy)
        }
        Ok(bytes) => Finding::good(name, format!("{} KiB", bytes >> 10)),
        Err(error) => {
            Finding::bad(name, error.to_string(), "No UDP socket can be opened: is there IPv4?")
        }
    }
}

/// Whether the kernel cuts one send into many datagrams.
pub(super) fn segmentation() -> Finding {
    let works = Socket::new(Domain::IPV4, Type::DGRAM, None)
        .map_err(|it| it.to_string())
        .and_then(|it| socket::segments(&it).map_err(|it| it.to_string()));
    match works {
        Ok(()) => Finding::good("segmentation", "UDP_SEGMENT works"),
        Err(error) => {
            let remedy = "TFTP sends each block by itself, at a third of the speed. Run on Linux \
                          4.18 or newer.";
            Finding::poor("segmentation", format!("no UDP_SEGMENT ({error})"), remedy)
        }
    }
}

/// What answers to clients without an address go through.
pub(super) fn frames() -> Finding {
    match socket::frames() {
        Ok(_) => Finding::good("frames", "packet sockets can be opened"),
        Err(error) => {
            let remedy = "Clients without an address cannot be answered. Run as root, or with \
                          CAP_NET_RAW.";
            Finding::bad("frames", error.to_string(), remedy)
        }
    }
}

/// Each port of a service that is on. `running`: a rack has them already.
pub(super) fn ports(config: &RackConfig, running: bool) -> Vec<Finding> {
    let (on, at) = (config.services, config.ports);
    let any4 = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let any6 = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let all = [
        ("port_dhcp", on.dhcp, Type::DGRAM, any4(at.dhcp)),
        ("port_proxy", on.dhcp && on.proxy, Type::DGRAM, any4(at.proxy)),
        ("port_dhcp6", on.dhcp && on.dhcp6, Type::DGRAM, any6(at.dhcp6)),
        ("port_tftp", on.tftp, Type::DGRAM, any4(at.tftp)),
        ("port_http", on.http, Type::STREAM, any4(at.http)),
        ("port_gateway", on.gateway, Type::STREAM, any4(at.gateway)),
    ];
    let wanted = all.into_iter().filter(|it| it.1);
    wanted.map(|(name, _, kind, at)| port(name, kind, at, running)).collect()
}

fn port(name: &'static str, kind: Type, at: SocketAddr, running: bool) -> Finding {
    let protocol = if kind == Type::DGRAM { "udp" } else { "tcp" };
    let shown = format!("{protocol} {}", at.port());
    if running {
        return Finding::good(name, format!("{shown} is the running rack's"));
    }
    let bind = || -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(at), kind, None)?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if kind == Type::STREAM {
            socket.set_reuse_address(true)?; // Connections that linger take no port.
        }
        socket.bind(&at.into())?;
        if kind == Type::STREAM { socket.listen(1) } else { Ok(()) }
    };
    match bind() {
        Ok(()) => Finding::good(name, format!("{shown} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let list = if kind == Type::DGRAM { "ss -lunp" } else { "ss -ltnp" };
            let remedy = format!(
                "Another server has it. Find it with `{list} 'sport = :{}'`, stop it, or give the \
                 rack another port in its configuration.",
                at.port()
            );
            Finding::bad(name, format!("{shown} is taken"), remedy)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let remedy = "Run as root, or with CAP_NET_BIND_SERVICE.";
            Finding::bad(name, format!("{shown} may not be bound"), remedy)
        }
        Err(error) if at.is_ipv6() => {
            let remedy = "There is no IPv6 on this host, so no DHCPv6: turn it on, or set \
                          rack.dhcp6_port to 0.";
            Finding::poor(name, format!("{shown}: {error}"), remedy)
        }
        Err(error) => Finding::bad(name, format!("{shown}: {error}"), "See the kernel's log."),
    }
}
