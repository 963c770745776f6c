use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// A socket for the ARP frames of every interface.
#[derive(Debug)]
pub struct ArpSocket(OwnedFd);

impl ArpSocket {
    /// `wait`: how long [`Self::receive`] waits for a frame.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`.
    pub fn open(wait: Duration) -> io::Result<Self> {
        let protocol = Protocol::from(i32::from(protocol()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        socket.set_read_timeout(Some(wait))?;
        Ok(Self(socket.into()))
    }

    /// Sends a whole frame out of one interface.
    ///
    /// # Errors
    /// What the kernel says; `ENXIO` and `ENETDOWN` where the interface is gone or down.
    pub fn send(&self, interface: u32, frame: &[u8]) -> io::Result<()> {
        let to = address(interface);
        // SAFETY: frame and address are valid for their lengths during the call.
        let sent = unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const to).cast(),
                ADDRESS_BYTES,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The next frame: how long it is, and the interface it came in on.
    ///
    /// # Errors
    /// `WouldBlock` if none came in time.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<(usize, u32)> {
        let mut from = address(0);
        let mut from_bytes = ADDRESS_BYTES;
        // SAFETY: buffer and address are valid for the lengths given during the call.
        let len = unsafe {
            libc::recvfrom(
                self.0.as_raw_fd(),
                into.as_mut_ptr().cast(),
                into.len(),
                0,
                (&raw mut from).cast(),
                &raw mut from_bytes,
            )
        };
        let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
        Ok((len, from.sll_ifindex.cast_unsigned()))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "twenty bytes")]
const ADDRESS_BYTES: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

/// ARP's number, in the byte order of the wire.
fn protocol() -> u16 {
    u16::try_from(libc::ETH_P_ARP).unwrap_or_default().to_be()
}

fn address(interface: u32) -> libc::sockaddr_ll {
    // SAFETY: all of its fields are numbers, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = protocol();
    address.sll_ifindex = interface.cast_signed();
    address
}
