use crate::text_enum::text_enum;
use crate::{
    ClassId, FabricId, MachineId, RangeId, Reservation6Id, ReservationId, Subnet6Id, SubnetId,
    VlanId,
};

text_enum! {
    /// What DHCP does on a VLAN.
    DhcpMode, "DHCP mode" {
        /// Addresses and boot files.
        Full = "FULL",
        /// Boot files alone, beside a foreign DHCP server.
        Proxy = "PROXY",
        /// As `Full` while no foreign DHCP server is heard, else as `Proxy`.
        Auto = "AUTO",
        Off = "OFF",
    }
}

text_enum! {
    IpFamily, "address family" {
        V4 = "V4",
        V6 = "V6",
    }
}

text_enum! {
    /// Where options can be set; the narrower wins, and narrower is further down.
    OptionScope, "scope of options" {
        Global = "GLOBAL",
        Fabric = "FABRIC",
        Vlan = "VLAN",
        Subnet = "SUBNET",
        Range = "RANGE",
        Class = "CLASS",
        /// A machine or a reservation.
        Host = "HOST",
    }
}

/// What options are set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScopeId {
    Global,
    Fabric(FabricId),
    Vlan(VlanId),
    Subnet(SubnetId),
    Subnet6(Subnet6Id),
    Range(RangeId),
    Class(ClassId),
    Machine(MachineId),
    Reservation(ReservationId),
    Reservation6(Reservation6Id),
}

impl ScopeId {
    #[must_use]
    pub const fn scope(self) -> OptionScope {
        match self {
            Self::Global => OptionScope::Global,
            Self::Fabric(_) => OptionScope::Fabric,
            Self::Vlan(_) => OptionScope::Vlan,
            Self::Subnet(_) | Self::Subnet6(_) => OptionScope::Subnet,
            Self::Range(_) => OptionScope::Range,
            Self::Class(_) => OptionScope::Class,
            Self::Machine(_) | Self::Reservation(_) | Self::Reservation6(_) => OptionScope::Host,
        }
    }

    /// The form that the database uses. Ids are unique over all nouns.
    #[must_use]
    pub fn to_text(self) -> String {
        match self {
            Self::Global => "global".to_owned(),
            Self::Fabric(id) => id.to_text(),
            Self::Vlan(id) => id.to_text(),
            Self::Subnet(id) => id.to_text(),
            Self::Subnet6(id) => id.to_text(),
            Self::Range(id) => id.to_text(),
            Self::Class(id) => id.to_text(),
            Self::Machine(id) => id.to_text(),
            Self::Reservation(id) => id.to_text(),
            Self::Reservation6(id) => id.to_text(),
        }
    }

    /// Whether options of this family mean anything here.
    #[must_use]
    pub const fn takes(self, family: IpFamily) -> bool {
        match self {
            Self::Subnet(_) | Self::Range(_) | Self::Reservation(_) => {
                matches!(family, IpFamily::V4)
            }
            Self::Subnet6(_) | Self::Reservation6(_) => matches!(family, IpFamily::V6),
            _ => true,
        }
    }
}
