//! What each identity association of a message gets.

use ironherd_leases::v6::{Ask6, Association, Block, Kind};
use ironherd_leases::{Position, State};
use ironherd_wire::dhcp6::{Ia, IaKind, MessageType, code::status};

use super::Server;
use super::request::Request;

/// An association as the reply shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IaAnswer {
    pub(super) kind: IaKind,
    pub(super) id: u32,
    pub(super) given: Vec<Given>,
    pub(super) status: Option<(u16, &'static str)>,
}

/// One address or prefix with its lifetimes; both zero: it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) block: Block,
    pub(super) preferred: u32,
    pub(super) valid: u32,
    /// Of which subnet it is; `None` where it is over.
    pub(super) subnet: Option<usize>,
}

/// What the journal must hold before the reply may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) position: Position,
    pub(super) blocks: Vec<(Block, Association)>,
    /// Whether a lease is new to the client.
    pub(super) granted: bool,
}

/// A lease is written to last a little longer than promised, so that repeats need no new record.
const SLACK_SECONDS_MAX: u64 = 30;

impl IaAnswer {
    pub(super) fn of(ia: &Ia<'_>) -> Self {
        Self { kind: ia.kind, id: ia.id, given: Vec::new(), status: None }
    }

    fn with_status(ia: &Ia<'_>, status: u16, text: &'static str) -> Self {
        Self { status: Some((status, text)), ..Self::of(ia) }
    }

    fn nothing_left(ia: &Ia<'_>) -> Self {
        match ia.kind {
            IaKind::Prefix => Self::with_status(ia, status::NO_PREFIXES, "no prefix is free"),
            IaKind::Address => Self::with_status(ia, status::NO_ADDRESSES, "no address is free"),
            IaKind::Temporary => {
                Self::with_status(ia, status::NO_ADDRESSES, "temporary addresses are not given")
            }
        }
    }

    pub(super) fn no_binding(ia: &Ia<'_>) -> Self {
        Self::with_status(ia, status::NO_BINDING, "nothing is known of this association")
    }

    pub(super) fn has_lease(&self) -> bool {
        self.given.iter().any(|it| it.subnet.is_some())
    }
}

pub(super) const fn kind_of(kind: IaKind) -> Option<Kind> {
    match kind {
        IaKind::Address => Some(Kind::Address),
        IaKind::Prefix => Some(Kind::Prefix),
        IaKind::Temporary => None,
    }
}

impl Server {
    /// Gives an association something new, or the same again. Without a promise it only says what
    /// that would be.
    pub(super) fn assign(
        &mut self,
        request: &Request<'_>,
        ia: &Ia<'_>,
        taken: &mut Vec<Block>,
        promise: Option<&mut Promise>,
    ) -> IaAnswer {
        let Some(kind) = kind_of(ia.kind) else { return IaAnswer::nothing_left(ia) };
        let wishes: Vec<Block> = blocks(ia).collect();
        let off_link = |it: &Block| request.subnet_of(it.address).is_none();
        let is_request = request.message.kind == MessageType::Request;
        if is_request && kind == Kind::Address && wishes.iter().any(off_link) {
            return IaAnswer::with_status(ia, status::NOT_ON_LINK, "not an address of this link");
        }
        let holder = request.association(ia.id, kind);
        let found = self.choose(request, &holder, &wishes, taken);
        let Some((subnet, block)) = found else { return IaAnswer::nothing_left(ia) };
        taken.push(block);
        let mut answer = IaAnswer::of(ia);
        let given = match promise {
            None => self.given(request, subnet, block),
            Some(promise) => self.grant(request, &holder, subnet, block, promise),
        };
        answer.given.extend(given);
        if answer.given.is_empty() { IaAnswer::nothing_left(ia) } else { answer }
    }

    /// A reservation goes first, then where the client has a lease, then the order of the link.
    fn choose(
        &mut self,
        request: &Request<'_>,
        holder: &Association,
        wishes: &[Block],
        taken: &[Block],
    ) -> Option<(usize, Block)> {
        let rank = |at: &usize| {
            let network = request.subnet(*at).map(|it| it.cidr.network());
            let lease = network.and_then(|it| self.leases.lease_of(holder, it));
            let is_bound = lease.is_some_and(|it| it.state == State::Bound);
            (request.reserved(*at, holder.kind).is_none(), !is_bound)
        };
        let mut subnets = request.subnets.clone();
        subnets.sort_by_key(rank);
        subnets.into_iter().find_map(|subnet| {
            let mut ask = ask(request, holder, subnet);
            // Of two associations in one message the first gets what is reserved.
            ask.reserved = ask.reserved.filter(|it| !taken.contains(it));
            let wish = wishes.iter().find(|it| self.leases.can_bind(&ask, **it).is_ok());
            let wish = wish.or(wishes.first()).copied();
            let block = self.leases.choose(&ask, wish).filter(|it| !taken.contains(it))?;
            Some((subnet, block))
        })
    }

