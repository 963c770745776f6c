//! What each message means for the leases, and what is answered (RFC 2131 §4.3). A judgement
//! changes nothing, so that explaining and answering can share it.

use std::net::Ipv4Addr;

use ironherd_leases::{Ask, Choice, ChoiceReason, Lease, State, Table};
use ironherd_snapshot::DhcpMode;
use ironherd_wire::dhcp::{MessageType, code};

use super::answer::Answer;
use super::destination::{PROXY_PORT, SERVER_PORT, destination, informed, unicast};
use super::request::Request;
use super::scopes::Scopes;
use super::{Destination, ServerPort};
use crate::DropReason;
use crate::boot::{self, BootFile, Boots, NoBootFile};

/// What shall happen.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    Answer(Judged<'a>),
    Nak {
        why: &'static str,
        to: Destination,
    },
    Decline {
        ask: Ask<'a>,
        address: Ipv4Addr,
    },
    Release {
        address: Ipv4Addr,
    },
    /// The client chose another server: nothing is sent, and something was learnt.
    OtherServer(Ipv4Addr),
}

/// An answer, where it goes, and what must happen to the lease first.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) answer: Answer,
    pub(super) effect: Effect<'a>,
    pub(super) to: Destination,
    pub(super) source_port: u16,
    /// Why this address, if we chose it.
    pub(super) reason: Option<ChoiceReason>,
}

#[derive(Debug)]
pub(super) enum Effect<'a> {
    /// Keep the address for a while.
    Keep(Ask<'a>),
    /// Bind the address; the answer waits for the disk.
    Bind(Ask<'a>),
    /// Nothing, but a boot begins.
    Boot,
    None,
}

/// The lease table, and what else a judgement goes by.
pub(super) struct Judge<'t> {
    pub(super) leases: &'t mut Table,
    /// What is done here, once `Auto` is resolved: never `Auto` itself.
    pub(super) mode: DhcpMode,
}

