//! What each message means for the leases, and what is answered (RFC 2131 §4.3).

use std::net::{Ipv4Addr, SocketAddrV4};

use ironherd_leases::{Ask, Change, Lease, State};
use ironherd_wire::dhcp::MessageType;

use super::answer::{Answer, write_nak};
use super::destination::{SERVER_PORT, destination, informed, unicast};
use super::outbox::Waiting;
use super::request::Request;
use super::{Destination, Reply, Server, lease_event};
use crate::boot::{self, BootFile};
use crate::{BootStage, DropReason, Event, LeaseChange};

const PROXY_PORT: u16 = 4011;
/// A lease is written to last a little longer than promised, so that repeats need no new record.
const SLACK_SECONDS_MAX: u64 = 30;

impl Server {
    pub(super) fn decide(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        // An offer that could not become a lease would only keep other servers from answering.
        let needs_journal = matches!(request.kind, MessageType::Discover | MessageType::Request);
        if needs_journal && self.leases.is_failed() {
            return Err(DropReason::DhcpJournal);
        }
        match request.kind {
            MessageType::Discover => self.discover(request),
            MessageType::Request => self.request(request),
            MessageType::Decline => self.decline(request),
            MessageType::Release => self.release(request),
            MessageType::Inform => self.inform(request),
            MessageType::Offer | MessageType::Ack | MessageType::Nak => {
                Err(DropReason::DhcpMessageType)
            }
        }
    }

    fn discover(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        let subnet = request.subnet_here()?;
        let hold_until = self.now.wall.0 + self.config.offer_hold.as_secs();
        let wish = request.message.requested_address();
        let offer = self.leases.offer(&request.ask(subnet), wish, hold_until);
        let address = offer.map_err(|_| DropReason::DhcpNoAddress)?.address;
        let to = destination(request, MessageType::Offer, address)?;
        let boot = boot_file(request);
        let answer = Answer {
            kind: MessageType::Offer,
            address,
            lease_seconds: Some(request.subnet(subnet)?.lease_seconds),
            subnet: Some(subnet),
            boot: boot.as_ref(),
            pxe_server: false,
        };
        self.send(request, &answer, to, SERVER_PORT);
        Ok(())
    }

    /// Tells the four states of a client apart (RFC 2131 §4.3.2).
    fn request(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        let message = &request.message;
        let (wish, ciaddr) = (message.requested_address(), message.ciaddr());
        let has_address = !ciaddr.is_unspecified();
        match (message.server_id(), wish) {
            (Some(_), _) if !request.is_for_us() => {
                if let Ok(network) = network_here(request) {
                    self.leases.withdraw_offer(request.mac, network, self.now.wall.0);
                }
                Err(DropReason::DhcpOtherServer)
            }
            // SELECTING. Some clients repeat the address in `ciaddr` alone.
            (Some(_), wish) => match wish.or(has_address.then_some(ciaddr)) {
                Some(address) => self.select(request, address),
                None => Err(DropReason::DhcpMalformed),
            },
            (None, _) if has_address => self.renew(request, ciaddr),
            (None, Some(address)) => self.init_reboot(request, address),
            (None, None) => Err(DropReason::DhcpMalformed),
        }
    }

    fn select(&mut self, request: &Request<'_>, address: Ipv4Addr) -> Result<(), DropReason> {
        let ask = request.ask(request.subnet_here()?);
        match self.leases.can_bind(&ask, address) {
            Ok(()) => self.grant(request, &ask, address),
            Err(_) => self.refuse(request, "the address is not available"),
        }
    }

    /// INIT-REBOOT: the client remembers an address and asks whether it may go on.
    fn init_reboot(&mut self, request: &Request<'_>, address: Ipv4Addr) -> Result<(), DropReason> {
        let subnet = request.subnet_here()?;
        if !request.subnet(subnet)?.cidr.contains(&address) {
            return self.refuse(request, "wrong network");
        }
        let ask = request.ask(subnet);
        let network = network_here(request)?;
        if ask.reserved.is_some_and(|it| it != address) {
            return self.refuse_ours(request, network, address, "another address is reserved");
        }
        let known = self.leases.lease_of(request.mac, network);
        let expected = ask.reserved.or(known.map(|it| it.address));
        match self.leases.can_bind(&ask, address) {
            Ok(()) if expected.is_none_or(|it| it == address) => {
                // Without a record another server may hold one, and we must be silent. A boot
                // client has nobody but us, and would lose minutes.
                if expected.is_none() && !request.client.boots() {
                    return Err(DropReason::DhcpUnknownClient);
                }
                self.grant(request, &ask, address)
            }
            // It has a newer lease with us, but what it asks for is free: serve it.
            Ok(()) if request.client.boots() => self.grant(request, &ask, address),
            Ok(()) | Err(_) => {
                self.refuse_ours(request, network, address, "the address is not yours")
            }
        }
    }

    /// RENEWING and REBINDING: the client uses the address. It may sit behind a router, so the
    /// address itself says which subnet is meant.
    fn renew(&mut self, request: &Request<'_>, address: Ipv4Addr) -> Result<(), DropReason> {
        let ask = request.ask(request.subnet_of(address)?);
        match self.leases.can_bind(&ask, address) {
            Ok(()) => self.grant(request, &ask, address),
            Err(_) => {
                let network = request.subnet(ask.subnet)?.cidr.network();
                self.refuse_ours(request, network, address, "the address is no longer yours")
            }
        }
    }

