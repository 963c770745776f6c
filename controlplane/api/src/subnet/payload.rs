//! What the subnet mutations answer.

use async_graphql::ID;

use super::Subnet;
use crate::user_error::payload;

payload! { "subnetCreate" => SubnetCreatePayload {
        /// The new subnet.
        subnet: Subnet,
    }
    SubnetCreateUserError SubnetCreateErrorCode {
        /// The CIDR is no IPv4 network that can be used.
        CidrInvalid,
        /// The network shares addresses with another subnet.
        SubnetOverlap,
        /// The name cannot be used as it is.
        NameInvalid,
        /// The name is taken.
        NameTaken,
        /// An address cannot be read.
        AddressInvalid,
        /// The gateway is no host address of the network.
        GatewayOutsideSubnet,
        /// The domain is no DNS name.
        DomainInvalid,
        /// The MTU is out of bounds.
        MtuInvalid,
        /// The lease time is out of bounds.
        LeaseSecondsInvalid,
        /// There is no such VLAN.
        VlanNotFound,
    }
}
payload! { "subnetUpdate" => SubnetUpdatePayload {
        /// The subnet as it is now.
        subnet: Subnet,
    }
    SubnetUpdateUserError SubnetUpdateErrorCode {
        /// There is no such subnet.
        NotFound,
        /// The name cannot be used as it is.
        NameInvalid,
        /// The name is taken.
        NameTaken,
        /// An address cannot be read.
        AddressInvalid,
        /// The gateway is no host address of the network.
        GatewayOutsideSubnet,
        /// The gateway's address is handed out or reserved.
        GatewayTaken,
        /// The domain is no DNS name.
        DomainInvalid,
        /// The MTU is out of bounds.
        MtuInvalid,
        /// The lease time is out of bounds.
        LeaseSecondsInvalid,
        /// There is no such VLAN.
        VlanNotFound,
    }
}
payload! { "subnetDelete" => SubnetDeletePayload {
        /// The subnet that is gone.
        subnet_id: ID,
    }
    SubnetDeleteUserError SubnetDeleteErrorCode {
        /// There is no such subnet.
        NotFound,
    }
}
payload! { "rangeCreate" => RangeCreatePayload {
        /// The subnet with its new range.
        subnet: Subnet,
    }
    RangeCreateUserError RangeCreateErrorCode {
        /// There is no such subnet.
        SubnetNotFound,
        /// An address cannot be read.
        AddressInvalid,
        /// The first address lies behind the last.
        RangeBackwards,
        /// The range leaves the subnet.
        RangeOutsideSubnet,
        /// The range shares addresses with another one.
        RangeOverlap,
        /// The gateway lies in the range.
        RangeHoldsGateway,
        /// A reserved address lies in the range.
        RangeHoldsReservation,
        /// There is no such client class.
        ClassNotFound,
    }
}
payload! { "rangeUpdate" => RangeUpdatePayload {
        /// The subnet with the range as it is now.
        subnet: Subnet,
        /// How many live leases lie in what it no longer holds; null: too many to count.
        draining: i32,
    }
    RangeUpdateUserError RangeUpdateErrorCode {
        /// There is no such range.
        NotFound,
        /// An address cannot be read.
        AddressInvalid,
        /// The first address lies behind the last.
        RangeBackwards,
        /// The range leaves the subnet.
        RangeOutsideSubnet,
        /// The range shares addresses with another one.
        RangeOverlap,
        /// The gateway lies in the range.
        RangeHoldsGateway,
        /// A reserved address lies in the range.
        RangeHoldsReservation,
        /// There is no such client class.
        ClassNotFound,
    }
}
payload! { "rangeDelete" => RangeDeletePayload {
        /// The subnet without the range.
        subnet: Subnet,
    }
    RangeDeleteUserError RangeDeleteErrorCode {
        /// There is no such range.
        NotFound,
    }
}
payload! { "reservationCreate" => ReservationCreatePayload {
        /// The subnet with its new reservation.
        subnet: Subnet,
    }
    ReservationCreateUserError ReservationCreateErrorCode {
        /// There is no such subnet.
        SubnetNotFound,
        /// A MAC address cannot be read.
        MacInvalid,
        /// The network card has an address here already.
        MacTaken,
        /// It is not said in exactly one way who the client is, or that cannot be read.
        ClientInvalid,
        /// The client has an address here already.
        ClientTaken,
        /// An address cannot be read.
        AddressInvalid,
        /// The address is no host address of the subnet.
        AddressOutsideSubnet,
        /// The address lies in a range that racks hand out.
        AddressInRange,
        /// The address is taken.
        AddressTaken,
        /// Every address of the subnet is taken.
        SubnetFull,
        /// The hostname is no DNS label.
        HostnameInvalid,
    }
}
payload! { "reservationUpdate" => ReservationUpdatePayload {
        /// The subnet with the reservation as it is now.
        subnet: Subnet,
    }
    ReservationUpdateUserError ReservationUpdateErrorCode {
        /// There is no such reservation.
        NotFound,
        /// An address cannot be read.
        AddressInvalid,
        /// The address is no host address of the subnet.
        AddressOutsideSubnet,
        /// The address lies in a range that racks hand out.
        AddressInRange,
        /// The address is taken.
        AddressTaken,
        /// The hostname is no DNS label.
        HostnameInvalid,
    }
}
payload! { "reservationDelete" => ReservationDeletePayload {
        /// The subnet without the reservation.
        subnet: Subnet,
    }
    ReservationDeleteUserError ReservationDeleteErrorCode {
        /// There is no such reservation.
        NotFound,
    }
}
