//! Power and out-of-band management: IPMI 2.0 and Redfish, the one owner of BMC traffic.
