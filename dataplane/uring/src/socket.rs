//! Sockets, set up as the rack needs them. All are bound before the ring takes them over.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::filter::{chaddr_choice, chaddr_filter, udp_frame_filter};

/// A kernel queue this long holds some ten thousand DISCOVERs; the default holds about 250.
const RECEIVE_BUFFER_BYTES: usize = 16 << 20;

/// Connections that wait for their accept; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// What a connection nearby may have under way; the kernel allows twice as much, for its own needs.
/// By itself it would let each grow to megabytes: with many connections more than any cache holds,
/// and more memory than a storm of machines may take.
const NEAR_SEND_BYTES: usize = 128 << 10;
/// From here on so little under way would slow a connection down: the kernel decides.
const FAR: Duration = Duration::from_millis(2);

/// Which part of the clients one of several shards serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub index: u32,
    pub count: u32,
}

/// How a UDP socket is bound.
#[derive(Clone, Copy, Debug)]
pub struct UdpOptions {
    /// 0 lets the kernel choose.
    pub port: u16,
    /// More than one shard binds this port.
    pub shared: bool,
    /// Take only the DHCP clients of this share.
    pub dhcp_share: Option<Share>,
}

/// Opens a UDP socket on every address, that tells where each datagram came in (`IP_PKTINFO`).
///
/// It is not bound to the server's own address, because such a socket gets no broadcast.
///
/// # Errors
/// What the kernel says; `EADDRINUSE` and `EACCES` are the usual ones.
pub fn udp(options: UdpOptions) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    if options.shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_broadcast(true)?;
    enable(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO)?;
    // Path MTU discovery off: a boot ROM cannot answer it, and DF makes large blocks vanish.
    set_int(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT)?;
    widen_receive_buffer(&socket);
    if let Some(share) = options.dhcp_share.filter(|it| 1 < it.count) {
        socket.attach_filter(&chaddr_filter(share.index, share.count))?;
    }
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, options.port)).into())?;
    if let Some(share) = options.dhcp_share.filter(|_| options.shared) {
        choose_by_chaddr(&socket, share.count)?;
    }
    Ok(socket.into())
}

/// Opens a UDP socket on every IPv6 address, that tells where each datagram came in
/// (`IPV6_PKTINFO`). It carries no IPv4, so that each family keeps sockets of its own.
///
/// # Errors
/// What the kernel says; `EAFNOSUPPORT` where it has no IPv6.
pub fn udp6(port: u16, shared: bool) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_only_v6(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    enable(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)?;
    // As for IPv4: what is too long for the path is cut by us rather than lost.
    set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DONT)?;
    widen_receive_buffer(&socket);
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    Ok(socket.into())
}

/// Gives what is sent to one of us alone to the shard of its client. The last socket that is bound
/// sets it for the whole group.
fn choose_by_chaddr(socket: &Socket, count: u32) -> io::Result<()> {
    let mut program = chaddr_choice(count);
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).unwrap_or_default(),
        filter: program.as_mut_ptr(),
    };
    let len = libc::socklen_t::try_from(size_of_val(&program)).unwrap_or_default();
    // SAFETY: the program and what it points to are valid during the call, which copies them.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            len,
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Opens a socket that sends whole Ethernet frames on any interface and receives nothing.
///
/// # Errors
/// `EPERM` without `CAP_NET_RAW`.
pub fn frames() -> io::Result<OwnedFd> {
    // Protocol 0 keeps the kernel from queueing every frame of the machine here.
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    Ok(socket.into())
}

/// Opens a socket that sends whole Ethernet frames on one interface, and receives those that carry
/// IPv4 with UDP to `receive_port`, whoever they are for. Without a port it receives nothing.
///
/// # Errors
/// `EPERM` without `CAP_NET_RAW`, `ENODEV` if there is no such interface.
pub fn frames_on(interface: u32, receive_port: Option<u16>) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    widen_receive_buffer(&socket);
    if let Some(port) = receive_port {
        socket.attach_filter(&udp_frame_filter(port))?;
    }
    // SAFETY: a sockaddr_ll is plain integers; all zero is valid.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_ifindex = interface.cast_signed();
    // Protocol 0 receives nothing.
    let protocol = if receive_port.is_some() { libc::ETH_P_IP } else { 0 };
    address.sll_protocol = u16::try_from(protocol).unwrap_or_default().to_be();
    let len = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or_default();
    // SAFETY: the address is valid for its length during the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if bound == 0 { Ok(socket.into()) } else { Err(io::Error::last_os_error()) }
}