impl Judge<'_> {
    pub(super) fn judge<'a>(&mut self, request: &Request<'a>) -> Result<Verdict<'a>, DropReason> {
        if self.mode == DhcpMode::Off {
            return Err(DropReason::DhcpOff);
        }
        if request.port == ServerPort::Proxy4011 {
            return proxy_request(request);
        }
        // An offer that could not become a lease would only keep other servers from answering.
        let needs_journal = matches!(request.kind, MessageType::Discover | MessageType::Request);
        if needs_journal && self.mode == DhcpMode::Full && self.leases.is_failed() {
            return Err(DropReason::DhcpJournal);
        }
        match request.kind {
            MessageType::Discover if self.mode == DhcpMode::Proxy => proxy_offer(request),
            MessageType::Discover => self.discover(request),
            MessageType::Request => self.request(request),
            MessageType::Inform => self.inform(request),
            MessageType::Decline => {
                for_us(request)?;
                let address =
                    request.message.requested_address().ok_or(DropReason::DhcpMalformed)?;
                Ok(Verdict::Decline { ask: request.ask(request.subnet_of(address)?), address })
            }
            MessageType::Release => {
                for_us(request)?;
                Ok(Verdict::Release { address: request.message.ciaddr() })
            }
            MessageType::Offer | MessageType::Ack | MessageType::Nak => {
                Err(DropReason::DhcpMessageType)
            }
        }
    }

    fn discover<'a>(&mut self, request: &Request<'a>) -> Result<Verdict<'a>, DropReason> {
        let here = request.subnet_here()?;
        let Some((ask, Choice { address, reason })) = self.choose(request) else {
            return without_address(request, here);
        };
        // There is no time to look whether somebody squats on it.
        let known = matches!(reason, ChoiceReason::Reserved | ChoiceReason::Last);
        let probed = request.index.snapshot().settings.conflict_probes && !known;
        let rapid_commit = request.message.option(code::RAPID_COMMIT).is_some() && !probed;
        let kind = if rapid_commit { MessageType::Ack } else { MessageType::Offer };
        let to = destination(request, kind, address)?;
        let answer = Answer { rapid_commit, ..full(request, kind, ask.subnet, address)? };
        let effect = if rapid_commit { Effect::Bind(ask) } else { Effect::Keep(ask) };
        let (source_port, reason) = (SERVER_PORT, Some(reason));
        Ok(Verdict::Answer(Judged { answer, effect, to, source_port, reason }))
    }

    /// An address of any subnet on the client's link. Where one is reserved, leased or asked for,
    /// that subnet goes first.
    fn choose<'a>(&mut self, request: &Request<'a>) -> Option<(Ask<'a>, Choice)> {
        let wish = request.message.requested_address();
        let together = request.together();
        let first = if together.len() < 2 { None } else { self.home(request, wish) };
        let others = together.iter().copied().filter(|it| Some(*it) != first);
        first.into_iter().chain(others).find_map(|subnet| {
            let ask = request.ask(subnet);
            let choice = self.leases.choose(&ask, wish).ok()?;
            Some((ask, choice))
        })
    }

    fn home(&self, request: &Request<'_>, wish: Option<Ipv4Addr>) -> Option<usize> {
        let places = || request.together().iter().copied();
        let reserved = places().find(|it| request.reservation(*it).is_some());
        let lease = |it: &usize| self.leases.lease_of(request.mac, request.network(*it)?);
        let holds = |it: &usize| lease(it).is_some_and(|it| it.state != State::Free);
        let leased = || places().find(holds).or_else(|| places().find(|it| lease(it).is_some()));
        reserved.or_else(leased).or_else(|| request.together_of(wish?))
    }

    /// Tells the four states of a client apart (RFC 2131 §4.3.2).
    fn request<'a>(&mut self, request: &Request<'a>) -> Result<Verdict<'a>, DropReason> {
        let message = &request.message;
        let (wish, ciaddr) = (message.requested_address(), message.ciaddr());
        let has_address = !ciaddr.is_unspecified();
        let server = message.server_id();
        if let Some(other) = server.filter(|_| !request.is_for_us()) {
            return Ok(Verdict::OtherServer(other));
        }
        // In mode AUTO whoever has a lease of ours keeps it, else one forged word of a foreign
        // server would take them all away.
        let keeps = || {
            let held = self.leases.lease_at(ciaddr);
            let is_own = |it: &Lease| it.mac == request.mac && it.state == State::Bound;
            request.mode() == DhcpMode::Auto && held.as_ref().is_some_and(is_own)
        };
        if self.mode == DhcpMode::Proxy && !(has_address && keeps()) {
            return Err(DropReason::DhcpProxyOnly);
        }
        match (server, wish) {
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

    fn select<'a>(
        &mut self,
        request: &Request<'a>,
        address: Ipv4Addr,
    ) -> Result<Verdict<'a>, DropReason> {
        let here = request.subnet_here()?;
        let ask = request.ask(request.together_of(address).unwrap_or(here));
        match self.leases.can_bind(&ask, address) {
            Ok(()) => grant(request, ask, address),
            Err(_) => refuse(request, "the address is not available"),
        }
    }

    /// INIT-REBOOT: the client remembers an address and asks whether it may go on.
    fn init_reboot<'a>(
        &mut self,
        request: &Request<'a>,
        address: Ipv4Addr,
    ) -> Result<Verdict<'a>, DropReason> {
        request.subnet_here()?;
        let Some(subnet) = request.together_of(address) else {
            return refuse(request, "wrong network");
        };
        let ask = request.ask(subnet);
        let reserved = request.together().iter().find_map(|it| request.reservation(*it));
        if reserved.is_some_and(|it| it.address != address) && ask.reserved != Some(address) {
            return self.refuse_ours(request, address, "another address is reserved");
        }
        let known = self.leases.lease_of(request.mac, request.subnet(subnet)?.cidr.network());
        let expected = ask.reserved.or(known.map(|it| it.address));
        match self.leases.can_bind(&ask, address) {
            Ok(()) if expected.is_none_or(|it| it == address) => {
                // Without a record another server may hold one, and we must be silent. A boot
                // client has nobody but us, and would lose minutes.
                if expected.is_none() && !request.client.boots() {
                    return Err(DropReason::DhcpUnknownClient);
                }
                grant(request, ask, address)
            }
            // It has a newer lease with us, but what it asks for is free: serve it.
            Ok(()) if request.client.boots() => grant(request, ask, address),
            Ok(()) | Err(_) => self.refuse_ours(request, address, "the address is not yours"),
        }
    }

    /// RENEWING and REBINDING: the client uses the address. It may sit behind a router, so the
    /// address itself says which subnet is meant.
    fn renew<'a>(
        &mut self,
        request: &Request<'a>,
        address: Ipv4Addr,
    ) -> Result<Verdict<'a>, DropReason> {
        let ask = request.ask(request.subnet_of(address)?);
        // A relay hears broadcasts alone, so it says where the client is by now (REBINDING).
        let relayed = !request.message.giaddr().is_unspecified() && !request.together().is_empty();
        if relayed && request.together_of(address).is_none() {
            return refuse(request, "wrong network");
        }
        match self.leases.can_bind(&ask, address) {
            Ok(()) => grant(request, ask, address),
            Err(_) => self.refuse_ours(request, address, "the address is no longer yours"),
        }
    }

    /// Says no to a client that holds a lease of ours. About any other we know nothing: a second
    /// rack on the network may have granted what it asks for, and a NAK would take that away.
    fn refuse_ours<'a>(
        &self,
        request: &Request<'a>,
        address: Ipv4Addr,
        why: &'static str,
    ) -> Result<Verdict<'a>, DropReason> {
        let holds = |it: Lease| it.mac == request.mac && it.state == State::Bound;
        let meant = request.index.subnet_of(address).map(|(at, _)| at);
        let places = meant.into_iter().chain(request.together().iter().copied());
        let mut of_card =
            places.filter_map(|it| self.leases.lease_of(request.mac, request.network(it)?));
        if of_card.any(holds) || self.leases.lease_at(address).is_some_and(holds) {
            return refuse(request, why);
        }
        Err(DropReason::DhcpUnknownClient)
    }

    /// INFORM: the client has an address of its own and wants to know the rest.
    fn inform<'a>(&self, request: &Request<'a>) -> Result<Verdict<'a>, DropReason> {
        if self.mode == DhcpMode::Proxy {
            return Err(DropReason::DhcpProxyOnly);
        }
        let to = informed(request)?;
        let ciaddr = request.message.ciaddr();
        let subnet = request.subnet_of(ciaddr).or_else(|_| request.subnet_here())?;
        let answer = Answer {
            lease_seconds: None,
            ..full(request, MessageType::Ack, subnet, Ipv4Addr::UNSPECIFIED)?
        };
        let (effect, source_port, reason) = (Effect::None, SERVER_PORT, None);
        Ok(Verdict::Answer(Judged { answer, effect, to, source_port, reason }))
    }
}

