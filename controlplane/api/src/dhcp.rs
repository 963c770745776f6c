//! What operators say about DHCP beyond addresses.

mod words;

pub(crate) use self::words::{DhcpMode, IpFamily, MatchOperator};
