//! Which addresses are worth a look whether somebody squats on them.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use ironherd_leases::{Lease, State};

use super::Server;
use super::request::Request;
use crate::{LeaseChange, Now};

/// An address that was offered just now and may be in use by someone who never asked us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Interface index of the link it was offered on.
    pub link: u32,
    pub address: Ipv4Addr,
}

/// Probes that wait for the caller. Beyond, none are asked for: the offer goes all the same.
#[derive(Debug, Default)]
pub(super) struct Probes(VecDeque<Probe>);

const PROBES_MAX: usize = 256;
/// An address that nobody had for so long may have been taken by hand since.
const UNUSED_LONG_SECONDS: u64 = 7 * 24 * 3600;

impl Server {
    /// The next address to ask the link about. Whoever answers is told to
    /// [`Self::handle_conflict`].
    pub fn poll_probe(&mut self) -> Option<Probe> {
        self.probes.0.pop_front()
    }

    /// Somebody answered a probe: the address is let alone for a while. `false`: it is no longer
    /// offered; a client that has it by now finds out by itself, and declines it.
    pub fn handle_conflict(&mut self, address: Ipv4Addr, now: Now) -> bool {
        self.now = now;
        self.leases.set_now(now.wall.0);
        let until = now.wall.0 + self.config.decline_quarantine.as_secs();
        let Some(lease) = self.leases.quarantine(address, until) else { return false };
        self.push_lease_event(LeaseChange::Declined, &lease, None);
        true
    }

    /// Asks for a probe of an address that is offered, if it has not been in use lately. Behind a
    /// relay nobody would answer us; what is reserved belongs to its client whoever uses it.
    pub(super) fn probe(&mut self, request: &Request<'_>, lease: &Lease, before: Option<Lease>) {
        let fresh = before.is_none_or(|it| {
            let long_ago = it.expires + UNUSED_LONG_SECONDS < self.now.wall.0;
            it.state == State::Free && (it.position.0 == 0 || long_ago)
        });
        let reserved = request.index.reservation_at(lease.address).is_some();
        let wanted = fresh && !reserved && !request.is_relayed() && lease.state == State::Offered;
        if wanted && self.probes.0.len() < PROBES_MAX {
            self.probes.0.push_back(Probe { link: request.link.index, address: lease.address });
        }
    }
}