fn for_us(request: &Request<'_>) -> Result<(), DropReason> {
    if request.is_for_us() { Ok(()) } else { Err(DropReason::DhcpOtherServer) }
}

fn grant<'a>(
    request: &Request<'a>,
    ask: Ask<'a>,
    address: Ipv4Addr,
) -> Result<Verdict<'a>, DropReason> {
    let to = destination(request, MessageType::Ack, address)?;
    let answer = full(request, MessageType::Ack, ask.subnet, address)?;
    let reserved = ask.reserved == Some(address);
    let reason = if reserved { ChoiceReason::Reserved } else { ChoiceReason::Requested };
    let (effect, source_port, reason) = (Effect::Bind(ask), SERVER_PORT, Some(reason));
    Ok(Verdict::Answer(Judged { answer, effect, to, source_port, reason }))
}

fn refuse<'a>(request: &Request<'a>, why: &'static str) -> Result<Verdict<'a>, DropReason> {
    let to = destination(request, MessageType::Nak, Ipv4Addr::UNSPECIFIED)?;
    Ok(Verdict::Nak { why, to })
}

/// No address is left. A client that asks (option 116) is told whether to take one by itself
/// (RFC 2563), if any scope says so.
fn without_address<'a>(request: &Request<'a>, here: usize) -> Result<Verdict<'a>, DropReason> {
    let nobody = Ipv4Addr::UNSPECIFIED;
    let asked = request.message.option(code::AUTO_CONFIGURE).is_some();
    let told = Scopes::of(request, here, nobody).find(code::AUTO_CONFIGURE);
    if !asked || told.is_none_or(|(_, it)| it.data.is_empty()) {
        return Err(DropReason::DhcpNoAddress);
    }
    let to = destination(request, MessageType::Offer, nobody)?;
    let boot = Err(NoBootFile::NotBooting);
    let answer =
        Answer { lease_seconds: None, boot, ..full(request, MessageType::Offer, here, nobody)? };
    let (effect, source_port, reason) = (Effect::None, SERVER_PORT, None);
    Ok(Verdict::Answer(Judged { answer, effect, to, source_port, reason }))
}

