//! Option numbers, as far as this house uses them.

pub const PAD: u8 = 0;
pub const SUBNET_MASK: u8 = 1;
pub const ROUTER: u8 = 3;
pub const DNS_SERVER: u8 = 6;
pub const HOSTNAME: u8 = 12;
pub const DOMAIN: u8 = 15;
pub const MTU: u8 = 26;
pub const BROADCAST: u8 = 28;
pub const NTP_SERVER: u8 = 42;
pub const VENDOR_SPECIFIC: u8 = 43;
pub const REQUESTED_ADDRESS: u8 = 50;
pub const LEASE_SECONDS: u8 = 51;
pub const OVERLOAD: u8 = 52;
pub const MESSAGE_TYPE: u8 = 53;
pub const SERVER_ID: u8 = 54;
pub const PARAMETERS: u8 = 55;
pub const MESSAGE: u8 = 56;
pub const MESSAGE_BYTES_MAX: u8 = 57;
pub const RENEWAL_SECONDS: u8 = 58;
pub const REBINDING_SECONDS: u8 = 59;
pub const VENDOR_CLASS: u8 = 60;
pub const CLIENT_ID: u8 = 61;
pub const TFTP_SERVER: u8 = 66;
pub const BOOT_FILE: u8 = 67;
pub const USER_CLASS: u8 = 77;
pub const RAPID_COMMIT: u8 = 80;
pub const CLIENT_FQDN: u8 = 81;
pub const RELAY_AGENT: u8 = 82;
pub const ARCHITECTURE: u8 = 93;
pub const CLIENT_UUID: u8 = 97;
pub const IPV6_ONLY: u8 = 108;
/// The address of a program to load, as installers of switches look for it.
pub const DEFAULT_URL: u8 = 114;
pub const AUTO_CONFIGURE: u8 = 116;
pub const SUBNET_SELECTION: u8 = 118;
pub const CLASSLESS_ROUTES: u8 = 121;
pub const TFTP_ADDRESSES: u8 = 150;
/// iPXE's own encapsulation.
pub const IPXE: u8 = 175;
/// PXELINUX's and Petitboot's configuration file (RFC 5071).
pub const PXE_CONFIG_FILE: u8 = 209;
/// Microsoft's number for [`CLASSLESS_ROUTES`], from before there was one.
pub const CLASSLESS_ROUTES_MICROSOFT: u8 = 249;
pub const END: u8 = 255;

/// Sub-options of [`RELAY_AGENT`].
pub mod relay {
    pub const CIRCUIT_ID: u8 = 1;
    pub const REMOTE_ID: u8 = 2;
    pub const LINK_SELECTION: u8 = 5;
    pub const SERVER_ID_OVERRIDE: u8 = 11;
    pub const SOURCE_PORT: u8 = 19;
    /// Virtual subnet selection (RFC 6607).
    pub const VPN: u8 = 151;
}

/// Sub-options of [`VENDOR_SPECIFIC`] for PXE.
pub mod pxe {
    pub const DISCOVERY_CONTROL: u8 = 6;
}

/// Sub-options of [`IPXE`].
pub mod ipxe {
    pub const FEATURE_FIRST: u8 = 16;
    pub const FEATURE_HTTP: u8 = 19;
    pub const FEATURE_LAST: u8 = 41;
    /// Tells iPXE not to wait for a proxyDHCP server: saves two seconds a boot.
    pub const NO_PROXY_DHCP: u8 = 176;
}
