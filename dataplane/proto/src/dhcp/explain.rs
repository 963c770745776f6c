//! What a client would get, and why: asked without changing anything, answered by the same
//! judgement and the same encoder as a real packet.

use std::net::{Ipv4Addr, SocketAddrV4};

use ironherd_leases::ChoiceReason;
use ironherd_snapshot::{DhcpMode, Index, Mac, Range, Reservation};
use ironherd_wire::dhcp::{Encoder, Header, MESSAGE_BYTES_MAX, MessageType, code};

use super::answer::write_nak;
use super::destination::{CLIENT_PORT, SERVER_PORT};
use super::judge::{Judge, Judged, Verdict};
use super::request::Request;
use super::scopes::Scopes;
use super::sheet::Note;
use super::{Destination, Fate, Scope, Server, ServerPort};
use crate::boot::{BootFile, NoBootFile};
use crate::{DropReason, Link, Now};

/// A client as somebody describes it. What is left at its default is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    pub mac: Mac,
    pub says: Says,
    pub port: ServerPort,
    pub architectures: Vec<u16>,
    pub vendor_class: Vec<u8>,
    pub user_class: Vec<u8>,
    /// Option 61, its type byte included.
    pub client_id: Vec<u8>,
    /// SMBIOS UUID in the byte order of its text form.
    pub uuid: Option<[u8; 16]>,
    pub relay: Option<Ipv4Addr>,
    /// Sub-options 1 and 2 of option 82; sent only with a relay.
    pub circuit_id: Vec<u8>,
    pub remote_id: Vec<u8>,
    /// The address it wants; for [`Says::Inform`] the one it has. A request without one is for
    /// the address that would be offered.
    pub requested: Option<Ipv4Addr>,
    /// Option 55; empty: the client leaves the choice to the server.
    pub wants: Vec<u8>,
    pub hostname: String,
    /// Any other options, as code and value.
    pub others: Vec<(u8, Vec<u8>)>,
}

/// What the client of a [`Question`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Says {
    #[default]
    Discover,
    /// It chooses our offer.
    Request,
    Inform,
}

/// What a client would get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The kind of reply (`None`: taken in, and in need of none), or why there is none.
    pub outcome: Result<Option<MessageType>, DropReason>,
    /// What a NAK says.
    pub refusal: Option<&'static str>,
    /// Id of the VLAN the client is on, if the snapshot has one.
    pub vlan: Option<String>,
    /// What is done there; `Auto` is resolved.
    pub mode: DhcpMode,
    /// Id of the subnet of the address, else of the one the client is on.
    pub subnet: Option<String>,
    /// Id of the machine.
    pub machine: Option<String>,
    /// Ids of the classes the client is a member of.
    pub classes: Vec<String>,
    /// The client's reservation in the subnet; its key tells how it was found.
    pub reservation: Option<Reservation>,
    /// The range that holds the address.
    pub range: Option<Range>,
    pub address: Option<Ipv4Addr>,
    /// Why this address.
    pub reason: Option<ChoiceReason>,
    pub lease_seconds: Option<u32>,
    /// The boot file and whose word it is, or why there is none.
    pub boot: Result<BootFile, NoBootFile>,
    /// Every option that some scope has, sent or not, in the order in which they were decided.
    pub options: Vec<ExplainedOption>,
    pub destination: Option<Destination>,
    /// The message that was judged, and the reply as it would go out.
    pub request: Vec<u8>,
    pub reply: Vec<u8>,
}

/// One option of a reply, or of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedOption {
    pub code: u8,
    pub data: Vec<u8>,
    pub scope: Scope,
    pub fate: Fate,
}

impl Note for Vec<ExplainedOption> {
    fn option(&mut self, code: u8, data: &[u8], scope: Scope, fate: Fate) {
        self.push(ExplainedOption { code, data: data.to_vec(), scope, fate });
    }
}

impl Server {
    /// Says what a client would get now. Nothing is kept, sent or counted.
    pub fn explain(
        &mut self,
        snapshot: &Index,
        link: &Link,
        question: &Question,
        now: Now,
    ) -> Explanation {
        let mut question = question.clone();
        if question.says == Says::Request && question.requested.is_none() {
            let first = Question { says: Says::Discover, ..question.clone() };
            question.requested = self.explain(snapshot, link, &first, now).address;
        }
        let payload = question.message(link);
        let source = match question.relay {
            Some(relay) => SocketAddrV4::new(relay, SERVER_PORT),
            None => {
                let held = question.requested.filter(|_| question.says == Says::Inform);
                SocketAddrV4::new(held.unwrap_or(Ipv4Addr::UNSPECIFIED), CLIENT_PORT)
            }
        };
        self.explain_datagram(snapshot, question.port, source, link, &payload, now)
    }

    /// Says what would become of any datagram.
    pub fn explain_datagram(
        &mut self,
        snapshot: &Index,
        port: ServerPort,
        source: SocketAddrV4,
        link: &Link,
        payload: &[u8],
        now: Now,
    ) -> Explanation {
        let request = match Request::parse(snapshot, port, source, link, payload) {
            Ok(request) => request,
            Err(reason) => return Explanation::of_nobody(reason, payload),
        };
        self.leases.follow(snapshot);
        let mode = self.foreign.mode(&request, now.instant, self.config.foreign_memory);
        let verdict = Judge { leases: &mut self.leases, mode }.judge(&request);
        let mut told = Explanation { mode, ..Explanation::around(&request, payload) };
        match verdict {
            Ok(Verdict::Answer(judged)) => told.answered(&request, judged),
            Ok(Verdict::Nak { why, to }) => {
                told.outcome = Ok(Some(MessageType::Nak));
                (told.refusal, told.destination) = (Some(why), Some(to));
                write_nak(&request, why, &mut told.options, &mut told.reply);
            }
            Ok(Verdict::Decline { .. } | Verdict::Release { .. }) => {}
            Ok(Verdict::OtherServer(_)) => told.outcome = Err(DropReason::DhcpOtherServer),
            Err(reason) => told.outcome = Err(reason),
        }
        told
    }
}