/// The answer of a server that gives addresses.
fn full(
    request: &Request<'_>,
    kind: MessageType,
    subnet: usize,
    address: Ipv4Addr,
) -> Result<Answer, DropReason> {
    let has_address = !address.is_unspecified();
    let at = if has_address { address } else { request.message.ciaddr() };
    Ok(Answer {
        kind,
        address,
        lease_seconds: Some(request.subnet(subnet)?.lease_seconds),
        subnet: Some(subnet),
        boot: boot_file(request, Some((subnet, at))),
        pxe_server: false,
        rapid_commit: false,
    })
}

/// Beside a foreign server: boot files for who boots, and nothing for anybody else.
fn proxy_offer<'a>(request: &Request<'a>) -> Result<Verdict<'a>, DropReason> {
    let nobody = Ipv4Addr::UNSPECIFIED;
    let to = destination(request, MessageType::Offer, nobody)?;
    proxy(request, MessageType::Offer, to, SERVER_PORT)
}

/// Port 4011: the client has its address and asks for the boot file alone.
fn proxy_request<'a>(request: &Request<'a>) -> Result<Verdict<'a>, DropReason> {
    if !matches!(request.kind, MessageType::Request | MessageType::Inform) {
        return Err(DropReason::DhcpNotBooting);
    }
    proxy(request, MessageType::Ack, unicast(request.source)?, PROXY_PORT)
}

fn proxy<'a>(
    request: &Request<'a>,
    kind: MessageType,
    to: Destination,
    source_port: u16,
) -> Result<Verdict<'a>, DropReason> {
    let boot = boot_file(request, request.here.map(|it| (it, Ipv4Addr::UNSPECIFIED)));
    if boot.is_err() {
        return Err(DropReason::DhcpNotBooting);
    }
    let answer = Answer {
        kind,
        address: Ipv4Addr::UNSPECIFIED,
        lease_seconds: None,
        subnet: None,
        boot,
        pxe_server: true,
        rapid_commit: false,
    };
    Ok(Verdict::Answer(Judged { answer, effect: Effect::Boot, to, source_port, reason: None }))
}

/// `place`: subnet and address, for the options that hold there.
fn boot_file(
    request: &Request<'_>,
    place: Option<(usize, Ipv4Addr)>,
) -> Result<BootFile, NoBootFile> {
    let Request { index, link, mac, client, machine, classes, .. } = *request;
    let scopes = place.map(|(subnet, address)| Scopes::of(request, subnet, address));
    let option = scopes.and_then(|it| it.find(code::BOOT_FILE)).map(|(_, it)| &it.data[..]);
    let option = option.filter(|it| !it.is_empty());
    let boots = Boots { index, link, mac, client, machine, classes, option };
    boot::boot_file(&boots, &request.message)
}
