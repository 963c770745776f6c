use std::net::Ipv4Addr;

/// One network interface that the rack answers on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// The kernel's interface index.
    pub index: u32,
    /// Our address on it: server identifier, `siaddr` and the host of every URL we hand out.
    pub address: Ipv4Addr,
    /// Port of the HTTP boot server.
    pub http_port: u16,
    /// Port of the gateway that agents speak to.
    pub gateway_port: u16,
}