impl Explanation {
    fn of_nobody(reason: DropReason, payload: &[u8]) -> Self {
        Self {
            outcome: Err(reason),
            refusal: None,
            vlan: None,
            mode: DhcpMode::Full,
            subnet: None,
            machine: None,
            classes: Vec::new(),
            reservation: None,
            range: None,
            address: None,
            reason: None,
            lease_seconds: None,
            boot: Err(NoBootFile::NotBooting),
            options: Vec::new(),
            destination: None,
            request: payload.to_vec(),
            reply: Vec::new(),
        }
    }

    /// What is known of the client before anything is judged.
    fn around(request: &Request<'_>, payload: &[u8]) -> Self {
        let classes = &request.index.snapshot().classes;
        let class = |at: usize| classes.get(at).map(|it| it.id.clone());
        let here = request.here;
        Self {
            outcome: Ok(None),
            vlan: request.vlan().map(|it| it.id.clone()),
            subnet: here.and_then(|it| request.subnet(it).ok()).map(|it| it.id.clone()),
            machine: request.machine.map(|it| it.id.clone()),
            classes: request.classes.iter().filter_map(class).collect(),
            reservation: here.and_then(|it| request.reservation(it)).cloned(),
            ..Self::of_nobody(DropReason::DhcpMalformed, payload)
        }
    }

    fn answered(&mut self, request: &Request<'_>, judged: Judged<'_>) {
        let Judged { answer, to, reason, .. } = judged;
        self.outcome = Ok(Some(answer.kind));
        self.destination = Some(to);
        self.lease_seconds = answer.lease_seconds;
        answer.write(request, &mut self.options, &mut self.reply);
        if let Some(subnet) = answer.subnet {
            let scopes = Scopes::of(request, subnet, answer.address);
            self.subnet = request.subnet(subnet).ok().map(|it| it.id.clone());
            self.reservation = scopes.reservation.cloned();
            self.range = scopes.range.cloned();
        }
        if !answer.address.is_unspecified() {
            (self.address, self.reason) = (Some(answer.address), reason);
        }
        self.boot = answer.boot;
    }
}

impl Question {
    /// The message that such a client sends.
    fn message(&self, link: &Link) -> Vec<u8> {
        let mut header = Header::request(self.mac.0, 0);
        if let Some(relay) = self.relay {
            (header.giaddr, header.hops) = (relay, 1);
        }
        let kind = match self.says {
            Says::Discover => MessageType::Discover,
            Says::Request => MessageType::Request,
            Says::Inform => MessageType::Inform,
        };
        if let Some(held) = self.requested.filter(|_| self.says == Says::Inform) {
            header.ciaddr = held;
        }
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, &header, MESSAGE_BYTES_MAX);
        encoder.option(code::MESSAGE_TYPE, &[kind as u8]);
        if self.says == Says::Request {
            encoder.address(code::SERVER_ID, link.address);
        }
        if let Some(address) = self.requested.filter(|_| self.says != Says::Inform) {
            encoder.address(code::REQUESTED_ADDRESS, address);
        }
        let architectures: Vec<u8> =
            self.architectures.iter().flat_map(|it| it.to_be_bytes()).collect();
        let uuid = self.uuid.map(uuid_on_the_wire);
        let fields: [(u8, &[u8]); 7] = [
            (code::PARAMETERS, &self.wants),
            (code::HOSTNAME, self.hostname.as_bytes()),
            (code::VENDOR_CLASS, &self.vendor_class),
            (code::CLIENT_ID, &self.client_id),
            (code::USER_CLASS, &self.user_class),
            (code::ARCHITECTURE, &architectures),
            (code::CLIENT_UUID, uuid.as_ref().map_or(&[], |it| &it[..])),
        ];
        let others = self.others.iter().map(|(code, data)| (*code, &data[..]));
        for (code, data) in fields.into_iter().filter(|it| !it.1.is_empty()).chain(others) {
            encoder.option(code, data);
        }
        if self.relay.is_some() {
            self.push_relay_port(&mut encoder);
        }
        encoder.finish();
        bytes
    }

    fn push_relay_port(&self, encoder: &mut Encoder<'_>) {
        let mut agent = Vec::new();
        let port = [
            (code::relay::CIRCUIT_ID, &self.circuit_id),
            (code::relay::REMOTE_ID, &self.remote_id),
        ];
        for (sub, data) in port {
            // A sub-option that is longer than its length can say is none.
            if let Some(len) = u8::try_from(data.len()).ok().filter(|it| *it != 0) {
                agent.extend_from_slice(&[sub, len]);
                agent.extend_from_slice(data);
            }
        }
        if !agent.is_empty() {
            encoder.option(code::RELAY_AGENT, &agent);
        }
    }
}

/// SMBIOS keeps the first three fields little-endian; a zero tells the kind.
fn uuid_on_the_wire(text: [u8; 16]) -> [u8; 17] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = text;
    let mut wire = [0, d, c, b, a, f, e, h, g, 0, 0, 0, 0, 0, 0, 0, 0];
    wire[9..].copy_from_slice(&rest);
    wire
}
