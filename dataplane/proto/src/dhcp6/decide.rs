//! What each message means for the leases, and what is answered (RFC 9915 §18.3).

use ironherd_leases::v6::Block;
use ironherd_wire::dhcp6::{Ia, IaKind, MessageType, code::status};

use super::Server;
use super::answer::Answer;
use super::bindings::{IaAnswer, Promise, kind_of};
use super::outbox::Waiting;
use super::request::Request;
use crate::boot::BootFile;
use crate::{BootStage, DropReason, Event, LeaseChange};

/// Associations looked at in one message.
const IAS_MAX: usize = 16;

/// Whether a message must name its server, must not, or may (RFC 9915 §16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Us,
    Nobody,
    UsOrNobody,
}

const fn names(kind: MessageType) -> Names {
    match kind {
        MessageType::Request | MessageType::Renew | MessageType::Release | MessageType::Decline => {
            Names::Us
        }
        MessageType::InformationRequest => Names::UsOrNobody,
        _ => Names::Nobody,
    }
}

impl Server {
    pub(super) fn decide(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        let kind = request.message.kind;
        match (names(kind), request.message.server_id()) {
            (Names::Us, None) | (Names::Nobody, Some(_)) => return Err(DropReason::Dhcp6ServerId),
            (_, Some(id)) if id != self.duid => return Err(DropReason::Dhcp6OtherServer),
            _ => {}
        }
        let grants =
            [MessageType::Solicit, MessageType::Request, MessageType::Renew, MessageType::Rebind];
        // An offer that could not become a lease would only keep other servers from answering.
        if grants.contains(&kind) && self.leases.is_failed() {
            return Err(DropReason::Dhcp6Journal);
        }
        let ias: Vec<Ia<'_>> = request.message.ias().take(IAS_MAX).collect();
        match kind {
            MessageType::Solicit => self.solicit(request, &ias),
            MessageType::Request => self.request(request, &ias),
            MessageType::Renew | MessageType::Rebind => self.renew(request, &ias),
            MessageType::Confirm => self.confirm(request, &ias),
            MessageType::Release => self.give_up(request, &ias),
            MessageType::Decline => self.give_up(request, &ias),
            MessageType::InformationRequest if ias.is_empty() => self.inform(request),
            // It asks for configuration alone (RFC 9915 §16.12).
            MessageType::InformationRequest => Err(DropReason::Dhcp6Malformed),
            _ => Err(DropReason::Dhcp6NotRequest),
        }
    }

