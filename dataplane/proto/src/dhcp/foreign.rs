//! Other people's DHCP servers on our links.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use ironherd_snapshot::DhcpMode;

use super::request::Request;
use crate::{Event, Instant};

/// A server on a VLAN that is none of this rack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignServer {
    pub address: Ipv4Addr,
    pub seen: Instant,
}

/// VLANs with a foreign server that are remembered; each is one of a snapshot's.
const VLANS_MAX: usize = 4096;
/// Servers that were told of lately; beyond, more is told than needed.
const TOLD_MAX: usize = 256;
/// One server of one link is told of this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What was heard of foreign servers, and when it was told last.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    by_vlan: HashMap<String, ForeignServer>,
    told: HashMap<(u32, Ipv4Addr, Ipv4Addr), Instant>, // Link, relay, server.
}

impl Foreign {
    pub(super) fn set(&mut self, vlan: &str, server: Option<ForeignServer>) {
        let Some(server) = server else {
            self.by_vlan.remove(vlan);
            return;
        };
        let has_room = self.by_vlan.len() < VLANS_MAX;
        if let Some(known) = self.by_vlan.get_mut(vlan) {
            *known = server;
        } else if has_room {
            self.by_vlan.insert(vlan.to_owned(), server);
        }
    }

    /// What is done on the client's VLAN. `Auto` becomes `Proxy` while a foreign server was heard
    /// within `memory`, else `Full`.
    pub(super) fn mode(&self, request: &Request<'_>, now: Instant, memory: Duration) -> DhcpMode {
        let Some(vlan) = request.vlan().filter(|it| it.mode == DhcpMode::Auto) else {
            return request.mode();
        };
        let known = self.by_vlan.get(&vlan.id);
        let heard = known.is_some_and(|it| now.saturating_since(it.seen) < memory);
        if heard { DhcpMode::Proxy } else { DhcpMode::Full }
    }

    /// A client's REQUEST names a server that we are not. `Some`: worth telling.
    pub(super) fn learn(
        &mut self,
        request: &Request<'_>,
        server: Ipv4Addr,
        now: Instant,
    ) -> Option<Event> {
        let vlan = request.vlan().map(|it| it.id.as_str()).unwrap_or_default();
        if !vlan.is_empty() {
            self.set(vlan, Some(ForeignServer { address: server, seen: now }));
        }
        let key = (request.link.index, request.message.giaddr(), server);
        let is_fresh = |told: &Instant| now.saturating_since(*told) < TELL_EVERY;
        if self.told.get(&key).is_some_and(is_fresh) {
            return None;
        }
        if TOLD_MAX <= self.told.len() {
            self.told.retain(|_, told| is_fresh(told));
        }
        if self.told.len() < TOLD_MAX {
            self.told.insert(key, now);
        }
        let (link, mac, vlan) = (request.link.index, request.mac, vlan.to_owned());
        Some(Event::ForeignServer { link, vlan, server, mac })
    }
}
