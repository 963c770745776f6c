//! What the subnet mutations answer.

use async_graphql::ID;

use super::Subnet;
use crate::user_error::payload;

payload! { "subnetCreate" => SubnetCreatePayload {
        /// The new subnet.
        subnet: Subnet,
    }
    SubnetCreateUserError SubnetCreateErrorCode {
        /// The name belongs to another subnet.
        NameTaken,
    }
}
payload! { "subnetUpdate" => SubnetUpdatePayload {
        /// The subnet as it is now.
        subnet: Subnet,
    }
    SubnetUpdateUserError SubnetUpdateErrorCode {
        /// There is no such subnet.
        NotFound,
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
        NotFound,
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
        NotFound,
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