    fn solicit(&mut self, request: &Request<'_>, ias: &[Ia<'_>]) -> Result<(), DropReason> {
        let rapid = request.message.wants_rapid_commit();
        let mut promise = Promise::default();
        let mut taken = Vec::new();
        let mut answers = Vec::with_capacity(ias.len());
        for ia in ias {
            let promise = rapid.then_some(&mut promise);
            answers.push(self.assign(request, ia, &mut taken, promise));
        }
        // Without a lease there is nothing to commit: say so in an ADVERTISE.
        let commits = rapid && answers.iter().any(IaAnswer::has_lease);
        let kind = if commits { MessageType::Reply } else { MessageType::Advertise };
        if !commits {
            self.probe(request, &answers);
        }
        let answer = Answer { rapid: commits, ..Answer::of(kind, answers) };
        self.send_promise(request, answer, promise);
        Ok(())
    }

    fn request(&mut self, request: &Request<'_>, ias: &[Ia<'_>]) -> Result<(), DropReason> {
        let mut promise = Promise::default();
        let mut taken = Vec::new();
        let assign = |ia| self.assign(request, ia, &mut taken, Some(&mut promise));
        let answers = ias.iter().map(assign).collect();
        self.send_promise(request, Answer::of(MessageType::Reply, answers), promise);
        Ok(())
    }

    fn renew(&mut self, request: &Request<'_>, ias: &[Ia<'_>]) -> Result<(), DropReason> {
        let mut promise = Promise::default();
        let mut taken = Vec::new();
        let extend = |ia| self.extend(request, ia, &mut taken, &mut promise);
        let answers: Vec<_> = ias.iter().filter_map(extend).collect();
        if answers.is_empty() && !ias.is_empty() {
            return Err(DropReason::Dhcp6UnknownClient);
        }
        self.send_promise(request, Answer::of(MessageType::Reply, answers), promise);
        Ok(())
    }

    /// The client came up again and asks whether its addresses still fit the link. Leases do not
    /// matter here.
    fn confirm(&mut self, request: &Request<'_>, ias: &[Ia<'_>]) -> Result<(), DropReason> {
        let addresses = ias.iter().filter(|it| it.kind != IaKind::Prefix).flat_map(Ia::resources);
        let mut addresses = addresses.map(|it| it.address).peekable();
        if addresses.peek().is_none() {
            return Err(DropReason::Dhcp6NothingToConfirm);
        }
        let fits = addresses.all(|it| request.subnet_of(it).is_some());
        let status = if fits {
            (status::SUCCESS, "every address fits the link")
        } else {
            (status::NOT_ON_LINK, "an address does not fit the link")
        };
        let answer = Answer { status: Some(status), ..Answer::of(MessageType::Reply, Vec::new()) };
        self.send(request, &answer);
        Ok(())
    }

    /// RELEASE and DECLINE: all is well, but for associations that we know nothing of.
    fn give_up(&mut self, request: &Request<'_>, ias: &[Ia<'_>]) -> Result<(), DropReason> {
        let declines = request.message.kind == MessageType::Decline;
        let until = self.now.wall.0 + self.config.decline_quarantine.as_secs();
        let mut answers = Vec::new();
        for ia in ias {
            let holder = kind_of(ia.kind).map(|kind| request.association(ia.id, kind));
            let mut known = false;
            for resource in ia.resources().take(IAS_MAX) {
                let block = Block { address: resource.address, len: resource.len };
                let Some(holder) = &holder else { continue };
                let (ended, change) = if declines {
                    (self.leases.decline(holder, block, until), LeaseChange::Declined)
                } else {
                    let now = self.now.wall.0;
                    (self.leases.release(holder, block, now), LeaseChange::Released)
                };
                known |= ended.is_some();
                self.push_lease_event(change, ended);
                self.push_card(block);
            }
            if !known {
                answers.push(IaAnswer::no_binding(ia));
            }
        }
        let status = Some((status::SUCCESS, if declines { "declined" } else { "released" }));
        let answer = Answer { status, ..Answer::of(MessageType::Reply, answers) };
        self.send(request, &answer);
        Ok(())
    }

    /// The client has addresses of its own and wants to know the rest.
    fn inform(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        let answer = Answer::of(MessageType::Reply, Vec::new()).configured(request);
        self.send(request, &answer);
        self.push_boot(request, answer.boot);
        Ok(())
    }

    /// Queues a reply until its leases are on disk; sends it at once if they already are.
    fn send_promise(&mut self, request: &Request<'_>, answer: Answer, promise: Promise) {
        let answer = answer.configured(request);
        let commits = answer.kind == MessageType::Reply;
        if promise.position <= self.leases.committed() {
            self.send(request, &answer);
            self.push_boot(request, answer.boot.filter(|_| commits));
            return;
        }
        let mut payload = Vec::new();
        answer.write(request, &self.duid, &mut payload);
        let Promise { position, blocks: promised, .. } = promise;
        let event = answer.boot.and_then(|it| boot_event(request, it));
        let reply = request.reply;
        self.outbox.push_waiting(Waiting { position, promised, reply, payload, event });
    }

    fn send(&mut self, request: &Request<'_>, answer: &Answer) {
        let mut payload = Vec::new();
        answer.write(request, &self.duid, &mut payload);
        self.outbox.push_ready(request.reply, payload);
    }

    fn push_boot(&mut self, request: &Request<'_>, boot: Option<BootFile>) {
        if let Some(event) = boot.and_then(|it| boot_event(request, it)) {
            self.push_event(event);
        }
    }
}

fn boot_event(request: &Request<'_>, boot: BootFile) -> Option<Event> {
    Some(Event::Boot { mac: request.card()?, stage: BootStage::Dhcp, detail: boot.detail })
}
