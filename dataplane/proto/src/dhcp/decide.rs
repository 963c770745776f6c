//! Carries out what was judged: leases change, replies and events are queued.

use std::net::Ipv4Addr;

use ironherd_leases::{Ask, Change, Lease, State};

use super::answer::{Answer, write_nak};
use super::destination::SERVER_PORT;
use super::judge::{Effect, Judge, Judged, Verdict};
use super::outbox::Waiting;
use super::request::Request;
use super::{Destination, Reply, Server, lease_event};
use crate::boot::{BootFile, NoBootFile};
use crate::{BootStage, DropReason, Event, LeaseChange};

/// A lease is written to last a little longer than promised, so that repeats need no new record.
const SLACK_SECONDS_MAX: u64 = 30;
/// How often one message may lose the race for an address to another shard.
const RACES_MAX: u32 = 8;

impl Server {
    pub(super) fn decide(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        let mode = self.foreign.mode(request, self.now.instant, self.config.foreign_memory);
        for _ in 0..RACES_MAX {
            match (Judge { leases: &mut self.leases, mode }).judge(request)? {
                // Another shard may have taken the address since it was chosen: choose again.
                Verdict::Answer(judged) => {
                    if self.answer(request, judged) {
                        return Ok(());
                    }
                }
                Verdict::Nak { why, to } => {
                    self.refuse(request, why, to);
                    return Ok(());
                }
                Verdict::Decline { ask, address } => return self.decline(request, &ask, address),
                Verdict::Release { address } => return self.release(request, address),
                Verdict::OtherServer(server) => {
                    self.other_server(request, server);
                    return Err(DropReason::DhcpOtherServer);
                }
            }
        }
        Err(DropReason::DhcpNoAddress)
    }

    /// `false`: the address is another's by now.
    fn answer(&mut self, request: &Request<'_>, judged: Judged<'_>) -> bool {
        let Judged { answer, effect, to, source_port, .. } = judged;
        match effect {
            Effect::Keep(ask) => {
                let hold_until = self.now.wall.0 + self.config.offer_hold.as_secs();
                let probes = request.index.snapshot().settings.conflict_probes;
                let before = if probes { self.leases.lease_at(answer.address) } else { None };
                let Ok(lease) = self.leases.keep(&ask, answer.address, hold_until) else {
                    return false;
                };
                if probes {
                    self.probe(request, &lease, before);
                }
            }
            Effect::Bind(ask) => return self.grant(request, &ask, answer, to),
            Effect::Boot | Effect::None => {}
        }
        self.send(request, &answer, to, source_port);
        if matches!(effect, Effect::Boot) {
            self.tell_boot(request, answer.boot);
        }
        true
    }

    /// `false`: the address is another's by now.
    fn grant(
        &mut self,
        request: &Request<'_>,
        ask: &Ask<'_>,
        mut answer: Answer,
        to: Destination,
    ) -> bool {
        let (address, lease_seconds) = (answer.address, answer.lease_seconds.unwrap_or(0));
        let until = self.written_until(request, address, lease_seconds);
        let Ok(grant) = self.leases.bind(ask, address, until) else { return false };
        // A lease that drains ends when it was to end: no more than that is promised.
        let left = grant.lease.expires.saturating_sub(self.now.wall.0);
        answer.lease_seconds = Some(lease_seconds.min(u32::try_from(left).unwrap_or(u32::MAX)));
        let mut payload = self.outbox.buffer();
        answer.write(request, &mut (), &mut payload);
        let reply = Reply { link: request.link.index, to, source_port: SERVER_PORT };
        let change = match grant.change {
            Change::Granted => Some(LeaseChange::Granted),
            Change::Renewed => Some(LeaseChange::Renewed),
            Change::Repeated => None,
        };
        let event = change.map(|it| lease_event(it, &grant.lease, request.hostname()));
        self.tell_boot(request, answer.boot);
        self.send_promise(grant.lease, reply, payload, event);
        true
    }

    /// When the lease shall end on disk: as it stands if that covers what is promised now, else
    /// with some slack.
    fn written_until(&self, request: &Request<'_>, address: Ipv4Addr, lease_seconds: u32) -> u64 {
        // The clock was cut to whole seconds: the client's lease may end within the next one.
        let promised = self.now.wall.0 + u64::from(lease_seconds) + 1;
        let covers =
            |it: Lease| it.mac == request.mac && it.state == State::Bound && promised <= it.expires;
        if self.leases.lease_at(address).is_some_and(covers) {
            return promised;
        }
        promised + SLACK_SECONDS_MAX.min(u64::from(lease_seconds) / 8)
    }

    /// Queues an ACK until its lease is on disk; sends it at once if it already is.
    fn send_promise(&mut self, lease: Lease, reply: Reply, payload: Vec<u8>, event: Option<Event>) {
        if lease.position <= self.leases.committed() {
            if let Some(event) = event {
                self.push_event(event);
            }
            self.outbox.push_ready(reply, payload);
            return;
        }
        let Lease { position, mac, address, .. } = lease;
        self.outbox.push_waiting(Waiting { position, mac, address, reply, payload, event });
    }

    fn refuse(&mut self, request: &Request<'_>, why: &str, to: Destination) {
        let mut payload = self.outbox.buffer();
        write_nak(request, why, &mut (), &mut payload);
        let reply = Reply { link: request.link.index, to, source_port: SERVER_PORT };
        self.outbox.push_ready(reply, payload);
    }

    fn decline(
        &mut self,
        request: &Request<'_>,
        ask: &Ask<'_>,
        address: Ipv4Addr,
    ) -> Result<(), DropReason> {
        let until = self.now.wall.0 + self.config.decline_quarantine.as_secs();
        let declined = self.leases.decline(ask, address, until);
        let lease = declined.ok_or(DropReason::DhcpNotHolder)?;
        self.push_lease_event(LeaseChange::Declined, &lease, request.hostname());
        Ok(())
    }

    fn release(&mut self, request: &Request<'_>, address: Ipv4Addr) -> Result<(), DropReason> {
        let released = self.leases.release(request.mac, address, self.now.wall.0);
        let lease = released.ok_or(DropReason::DhcpNotHolder)?;
        self.push_lease_event(LeaseChange::Released, &lease, request.hostname());
        Ok(())
    }

    /// Our offer is free again, and somebody else serves here.
    fn other_server(&mut self, request: &Request<'_>, server: Ipv4Addr) {
        for subnet in request.together() {
            if let Some(network) = request.network(*subnet) {
                self.leases.withdraw_offer(request.mac, network, self.now.wall.0);
            }
        }
        if let Some(event) = self.foreign.learn(request, server, self.now.instant) {
            self.push_event(event);
        }
    }

    fn send(&mut self, request: &Request<'_>, answer: &Answer, to: Destination, port: u16) {
        let mut payload = self.outbox.buffer();
        answer.write(request, &mut (), &mut payload);
        let reply = Reply { link: request.link.index, to, source_port: port };
        self.outbox.push_ready(reply, payload);
    }

    fn tell_boot(&mut self, request: &Request<'_>, boot: Result<BootFile, NoBootFile>) {
        let detail = match boot {
            Ok(boot) => Some(boot.detail),
            Err(why) => why.complaint(),
        };
        if let Some(detail) = detail {
            let (mac, stage) = (request.mac, BootStage::Dhcp);
            self.push_event(Event::Boot { mac, stage, detail });
        }
    }
}
