//! What the rack mutations answer.

use super::Rack;
use crate::scalar::Long;
use crate::user_error::payload;

payload! { "rackRegister" => RackPayload {
        /// The rack as it is known now.
        rack: Rack,
    }
    RackRegisterUserError RackRegisterErrorCode {
        /// The name is empty or too long.
        Invalid,
    }
}
payload! { "rackReport" => RackReportPayload {
        /// The number of the last report taken.
        sequence: Long,
    }
    RackReportUserError RackReportErrorCode {
        /// The rack has not registered.
        NotFound,
    }
}
