use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// The two ends of a transfer: who asked, and our address that was asked.
///
/// IPv6 ends take three times the room, so they stand apart: most transfers are IPv4's.
#[derive(Clone, Debug)]
pub(super) enum Ends {
    V4 { peer: SocketAddrV4, local: Ipv4Addr },
    V6(Box<(SocketAddrV6, IpAddr)>),
}

impl Ends {
    pub(super) fn new(peer: SocketAddr, local: IpAddr) -> Self {
        match (peer, local) {
            (SocketAddr::V4(peer), IpAddr::V4(local)) => Self::V4 { peer, local },
            // A socket has one family: this is how IPv4 would look on one of IPv6.
            (SocketAddr::V4(peer), local) => {
                let address = peer.ip().to_ipv6_mapped();
                Self::V6(Box::new((SocketAddrV6::new(address, peer.port(), 0, 0), local)))
            }
            (SocketAddr::V6(peer), local) => Self::V6(Box::new((peer, local))),
        }
    }

    pub(super) fn peer(&self) -> SocketAddr {
        match self {
            Self::V4 { peer, .. } => (*peer).into(),
            Self::V6(ends) => ends.0.into(),
        }
    }

    pub(super) fn local(&self) -> IpAddr {
        match self {
            Self::V4 { local, .. } => (*local).into(),
            Self::V6(ends) => ends.1,
        }
    }
}
