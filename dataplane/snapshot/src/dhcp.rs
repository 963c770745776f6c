//! What operators say about DHCP beyond addresses: scopes, options and client classes.

use serde::{Deserialize, Serialize};

use crate::hex_bytes;

/// One DHCP option as it goes onto the wire. The region has checked and encoded it by its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpOption {
    /// 1 to 254 in DHCPv4, 1 to 65535 in DHCPv6.
    pub code: u16,
    /// Split when longer than one option may be (RFC 3396). Empty: what a wider scope says of this
    /// code is not sent.
    #[serde(with = "hex_bytes")]
    pub data: Vec<u8>,
    /// Sent even to a client whose parameter list does not ask for it.
    pub force: bool,
}

/// The options of one scope. The narrower scope wins, code by code: host, class, range, subnet,
/// VLAN, fabric, global.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScopeOptions {
    pub v4: Vec<DhcpOption>,
    pub v6: Vec<DhcpOption>,
}

impl ScopeOptions {
    pub const NONE: Self = Self { v4: Vec::new(), v6: Vec::new() };
}

/// Networks that see each other: one layer-2 world with VLANs in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fabric {
    pub id: String,
    pub name: String,
    pub options: ScopeOptions,
}

/// One broadcast domain. The subnets that name it share its links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlan {
    pub id: String,
    /// Id of its [`Fabric`].
    pub fabric: String,
    pub name: String,
    /// 0: untagged.
    pub vid: u16,
    pub mode: DhcpMode,
    pub options: ScopeOptions,
}

/// What DHCP does on a VLAN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DhcpMode {
    /// Addresses and boot files.
    #[default]
    Full,
    /// Boot files alone, beside a foreign DHCP server (proxyDHCP).
    Proxy,
    /// As `Full` while no foreign DHCP server is heard on the VLAN, else as `Proxy`.
    Auto,
    Off,
}

/// A kind of client, told by what it sends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientClass {
    pub id: String,
    pub name: String,
    /// All must hold. None: every client is a member.
    pub matches: Vec<ClassMatch>,
    pub options: ScopeOptions,
    /// A TFTP name or a URL to hand out instead of what the boot table says.
    pub boot_file: Option<String>,
}

/// One condition of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassMatch {
    pub field: ClassField,
    pub operator: MatchOperator,
    /// Ignored by [`MatchOperator::Present`].
    #[serde(with = "hex_bytes")]
    pub value: Vec<u8>,
    /// Holds where it otherwise would not.
    pub negate: bool,
}

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassField {
    /// The six bytes of the card's address.
    Mac,
    /// The four (or sixteen) bytes of the relay's address; absent without a relay.
    RelayAddress,
    /// An option, or one sub-option of it. User classes (77) are looked at one by one, raw or in
    /// RFC 3004 form; architectures (93) two bytes at a time.
    Option { code: u16, sub: Option<u16> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchOperator {
    Present,
    Equals,
    StartsWith,
    Contains,
}
