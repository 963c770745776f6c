use std::net::{IpAddr, Ipv4Addr};

use ironherd_leases::v6::Lease6;
use ironherd_snapshot::Mac;

use crate::UnixSeconds;

/// What the region learns from a rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Lease(LeaseEvent),
    /// A lease of DHCPv6 changed, and the change is on disk or will be.
    Lease6 {
        change: LeaseChange,
        lease: Lease6,
    },
    /// A machine was seen at one stage of its network boot; `detail` is for a person to read.
    Boot {
        mac: Mac,
        stage: BootStage,
        detail: String,
    },
    /// The same, seen by a protocol that knows only the client's address: leases name the card.
    BootByAddress {
        address: IpAddr,
        stage: BootStage,
        detail: String,
    },
    /// A client chose a server that is none of this rack's.
    ForeignServer {
        /// Interface index of the link it was heard on.
        link: u32,
        /// Id of the VLAN; empty where the snapshot has none.
        vlan: String,
        server: Ipv4Addr,
        /// The client that said so.
        mac: Mac,
    },
    /// The lease journal could not be written: no lease is granted until it is rewritten whole.
    JournalFailed,
}

/// One lease changed, and the change is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseEvent {
    pub change: LeaseChange,
    pub address: Ipv4Addr,
    pub mac: Mac,
    /// When the lease ends, or ended.
    pub expires: UnixSeconds,
    /// What the client calls itself (option 12), if it does.
    pub hostname: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseChange {
    Granted,
    Renewed,
    Released,
    /// The client found the address in use by someone else.
    Declined,
    Expired,
}

/// How far a network boot has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BootStage {
    Dhcp,
    Tftp,
    Http,
    Script,
    Agent,
    Installed,
}

impl BootStage {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dhcp => "dhcp",
            Self::Tftp => "tftp",
            Self::Http => "http",
            Self::Script => "script",
            Self::Agent => "agent",
            Self::Installed => "installed",
        }
    }
}
