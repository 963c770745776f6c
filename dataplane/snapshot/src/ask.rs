//! What a region asks its racks, and what they answer: JSON on the way, these types at both ends.
//!
//! A rack that is older than its region does not know the newest questions: one that cannot be
//! read is refused as [`RefusalCode::Unsupported`]. Fields are only ever added, with a default.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{DhcpMode, Mac, hex_bytes};

/// One question to one rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RackQuestion {
    /// What would this client get, and why? Answered by an [`Explanation`].
    DhcpExplain(Box<DhcpQuestion>),
    /// Which DHCP packets were seen? Answered by a [`CaptureSummary`]; the packets go up as a file.
    DhcpCapture(CaptureQuestion),
}

/// A rack's "no", for a person and for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RackRefusal {
    pub code: RefusalCode,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefusalCode {
    /// The rack is older than the question.
    Unsupported,
    /// None of its interfaces serves the network, or DHCP is off.
    NotServed,
    /// Several interfaces could be meant.
    Ambiguous,
    /// The part of the rack that knows is too busy to say, or silent.
    Busy,
}

/// A client as it would show itself in one DHCPv4 message. What is empty or absent is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DhcpQuestion {
    pub mac: Mac,
    /// Id of the subnet whose link the message shall come in on. Absent: the rack's only link.
    pub subnet: Option<String>,
    pub message: QuestionMessage,
    /// Whether it comes in on port 4011 rather than 67.
    pub proxy_port: bool,
    /// Option 93, in the client's order.
    pub architectures: Vec<u16>,
    /// Option 60.
    pub vendor_class: Option<String>,
    /// Option 77, as iPXE spells it: the bare text.
    pub user_class: Option<String>,
    /// Option 61, its type byte included.
    #[serde(with = "hex_bytes")]
    pub client_id: Vec<u8>,
    /// Option 97, in the byte order of its text form.
    pub uuid: Option<[u8; 16]>,
    /// `giaddr`: the relay that the message comes through.
    pub relay: Option<Ipv4Addr>,
    /// Sub-options 1 and 2 of option 82.
    #[serde(with = "hex_bytes")]
    pub circuit_id: Vec<u8>,
    #[serde(with = "hex_bytes")]
    pub remote_id: Vec<u8>,
    /// Option 50.
    pub requested: Option<Ipv4Addr>,
    /// Option 55. Empty: it leaves the choice to the server.
    pub wants: Vec<u8>,
    /// Option 12.
    pub hostname: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionMessage {
    #[default]
    Discover,
    Request,
    Inform,
}

/// What a client would get, and why: told by the code that answers real clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Explanation {
    /// Generation of the snapshot that it was answered from.
    pub generation: u64,
    /// The interface that the message was taken to come in on, and our address on it.
    pub interface: String,
    pub server: Option<Ipv4Addr>,
    /// Why nothing would be sent; absent when a reply would be.
    pub drop: Option<ExplainedDrop>,
    /// `OFFER`, `ACK` or `NAK`.
    pub reply_kind: Option<String>,
    /// What a NAK says.
    pub refusal: Option<String>,
    pub vlan: Option<ExplainedName>,
    pub mode: Option<DhcpMode>,
    pub subnet: Option<ExplainedName>,
    pub machine: Option<ExplainedName>,
    /// Names of the classes that it is a member of, in their order.
    pub classes: Vec<String>,
    pub reservation: Option<ExplainedReservation>,
    /// First and last address of the range that the address comes from.
    pub range: Option<(Ipv4Addr, Ipv4Addr)>,
    pub address: Option<Ipv4Addr>,
    /// Why this address: a sentence.
    pub address_why: Option<String>,
    pub lease_seconds: Option<u32>,
    pub boot: Option<ExplainedBoot>,
    /// Every option that some scope has, sent or not.
    pub options: Vec<ExplainedOption>,
    /// Where the reply goes: a sentence.
    pub destination: Option<String>,
    /// The reply itself, from `op` to its last option.
    #[serde(with = "hex_bytes")]
    pub reply: Vec<u8>,
}

/// A drop reason: its name in the metrics, and a sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedDrop {
    pub reason: String,
    pub text: String,
}

/// A thing of the region: its id there, and what people call it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedName {
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedReservation {
    pub address: Ipv4Addr,
    /// What the client was told by, e.g. `MAC address` or `relay port`.
    pub matched_by: String,
    pub hostname: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedBoot {
    /// The TFTP name or URL; absent: none is handed out.
    pub file: Option<String>,
    /// Why this one, or why none: a sentence.
    pub why: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedOption {
    pub code: u16,
    /// What the standards call it; absent: no standard that we know does.
    pub name: Option<String>,
    #[serde(with = "hex_bytes")]
    pub data: Vec<u8>,
    /// The data as people write it, where its type is known.
    pub text: Option<String>,
    /// Whose word it is, e.g. `subnet` or `class gpu`.
    pub scope: String,
    #[serde(default)]
    pub fate: OptionFate,
}

/// What becomes of an option that some scope has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionFate {
    #[default]
    Sent,
    /// The client does not ask for it, and nothing forces it.
    NotAsked,
    /// A scope says that it shall not be sent.
    Suppressed,
    /// The reply has no room for it.
    NoRoom,
}

/// Which packets are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaptureQuestion {
    /// The client's card; absent: everyone.
    pub mac: Option<Mac>,
    /// Unix milliseconds, both included.
    pub since_ms: Option<u64>,
    pub until_ms: Option<u64>,
}

/// What a capture holds. The packets themselves go up as a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaptureSummary {
    /// Packets in the file.
    pub packets: u64,
    /// Packets that fitted the question but not the file: the oldest are left out.
    pub left_out: u64,
    /// The newest packets, oldest first; at most [`CAPTURE_LINES_MAX`].
    pub lines: Vec<CapturedLine>,
}

/// Lines in a [`CaptureSummary`].
pub const CAPTURE_LINES_MAX: usize = 200;
/// Length of a capture's file.
pub const CAPTURE_BYTES_MAX: usize = 16 << 20;

/// One packet of a capture, for a person to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CapturedLine {
    /// Unix microseconds.
    pub at_us: u64,
    pub interface: String,
    /// Whether we sent it.
    pub sent: bool,
    pub mac: Mac,
    pub from: String,
    pub to: String,
    /// The DHCP message, e.g. `DISCOVER`; absent where option 53 is.
    pub message: Option<String>,
    /// `accepted`, `sent`, or the name of a drop reason.
    pub outcome: String,
    /// Length of the DHCP message.
    pub bytes: u32,
}
