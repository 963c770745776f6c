//! What making a capture answers.

use super::object::DhcpCapture;
use crate::user_error::payload;

payload! { "dhcpCapture" => DhcpCapturePayload {
        /// The capture.
        capture: DhcpCapture,
    }
    DhcpCaptureUserError DhcpCaptureErrorCode {
        /// This is no address of a network card.
        MacAddressInvalid,
        /// There is no such rack.
        NotFound,
        /// No rack is connected.
        NoRackConnected,
        /// More racks are connected than are asked at once.
        RackNeeded,
        /// The rack takes no questions now.
        RackNotConnected,
        /// The rack did not answer in time.
        RackSilent,
        /// The rack, or the region, has too much to do.
        RackBusy,
        /// The rack does not know this question: upgrade it.
        RackTooOld,
        /// DHCP is off on the rack.
        NotServed,
        /// The rack cannot tell which of its networks is meant.
        SubnetNeeded,
    }
}