    /// RENEW and REBIND: what the client holds goes on, or is over and something else begins.
    /// `None`: another server may know this association, and we must not speak for it.
    pub(super) fn extend(
        &mut self,
        request: &Request<'_>,
        ia: &Ia<'_>,
        taken: &mut Vec<Block>,
        promise: &mut Promise,
    ) -> Option<IaAnswer> {
        let Some(kind) = kind_of(ia.kind) else { return Some(IaAnswer::no_binding(ia)) };
        let holder = request.association(ia.id, kind);
        let asked_us = request.message.kind == MessageType::Renew;
        let mut answer = IaAnswer::of(ia);
        let mut unknown = false;
        for block in blocks(ia) {
            if let Some(subnet) = self.subnet_for(request, &holder, block) {
                answer.given.extend(self.grant(request, &holder, subnet, block, promise));
                taken.push(block);
                continue;
            }
            let on_link = request.subnet_of(block.address).is_some() || kind == Kind::Prefix;
            let ours = self.leases.lease_at(block).is_some();
            if on_link && !ours && !asked_us {
                unknown = true; // Another rack's range may hold it.
                continue;
            }
            answer.given.push(Given { block, preferred: 0, valid: 0, subnet: None });
        }
        if answer.has_lease() {
            return Some(answer);
        }
        if unknown {
            return None;
        }
        let fresh = self.assign(request, ia, taken, Some(promise));
        if fresh.has_lease() {
            answer.given.extend(fresh.given);
            return Some(answer);
        }
        let nothing = answer.given.is_empty();
        Some(if nothing { IaAnswer::no_binding(ia) } else { answer })
    }

    /// The subnet in which the client may keep a block, unless something else is reserved for it.
    fn subnet_for(
        &self,
        request: &Request<'_>,
        holder: &Association,
        block: Block,
    ) -> Option<usize> {
        request.subnets.iter().copied().find(|subnet| {
            let ask = ask(request, holder, *subnet);
            ask.reserved.is_none_or(|it| it == block) && self.leases.can_bind(&ask, block).is_ok()
        })
    }

    /// Binds and says for how long; nothing if the lease went to another in the meantime.
    fn grant(
        &mut self,
        request: &Request<'_>,
        holder: &Association,
        subnet: usize,
        block: Block,
        promise: &mut Promise,
    ) -> Option<Given> {
        let given = self.given(request, subnet, block)?;
        let until = self.written_until(holder, block, given.valid);
        let grant = self.leases.bind(&ask(request, holder, subnet), block, until).ok()?;
        promise.position = promise.position.max(grant.lease.position);
        promise.blocks.push((block, holder.clone()));
        promise.granted |= grant.change == ironherd_leases::v6::Change6::Granted;
        Some(given)
    }

    fn given(&self, request: &Request<'_>, subnet: usize, block: Block) -> Option<Given> {
        let it = request.subnet(subnet)?;
        let (valid, preferred) = (it.valid_seconds, it.preferred_seconds.min(it.valid_seconds));
        Some(Given { block, preferred, valid, subnet: Some(subnet) })
    }

    /// When the written lease ends: a repeat within the slack needs no new record.
    fn written_until(&self, holder: &Association, block: Block, valid: u32) -> u64 {
        // The wall clock counts whole seconds: the client's lease may end within the next one.
        let promised = self.now.wall.0 + u64::from(valid) + 1;
        let lease = self.leases.lease_at(block);
        if lease.is_some_and(|it| it.is_held_by(holder) && promised <= it.expires) {
            return promised;
        }
        promised + SLACK_SECONDS_MAX.min(u64::from(valid) / 8)
    }
}

fn ask<'a>(request: &'a Request<'_>, holder: &'a Association, subnet: usize) -> Ask6<'a> {
    Ask6 {
        index: request.index,
        subnet,
        holder,
        mac: request.mac,
        reserved: request.reserved(subnet, holder.kind),
        ours: &request.link.addresses,
    }
}

/// What the client names in an association. `::` only hints at a length.
fn blocks(ia: &Ia<'_>) -> impl Iterator<Item = Block> {
    /// A client that names more is not telling of its own leases.
    const BLOCKS_MAX: usize = 16;
    ia.resources().take(BLOCKS_MAX).map(|it| Block { address: it.address, len: it.len })
}
