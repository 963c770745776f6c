use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One network interface that the rack answers on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// The kernel's interface index.
    pub index: u32,
    /// Our address on it: server identifier, `siaddr` and the host of every URL we hand out.
    /// Unspecified on a link without IPv4.
    pub address: Ipv4Addr,
    /// The address that URLs name instead, for a client that came over IPv6.
    pub host6: Option<Ipv6Addr>,
    /// Port of the HTTP boot server.
    pub http_port: u16,
    /// Port of the gateway that agents speak to.
    pub gateway_port: u16,
}

impl Link {
    /// What URLs for a client on this link name.
    #[must_use]
    pub fn host(&self) -> IpAddr {
        self.host6.map_or(IpAddr::V4(self.address), IpAddr::V6)
    }
}
