//! Option and status numbers, as far as this house uses them.

pub const CLIENT_ID: u16 = 1;
pub const SERVER_ID: u16 = 2;
pub const IA_NA: u16 = 3;
pub const IA_TA: u16 = 4;
pub const IA_ADDRESS: u16 = 5;
pub const REQUESTED: u16 = 6;
pub const PREFERENCE: u16 = 7;
pub const ELAPSED: u16 = 8;
pub const RELAY_MESSAGE: u16 = 9;
pub const AUTHENTICATION: u16 = 11;
pub const SERVER_UNICAST: u16 = 12;
pub const STATUS: u16 = 13;
pub const RAPID_COMMIT: u16 = 14;
pub const USER_CLASS: u16 = 15;
pub const VENDOR_CLASS: u16 = 16;
pub const VENDOR_OPTIONS: u16 = 17;
pub const INTERFACE_ID: u16 = 18;
pub const RECONFIGURE_MESSAGE: u16 = 19;
pub const RECONFIGURE_ACCEPT: u16 = 20;
pub const DNS_SERVERS: u16 = 23;
pub const DOMAIN_SEARCH: u16 = 24;
pub const IA_PD: u16 = 25;
pub const IA_PREFIX: u16 = 26;
pub const SNTP_SERVERS: u16 = 31;
pub const INFORMATION_REFRESH: u16 = 32;
pub const REMOTE_ID: u16 = 37;
pub const CLIENT_FQDN: u16 = 39;
pub const NTP_SERVERS: u16 = 56;
pub const BOOT_FILE_URL: u16 = 59;
pub const BOOT_FILE_PARAMETERS: u16 = 60;
pub const ARCHITECTURE: u16 = 61;
pub const NETWORK_INTERFACE: u16 = 62;
pub const CLIENT_LINK_LAYER: u16 = 79;
pub const SOLICIT_TIMEOUT_MAX: u16 = 82;
pub const INFORMATION_TIMEOUT_MAX: u16 = 83;
pub const RELAY_PORT: u16 = 135;

/// Intel's enterprise number: PXE and HTTP boot firmware names its vendor class under it.
pub const ENTERPRISE_PXE: u32 = 343;

/// Values of [`STATUS`].
pub mod status {
    pub const SUCCESS: u16 = 0;
    pub const UNSPECIFIED: u16 = 1;
    pub const NO_ADDRESSES: u16 = 2;
    pub const NO_BINDING: u16 = 3;
    pub const NOT_ON_LINK: u16 = 4;
    pub const NO_PREFIXES: u16 = 6;
}
