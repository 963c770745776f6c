use async_graphql::ID;

use super::Subnet6;
use crate::user_error::payload;

payload! { "subnet6Create" => Subnet6CreatePayload {
        /// The new subnet.
        subnet: Subnet6,
    }
    Subnet6CreateUserError Subnet6CreateErrorCode {
        /// The CIDR is no IPv6 network that can be used.
        CidrInvalid,
        /// The network shares addresses with another subnet.
        SubnetOverlap,
        /// There is no such VLAN.
        VlanNotFound,
        /// The name cannot be used as it is.
        NameInvalid,
        /// The name or network is taken.
        NameTaken,
        /// An address cannot be read.
        AddressInvalid,
        /// A domain is no DNS name.
        DomainInvalid,
        /// A lifetime is out of bounds, or the preferred one is longer than the valid one.
        LifetimeInvalid,
        /// The first address of a range lies behind the last.
        RangeBackwards,
        /// A range leaves the subnet.
        RangeOutsideSubnet,
        /// Two ranges share addresses.
        RangeOverlap,
        /// A reserved address or a name server lies in a range.
        RangeHoldsReservation,
        /// A prefix cannot be read or delegated.
        PrefixInvalid,
        /// The length of what is delegated does not fit its pool.
        PoolInvalid,
        /// A pool shares addresses with something else.
        PoolOverlap,
        /// A reserved prefix lies in a pool.
        PoolHoldsReservation,
        /// The Router Advertisement cannot be as it is asked for.
        AdvertisementInvalid,
        /// A list has too many entries.
        ListTooLong,
    }
}
payload! { "subnet6Update" => Subnet6UpdatePayload {
        /// The subnet as it is now.
        subnet: Subnet6,
    }
    Subnet6UpdateUserError Subnet6UpdateErrorCode {
        /// There is no such subnet.
        NotFound,
        /// There is no such VLAN.
        VlanNotFound,
        /// The name cannot be used as it is.
        NameInvalid,
        /// The name or network is taken.
        NameTaken,
        /// An address cannot be read.
        AddressInvalid,
        /// A domain is no DNS name.
        DomainInvalid,
        /// A lifetime is out of bounds, or the preferred one is longer than the valid one.
        LifetimeInvalid,
        /// The first address of a range lies behind the last.
        RangeBackwards,
        /// A range leaves the subnet.
        RangeOutsideSubnet,
        /// Two ranges share addresses.
        RangeOverlap,
        /// A reserved address or a name server lies in a range.
        RangeHoldsReservation,
        /// A prefix cannot be read or delegated.
        PrefixInvalid,
        /// The length of what is delegated does not fit its pool.
        PoolInvalid,
        /// A pool shares addresses with something else.
        PoolOverlap,
        /// A reserved prefix lies in a pool.
        PoolHoldsReservation,
        /// The Router Advertisement cannot be as it is asked for.
        AdvertisementInvalid,
        /// A list has too many entries.
        ListTooLong,
    }
}
payload! { "subnet6Delete" => Subnet6DeletePayload {
        /// The subnet that is gone.
        subnet_id: ID,
    }
    Subnet6DeleteUserError Subnet6DeleteErrorCode {
        /// There is no such subnet.
        NotFound,
    }
}
payload! { "reservation6Create" => Reservation6CreatePayload {
        /// The subnet with its new reservation.
        subnet: Subnet6,
    }
    Reservation6CreateUserError Reservation6CreateErrorCode {
        /// There is no such subnet.
        SubnetNotFound,
        /// It is not said in exactly one way who the client is, or that cannot be read.
        ClientInvalid,
        /// The client has a reservation here already.
        ClientTaken,
        /// The MAC address cannot be read.
        MacInvalid,
        /// Neither an address nor a prefix is reserved.
        NothingReserved,
        /// An address cannot be read.
        AddressInvalid,
        /// The address is no host address of the subnet.
        AddressOutsideSubnet,
        /// The address lies in a range that racks hand out.
        AddressInRange,
        /// The address is taken.
        AddressTaken,
        /// The prefix cannot be read or delegated.
        PrefixInvalid,
        /// The prefix meets a pool that racks delegate from.
        PrefixInPool,
        /// The prefix is in use.
        PrefixTaken,
        /// The hostname is no DNS label.
        HostnameInvalid,
    }
}
payload! { "reservation6Update" => Reservation6UpdatePayload {
        /// The subnet with the reservation as it is now.
        subnet: Subnet6,
    }
    Reservation6UpdateUserError Reservation6UpdateErrorCode {
        /// There is no such reservation.
        NotFound,
        /// Neither an address nor a prefix is reserved.
        NothingReserved,
        /// An address cannot be read.
        AddressInvalid,
        /// The address is no host address of the subnet.
        AddressOutsideSubnet,
        /// The address lies in a range that racks hand out.
        AddressInRange,
        /// The address is taken.
        AddressTaken,
        /// The prefix cannot be read or delegated.
        PrefixInvalid,
        /// The prefix meets a pool that racks delegate from.
        PrefixInPool,
        /// The prefix is in use.
        PrefixTaken,
        /// The hostname is no DNS label.
        HostnameInvalid,
    }
}
payload! { "reservation6Delete" => Reservation6DeletePayload {
        /// The subnet without the reservation.
        subnet: Subnet6,
    }
    Reservation6DeleteUserError Reservation6DeleteErrorCode {
        /// There is no such reservation.
        NotFound,
    }
}
