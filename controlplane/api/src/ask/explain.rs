//! What a client would get, and why.

use async_graphql::{Enum, ID, Object, SimpleObject};
use ironherd_app::Explained;
use ironherd_snapshot::ask::{self, ExplainedName, ExplainedOption};

use crate::dhcp::DhcpMode;
use crate::id::{self, Kind};
use crate::rack::Rack;
use crate::scalar::Long;

/// What a DHCP client would get, and why.
#[derive(Clone, Debug)]
pub(crate) struct DhcpExplanation(pub(crate) Explained);

/// What a DHCP client would get, and why.
#[Object]
impl DhcpExplanation {
    /// The rack that was asked.
    async fn rack(&self) -> Rack {
        Rack(self.0.rack.clone())
    }

    /// The generation of the snapshot that the rack answered from.
    async fn snapshot_generation(&self) -> Long {
        Long::from(self.0.explanation.generation)
    }

    /// The rack's interface that the message was taken to come in on.
    async fn interface(&self) -> &str {
        &self.0.explanation.interface
    }

    /// The rack's address there: the server identifier.
    async fn server(&self) -> Option<String> {
        self.0.explanation.server.map(|it| it.to_string())
    }

    /// Whether the client would be answered.
    async fn answered(&self) -> bool {
        self.0.explanation.drop.is_none()
    }

    /// Why it would not; null where it would.
    async fn drop(&self) -> Option<DhcpExplainedDrop> {
        let drop = self.0.explanation.drop.clone()?;
        Some(DhcpExplainedDrop { reason: drop.reason, text: drop.text })
    }

    /// The reply: `OFFER`, `ACK` or `NAK`.
    async fn reply_kind(&self) -> Option<&str> {
        self.0.explanation.reply_kind.as_deref()
    }

    /// What a `NAK` would say.
    async fn refusal(&self) -> Option<&str> {
        self.0.explanation.refusal.as_deref()
    }

    /// The VLAN.
    async fn vlan(&self) -> Option<DhcpExplainedThing> {
        self.0.explanation.vlan.clone().map(Into::into)
    }

    /// What DHCP does on the VLAN.
    async fn mode(&self) -> Option<DhcpMode> {
        self.0.explanation.mode.map(Into::into)
    }

    /// The subnet's global id and its network.
    async fn subnet(&self) -> Option<DhcpExplainedThing> {
        let subnet = self.0.explanation.subnet.clone()?;
        let id = id::encode(Kind::Subnet, &subnet.id).to_string();
        Some(DhcpExplainedThing { id: ID(id), name: subnet.name })
    }

    /// The machine that the client is, by its global id and hostname; null for a stranger.
    async fn machine(&self) -> Option<DhcpExplainedThing> {
        let machine = self.0.explanation.machine.clone()?;
        let id = id::encode(Kind::Machine, &machine.id).to_string();
        Some(DhcpExplainedThing { id: ID(id), name: machine.name })
    }

    /// The client classes that it is a member of, in their order.
    async fn classes(&self) -> &[String] {
        &self.0.explanation.classes
    }

    /// The reservation that it has, and what it was told by.
    async fn reservation(&self) -> Option<DhcpExplainedReservation> {
        let it = self.0.explanation.reservation.clone()?;
        let address = it.address.to_string();
        Some(DhcpExplainedReservation { address, matched_by: it.matched_by, hostname: it.hostname })
    }

    /// The range that the address comes from.
    async fn range(&self) -> Option<DhcpExplainedRange> {
        let (first, last) = self.0.explanation.range?;
        Some(DhcpExplainedRange { first: first.to_string(), last: last.to_string() })
    }

    /// The address that it would get.
    async fn address(&self) -> Option<String> {
        self.0.explanation.address.map(|it| it.to_string())
    }

    /// Why this address.
    async fn address_why(&self) -> Option<&str> {
        self.0.explanation.address_why.as_deref()
    }

    /// How long it would hold.
    async fn lease_seconds(&self) -> Option<Long> {
        self.0.explanation.lease_seconds.map(|it| Long::from(u64::from(it)))
    }

    /// What it would boot, and why.
    async fn boot(&self) -> Option<DhcpExplainedBoot> {
        let boot = self.0.explanation.boot.clone()?;
        Some(DhcpExplainedBoot { file: boot.file, why: boot.why })
    }

    /// Every option that some scope has for the client, sent or not, as they were decided.
    async fn options(&self) -> Vec<DhcpExplainedOption> {
        self.0.explanation.options.iter().cloned().map(Into::into).collect()
    }

    /// Where the reply would go.
    async fn destination(&self) -> Option<&str> {
        self.0.explanation.destination.as_deref()
    }

    /// The whole reply as hexadecimal digits, from `op` to its last option.
    async fn reply_hex(&self) -> String {
        hex(&self.0.explanation.reply)
    }
}

/// Why a packet would get no answer.
#[derive(SimpleObject, Debug)]
pub(crate) struct DhcpExplainedDrop {
    /// The name that the rack's metrics count it under.
    reason: String,
    /// The reason in words.
    text: String,
}

/// A thing that an explanation speaks of.
#[derive(SimpleObject, Debug)]
pub(crate) struct DhcpExplainedThing {
    /// Its id.
    id: ID,
    /// What people call it.
    name: String,
}

/// A reservation that a client has.
#[derive(SimpleObject, Debug)]
pub(crate) struct DhcpExplainedReservation {
    /// The reserved address.
    address: String,
    /// What the client was told by.
    matched_by: String,
    /// The name that is kept with it.
    hostname: Option<String>,
}

/// Addresses to hand out.
#[derive(SimpleObject, Debug)]
pub(crate) struct DhcpExplainedRange {
    /// First address.
    first: String,
    /// Last address.
    last: String,
}

/// What a client would boot.
#[derive(SimpleObject, Debug)]
pub(crate) struct DhcpExplainedBoot {
    /// A TFTP name or a URL; null: nothing.
    file: Option<String>,
    /// Why.
    why: String,
}

/// One option of a reply.
#[derive(SimpleObject, Debug)]
pub(crate) struct DhcpExplainedOption {
    /// Its number.
    code: i32,
    /// Its name, where the standards have one.
    name: Option<String>,
    /// Its bytes as hexadecimal digits.
    hex: String,
    /// Its bytes as people write them, where their type is known.
    text: Option<String>,
    /// Whose word it is: `protocol`, `boot`, or a scope from `host` to `global`.
    scope: String,
    /// What becomes of it.
    fate: DhcpOptionFate,
}

/// What becomes of an option that some scope has.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "ask::OptionFate")]
pub(crate) enum DhcpOptionFate {
    /// It is in the reply.
    Sent,
    /// The client does not ask for it, and nothing forces it.
    NotAsked,
    /// A scope says that it shall not be sent.
    Suppressed,
    /// The reply has no room for it.
    NoRoom,
}

impl From<ExplainedName> for DhcpExplainedThing {
    fn from(it: ExplainedName) -> Self {
        Self { id: ID(it.id), name: it.name }
    }
}

impl From<ExplainedOption> for DhcpExplainedOption {
    fn from(it: ExplainedOption) -> Self {
        let (code, hex) = (i32::from(it.code), hex(&it.data));
        Self { code, name: it.name, hex, text: it.text, scope: it.scope, fate: it.fate.into() }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}"); // Writing into a string cannot fail.
        text
    })
}