/// Opens a listener on every IPv4 address. `shared`: more than one shard listens there.
///
/// # Errors
/// What the kernel says; `EADDRINUSE` and `EACCES` are the usual ones.
pub fn listener(port: u16, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    listen(socket, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), shared)
}

/// Like [`listener`], on every IPv6 address and no IPv4 one.
///
/// # Errors
/// As [`listener`]; `EAFNOSUPPORT` where the kernel has no IPv6.
pub fn listener6(port: u16, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_only_v6(true)?;
    listen(socket, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), shared)
}

fn listen(socket: Socket, at: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Tries whether the kernel cuts what this socket sends into datagrams (`UDP_SEGMENT`).
///
/// # Errors
/// `ENOPROTOOPT` where the kernel is older than 4.18.
pub fn segments(socket: &impl AsFd) -> io::Result<()> {
    set_int(&socket2::SockRef::from(socket), libc::SOL_UDP, libc::UDP_SEGMENT, 1024)
}

/// Lets the kernel hand over datagrams of one length that came together as one (`UDP_GRO`), which
/// whoever reads the socket cuts apart: by far the cheapest way to hear many.
///
/// # Errors
/// `ENOPROTOOPT` where the kernel is older than 5.0.
pub fn coalesce(socket: &impl AsFd) -> io::Result<()> {
    set_int(&socket2::SockRef::from(socket), libc::SOL_UDP, libc::UDP_GRO, 1)
}

/// The local port of a socket that was bound to port 0.
///
/// # Errors
/// What `getsockname` says.
pub fn local_port(socket: &OwnedFd) -> io::Result<u16> {
    let address = socket2::SockRef::from(socket).local_addr()?;
    Ok(address.as_socket().map_or(0, |it| it.port()))
}

/// Prepares an accepted connection and tells both of its ends.
pub(crate) fn accepted(socket: &OwnedFd) -> io::Result<(SocketAddr, SocketAddr)> {
    let socket = socket2::SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    if round_trip(&socket).is_some_and(|it| it < FAR) {
        socket.set_send_buffer_size(NEAR_SEND_BYTES)?;
    }
    let ip = |address: socket2::SockAddr| {
        address.as_socket().ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
    };
    Ok((ip(socket.peer_addr()?)?, ip(socket.local_addr()?)?))
}

/// The round trip of a connection, as the kernel has measured it from the first packets on.
fn round_trip(socket: &Socket) -> Option<Duration> {
    // SAFETY: a tcp_info is plain integers; all zero is valid.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut len = libc::socklen_t::try_from(size_of_val(&info)).ok()?;
    // SAFETY: the kernel writes at most `len` bytes into `info`, which is valid during the call.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut len,
        )
    };
    let measured = got == 0 && 0 < info.tcpi_rtt;
    measured.then(|| Duration::from_micros(info.tcpi_rtt.into()))
}

/// The forced size needs CAP_NET_ADMIN; without it the kernel caps the plain one, which still runs.
fn widen_receive_buffer(socket: &Socket) {
    let bytes = i32::try_from(RECEIVE_BUFFER_BYTES).unwrap_or(i32::MAX);
    if set_int(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes).is_err() {
        // A short queue costs repeats in a storm, never correctness.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    }
}

fn enable(socket: &Socket, level: i32, option: i32) -> io::Result<()> {
    set_int(socket, level, option, 1)
}

fn set_int(socket: &Socket, level: i32, option: i32, value: i32) -> io::Result<()> {
    let bytes = value.to_ne_bytes();
    let len = libc::socklen_t::try_from(bytes.len()).unwrap_or_default();
    // SAFETY: the value is valid for its length during the call.
    let set =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, bytes.as_ptr().cast(), len) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_connection_nearby_has_little_under_way() {
        let listener = listener(0, false).unwrap();
        let address = (Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port());
        let client = TcpStream::connect(address).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        let socket = OwnedFd::from(socket);
        let near = round_trip(&socket2::SockRef::from(&socket)).expect("it is measured");
        let (told, _) = accepted(&socket).unwrap();
        assert_eq!((told, peer), (client.local_addr().unwrap(), client.local_addr().unwrap()));
        let allowed = socket2::SockRef::from(&socket).send_buffer_size().unwrap();
        if near < FAR {
            assert_eq!(allowed, 2 * NEAR_SEND_BYTES);
        } else {
            assert_ne!(allowed, 2 * NEAR_SEND_BYTES, "a busy computer: {near:?}");
        }
    }
}
