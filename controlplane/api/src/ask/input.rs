//! What the questions take.

use async_graphql::{Enum, ID, InputObject};
use ironherd_app as app;
use ironherd_snapshot::ask::QuestionMessage;

use crate::id::{self, Kind};
use crate::scalar::At;

/// The message that a client is imagined to send.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "QuestionMessage")]
pub(crate) enum DhcpQuestionMessage {
    /// It looks for servers.
    Discover,
    /// It remembers `requestedAddress`, and asks whether it may go on.
    Request,
    /// It has an address, and asks for the rest.
    Inform,
}

/// A DHCP client. What is absent it does not send.
#[derive(InputObject, Debug)]
pub(crate) struct DhcpExplainInput {
    /// Its network card.
    pub(crate) mac_address: String,
    /// The subnet whose link it is on. Absent: where the card was last seen or is expected.
    pub(crate) subnet_id: Option<ID>,
    /// The rack to ask. Absent: the one that is attached to the subnet.
    pub(crate) rack_id: Option<ID>,
    /// What it sends; a DISCOVER when absent.
    pub(crate) message: Option<DhcpQuestionMessage>,
    /// Whether it asks on port 4011, as PXE clients do of a boot server.
    pub(crate) proxy_port: Option<bool>,
    /// Option 93, in its order: numbers (`0x0007`, `7`) or names (`bios`, `x64`, `arm64`, …).
    pub(crate) architectures: Option<Vec<String>>,
    /// Option 60, e.g. `PXEClient` or `HTTPClient`.
    pub(crate) vendor_class: Option<String>,
    /// Option 77, e.g. `iPXE`.
    pub(crate) user_class: Option<String>,
    /// Option 61, its type byte included: text, or `0x` and hexadecimal digits.
    pub(crate) client_id: Option<String>,
    /// Option 97: the SMBIOS UUID.
    pub(crate) uuid: Option<String>,
    /// The address of the relay that it is behind.
    pub(crate) relay: Option<String>,
    /// Option 82, sub-option 1: text, or `0x` and hexadecimal digits.
    pub(crate) circuit_id: Option<String>,
    /// Option 82, sub-option 2, likewise.
    pub(crate) remote_id: Option<String>,
    /// Option 50.
    pub(crate) requested_address: Option<String>,
    /// Option 55: the codes that it asks for. Absent: it leaves the choice to the server.
    pub(crate) wants: Option<Vec<i32>>,
    /// Option 12.
    pub(crate) hostname: Option<String>,
}

impl DhcpExplainInput {
    pub(super) fn parse(self) -> app::Answer<app::DhcpExplain> {
        let rack =
            self.rack_id.map(|it| id::input(Kind::Rack, &it, "NOT_FOUND", &["input", "rackId"]));
        let subnet = self
            .subnet_id
            .map(|it| id::input(Kind::Subnet, &it, "NOT_FOUND", &["input", "subnetId"]));
        Ok(app::DhcpExplain {
            mac_address: self.mac_address,
            rack_id: rack.transpose()?,
            subnet_id: subnet.transpose()?,
            message: self.message.map(Into::into).unwrap_or_default(),
            proxy_port: self.proxy_port.unwrap_or_default(),
            architectures: self.architectures.unwrap_or_default(),
            vendor_class: self.vendor_class,
            user_class: self.user_class,
            client_id: self.client_id,
            uuid: self.uuid,
            relay: self.relay,
            circuit_id: self.circuit_id,
            remote_id: self.remote_id,
            requested_address: self.requested_address,
            wants: self.wants.unwrap_or_default(),
            hostname: self.hostname,
        })
    }
}

/// Which packets are wanted.
#[derive(InputObject, Debug)]
pub(crate) struct DhcpCaptureInput {
    /// The client's network card; absent: every client.
    pub(crate) mac_address: Option<String>,
    /// The rack to ask; absent: every connected rack.
    pub(crate) rack_id: Option<ID>,
    /// Only packets from then on.
    pub(crate) since: Option<At>,
    /// Only packets up to then.
    pub(crate) until: Option<At>,
}

impl DhcpCaptureInput {
    pub(super) fn parse(self) -> app::Answer<app::DhcpCapture> {
        let rack =
            self.rack_id.map(|it| id::input(Kind::Rack, &it, "NOT_FOUND", &["input", "rackId"]));
        Ok(app::DhcpCapture {
            mac_address: self.mac_address,
            rack_id: rack.transpose()?,
            since_unix_ms: self.since.map(At::unix_ms),
            until_unix_ms: self.until.map(At::unix_ms),
        })
    }
}
