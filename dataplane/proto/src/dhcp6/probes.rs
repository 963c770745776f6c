//! Which addresses are worth a look whether somebody squats on them.

use std::collections::VecDeque;
use std::net::Ipv6Addr;

use ironherd_leases::State;
use ironherd_leases::v6::Block;

use super::Server;
use super::bindings::IaAnswer;
use super::request::Request;
use crate::Now;

/// An address that was offered just now and may be in use by someone who never asked us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe6 {
    /// Interface index of the link it was offered on.
    pub link: u32,
    pub address: Ipv6Addr,
}

/// Probes that wait for the caller. Beyond, none are asked for: the offer goes all the same.
#[derive(Debug, Default)]
pub(super) struct Probes(VecDeque<Probe6>);

const PROBES_MAX: usize = 256;
/// An address that nobody had for so long may have been taken by hand since.
const UNUSED_LONG_SECONDS: u64 = 7 * 24 * 3600;

impl Server {
    /// The next address to ask the link about. Whoever answers is told to
    /// [`Self::handle_conflict`].
    pub fn poll_probe(&mut self) -> Option<Probe6> {
        self.probes.0.pop_front()
    }

    /// Somebody answered a probe: the address is let alone for a while. `false`: a client has it by
    /// now, and finds out by itself (RFC 9915 §18.2.10.1).
    pub fn handle_conflict(&mut self, address: Ipv6Addr, now: Now) -> bool {
        self.now = now;
        self.leases.set_now(now.wall.0);
        let until = now.wall.0 + self.config.decline_quarantine.as_secs();
        self.leases.quarantine(address, until)
    }

    /// Asks for probes of what is offered, if it has not been in use lately. Behind a relay nobody
    /// would answer us; what is reserved belongs to its client whoever uses it.
    pub(super) fn probe(&mut self, request: &Request<'_>, offered: &[IaAnswer]) {
        if !request.index.snapshot().settings.conflict_probes || !request.relayed.is_direct() {
            return;
        }
        let link = request.link.link.index;
        for block in offered.iter().flat_map(|it| &it.given).map(|it| it.block) {
            let reserved = request.index.reservation6_at(block.address, block.len).is_some();
            let wanted = block.len == 128 && !reserved && self.is_fresh(block);
            if wanted && self.probes.0.len() < PROBES_MAX {
                self.probes.0.push_back(Probe6 { link, address: block.address });
            }
        }
    }

    fn is_fresh(&self, block: Block) -> bool {
        self.leases.lease_at(block).is_none_or(|it| {
            it.state == State::Free && it.expires + UNUSED_LONG_SECONDS < self.now.wall.0
        })
    }
}