    /// Says no to a client that holds a lease of ours. About any other we know nothing: a second
    /// rack on the network may have granted what it asks for, and a NAK would take that away.
    fn refuse_ours(
        &mut self,
        request: &Request<'_>,
        network: Ipv4Addr,
        address: Ipv4Addr,
        why: &str,
    ) -> Result<(), DropReason> {
        let holds = |it: Lease| it.mac == request.mac && it.state == State::Bound;
        let of_card = self.leases.lease_of(request.mac, network);
        if [of_card, self.leases.lease_at(address)].into_iter().flatten().any(holds) {
            return self.refuse(request, why);
        }
        Err(DropReason::DhcpUnknownClient)
    }

    fn grant(
        &mut self,
        request: &Request<'_>,
        ask: &Ask<'_>,
        address: Ipv4Addr,
    ) -> Result<(), DropReason> {
        let to = destination(request, MessageType::Ack, address)?;
        let lease_seconds = request.subnet(ask.subnet)?.lease_seconds;
        let until = self.written_until(request, address, lease_seconds);
        let grant = self.leases.bind(ask, address, until).map_err(|_| DropReason::DhcpNoAddress)?;
        let boot = boot_file(request);
        let answer = Answer {
            kind: MessageType::Ack,
            address,
            lease_seconds: Some(lease_seconds),
            subnet: Some(ask.subnet),
            boot: boot.as_ref(),
            pxe_server: false,
        };
        let mut payload = self.outbox.buffer();
        answer.write(request, &mut payload);
        let reply = Reply { link: request.link.index, to, source_port: SERVER_PORT };
        let change = match grant.change {
            Change::Granted => Some(LeaseChange::Granted),
            Change::Renewed => Some(LeaseChange::Renewed),
            Change::Repeated => None,
        };
        let event = change.map(|it| lease_event(it, &grant.lease, request.hostname()));
        self.tell_boot(request, boot);
        self.send_promise(grant.lease, reply, payload, event);
        Ok(())
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

    fn refuse(&mut self, request: &Request<'_>, why: &str) -> Result<(), DropReason> {
        let to = destination(request, MessageType::Nak, Ipv4Addr::UNSPECIFIED)?;
        let mut payload = self.outbox.buffer();
        write_nak(request, why, &mut payload);
        let reply = Reply { link: request.link.index, to, source_port: SERVER_PORT };
        self.outbox.push_ready(reply, payload);
        Ok(())
    }

    fn decline(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        if !request.is_for_us() {
            return Err(DropReason::DhcpOtherServer);
        }
        let address = request.message.requested_address().ok_or(DropReason::DhcpMalformed)?;
        let ask = request.ask(request.subnet_of(address)?);
        let until = self.now.wall.0 + self.config.decline_quarantine.as_secs();
        let declined = self.leases.decline(&ask, address, until);
        let lease = declined.ok_or(DropReason::DhcpNotHolder)?;
        self.push_lease_event(LeaseChange::Declined, &lease, request.hostname());
        Ok(())
    }

    fn release(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        if !request.is_for_us() {
            return Err(DropReason::DhcpOtherServer);
        }
        let ciaddr = request.message.ciaddr();
        let released = self.leases.release(request.mac, ciaddr, self.now.wall.0);
        let lease = released.ok_or(DropReason::DhcpNotHolder)?;
        self.push_lease_event(LeaseChange::Released, &lease, request.hostname());
        Ok(())
    }

    /// INFORM: the client has an address of its own and wants to know the rest.
    fn inform(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        let to = informed(request)?;
        let ciaddr = request.message.ciaddr();
        let subnet = request.subnet_of(ciaddr).or_else(|_| request.subnet_here())?;
        let boot = boot_file(request);
        let answer = Answer {
            kind: MessageType::Ack,
            address: Ipv4Addr::UNSPECIFIED,
            lease_seconds: None,
            subnet: Some(subnet),
            boot: boot.as_ref(),
            pxe_server: false,
        };
        self.send(request, &answer, to, SERVER_PORT);
        Ok(())
    }

    /// Port 4011: the client has its address and asks for the boot file alone.
    pub(super) fn decide_proxy(&mut self, request: &Request<'_>) -> Result<(), DropReason> {
        let asks = matches!(request.kind, MessageType::Request | MessageType::Inform);
        let boot = boot_file(request).filter(|_| asks).ok_or(DropReason::DhcpNotBooting)?;
        let source: SocketAddrV4 = request.source;
        let to = unicast(source)?;
        let answer = Answer {
            kind: MessageType::Ack,
            address: Ipv4Addr::UNSPECIFIED,
            lease_seconds: None,
            subnet: None,
            boot: Some(&boot),
            pxe_server: true,
        };
        self.send(request, &answer, to, PROXY_PORT);
        self.tell_boot(request, Some(boot));
        Ok(())
    }

    fn send(&mut self, request: &Request<'_>, answer: &Answer<'_>, to: Destination, port: u16) {
        let mut payload = self.outbox.buffer();
        answer.write(request, &mut payload);
        let reply = Reply { link: request.link.index, to, source_port: port };
        self.outbox.push_ready(reply, payload);
    }

    fn tell_boot(&mut self, request: &Request<'_>, boot: Option<BootFile>) {
        if let Some(boot) = boot {
            let (mac, stage, detail) = (request.mac, BootStage::Dhcp, boot.detail);
            self.push_event(Event::Boot { mac, stage, detail });
        }
    }
}

fn boot_file(request: &Request<'_>) -> Option<BootFile> {
    boot::boot_file(request.index, request.link, request.mac, request.client, &request.message)
}

fn network_here(request: &Request<'_>) -> Result<Ipv4Addr, DropReason> {
    Ok(request.subnet(request.subnet_here()?)?.cidr.network())
}
