//! What operators say about DHCP beyond addresses.

mod class;
mod class_mutation;
mod option;
mod option_mutation;
mod words;

pub(crate) use self::class::{ClientClass, ClientClassQuery};
pub(crate) use self::class_mutation::ClientClassMutation;
pub(crate) use self::option::{DhcpOption, DhcpOptionQuery, options};
pub(crate) use self::option_mutation::DhcpOptionMutation;
pub(crate) use self::words::{DhcpMode, IpFamily, MatchOperator, OptionScope};
