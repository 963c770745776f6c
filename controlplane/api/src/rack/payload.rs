//! What the rack mutations answer.

use async_graphql::ID;

use super::Rack;
use crate::scalar::Long;
use crate::user_error::payload;

payload! { "rackRegister" => RackPayload {
        /// The rack as it is known now.
        rack: Rack,
    }
    RackRegisterUserError RackRegisterErrorCode {
        /// The name cannot be used as it is.
        NameInvalid,
    }
}
payload! { "rackReport" => RackReportPayload {
        /// The number of the last report taken.
        sequence: Long,
        /// Whether reports before this one are missing: then the rack tells all of its leases anew.
        resync: bool,
    }
    RackReportUserError RackReportErrorCode {
        /// The rack has not registered.
        RackUnknown,
        /// The report is too large: split it.
        ReportTooLarge,
        /// A number is negative.
        Invalid,
    }
}
payload! { "rackAnswer" => RackAnswerPayload {
        /// The question that was answered.
        id: ID,
    }
    RackAnswerUserError RackAnswerErrorCode {
        /// Nobody waits for this answer, or no longer.
        RequestUnknown,
        /// It is neither an answer nor a refusal.
        AnswerInvalid,
        /// It is longer than answers may be.
        AnswerTooLarge,
    }
}
