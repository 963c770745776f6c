//! Bytes to messages and back: DHCPv4 and v6, TFTP, the HTTP/1.1 subset of boot firmware, frames.
//!
//! Parsing borrows from the packet and never allocates; no message can make it panic or loop.
//! Nothing here knows a clock, a socket or a policy.

pub mod arp;
pub mod dhcp;
pub mod dhcp6;
pub mod error;
pub mod frame;
pub mod http;
pub mod icmpv6;
pub mod name;
pub mod pcap;
pub mod tftp;
