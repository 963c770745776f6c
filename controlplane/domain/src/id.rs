use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::refusal::Unknown;

macro_rules! ids {
    ($($(#[$about:meta])* $name:ident, $what:literal;)+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id. Version 7: later ids sort after earlier ones, so a list by id is a
            /// list by age.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default id would hide a mistake")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The form that the database and the rack use.
            #[must_use]
            pub fn to_text(self) -> String {
                self.0.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Unknown;

            fn from_str(text: &str) -> Result<Self, Unknown> {
                let parsed = Uuid::try_parse(text);
                parsed.map(Self).map_err(|_| Unknown::new($what, text))
            }
        }
    )+};
}

ids! {
    MachineId, "machine id";
    FabricId, "fabric id";
    VlanId, "VLAN id";
    SubnetId, "subnet id";
    Subnet6Id, "IPv6 subnet id";
    RangeId, "range id";
    ReservationId, "reservation id";
    Reservation6Id, "IPv6 reservation id";
    ClassId, "client class id";
    ImageId, "image id";
    OperationId, "operation id";
    EffectId, "effect id";
    RackId, "rack id";
    LeaseId, "lease id";
    TokenId, "token id";
    CredentialId, "credential id";
}

impl FabricId {
    /// The one that is always there.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
}

impl VlanId {
    /// The untagged VLAN of the default fabric, which is always there.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0002));
}
