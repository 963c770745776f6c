use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

/// One network interface of this network namespace, with what the rack needs to know of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub index: u32,
    pub mac: [u8; 6],
    pub is_up: bool,
    pub is_loopback: bool,
    pub addresses: Vec<Ipv4Addr>,
    /// The IPv6 link-local address; absent where IPv6 is off.
    pub link_local: Option<Ipv6Addr>,
    /// The other IPv6 addresses.
    pub addresses6: Vec<Ipv6Addr>,
}

impl Interface {
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.addresses.contains(&address),
            IpAddr::V6(address) => {
                self.link_local == Some(address) || self.addresses6.contains(&address)
            }
        }
    }
}

/// Lists the interfaces, ordered by name.
///
/// This asks the kernel by netlink (getifaddrs) and not `/sys`, since a `/sys` mounted before the
/// process entered its network namespace shows the interfaces of the old one.
///
/// # Errors
/// What `getifaddrs` says.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let mut head: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: `head` is a valid place for the list's address.
    if unsafe { libc::getifaddrs(&raw mut head) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = BTreeMap::new();
    let mut next = head;
    while !next.is_null() {
        // SAFETY: the kernel library linked this node; the list lives until freeifaddrs below.
        let entry = unsafe { &*next };
        collect(entry, &mut found);
        next = entry.ifa_next;
    }
    // SAFETY: `head` came from getifaddrs and no reference into the list is left.
    unsafe { libc::freeifaddrs(head) };
    Ok(found.into_values().collect())
}

fn collect(entry: &libc::ifaddrs, found: &mut BTreeMap<String, Interface>) {
    if entry.ifa_addr.is_null() {
        return;
    }
    // SAFETY: ifa_name is a terminated string that lives as long as the list.
    let name = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy();
    // An address label like `eth0:1` is no interface of its own.
    let name = name.split(':').next().unwrap_or_default().to_owned();
    let interface = found.entry(name.clone()).or_default();
    interface.name = name;
    interface.is_up |= entry.ifa_flags & libc::IFF_UP.cast_unsigned() != 0;
    interface.is_loopback |= entry.ifa_flags & libc::IFF_LOOPBACK.cast_unsigned() != 0;
    // SAFETY: ifa_addr is not null and points to at least a sockaddr.
    let family = unsafe { (*entry.ifa_addr).sa_family };
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: the family says that this is a sockaddr_in; it may be unaligned.
            let address = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            let address = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            interface.addresses.push(address);
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that this is a sockaddr_in6; it may be unaligned.
            let address = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            let address = Ipv6Addr::from(address.sin6_addr.s6_addr);
            if address.is_unicast_link_local() {
                interface.link_local = Some(address);
            } else {
                interface.addresses6.push(address);
            }
        }
        libc::AF_PACKET => {
            // SAFETY: the family says that this is a sockaddr_ll; it may be unaligned.
            let address = unsafe { entry.ifa_addr.cast::<libc::sockaddr_ll>().read_unaligned() };
            interface.index = address.sll_ifindex.cast_unsigned();
            let [a, b, c, d, e, f, ..] = address.sll_addr;
            interface.mac = [a, b, c, d, e, f];
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found_with_its_index() {
        let all = interfaces().unwrap();
        let loopback = all.iter().find(|it| it.is_loopback).expect("every namespace has lo");
        assert_eq!(loopback.name, "lo");
        assert_ne!(loopback.index, 0);
        assert_eq!(loopback.mac, [0; 6]);
    }
}
