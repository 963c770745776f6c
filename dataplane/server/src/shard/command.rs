use std::net::Ipv4Addr;

use ironherd_proto::Now;

use super::{Core, dhcp};
use crate::ask::{Ask, AskKind, Kept, fits};
use crate::clock::Clock;

/// What the rest of the rack tells a shard; a [`Waker`](ironherd_uring::Waker) call follows.
#[derive(Debug)]
pub(crate) enum Command {
    /// Someone wants to know what only this shard knows.
    Ask(Ask),
    /// Somebody else uses an address that this shard has offered.
    Conflict(Ipv4Addr),
    /// A foreign DHCP server answers on a VLAN, or is silent by now.
    Foreign { vlan: String, server: Option<Ipv4Addr> },
}

impl Core {
    pub(super) fn on_command(&mut self, command: Command, clock: Clock, now: Now) {
        match command {
            Command::Conflict(address) => self.on_conflict(address, now),
            Command::Ask(ask) => self.on_ask(ask, clock, now),
            Command::Foreign { vlan, server } => {
                if let Some(dhcp) = &mut self.dhcp {
                    dhcp.on_foreign(&vlan, server, now);
                }
            }
        }
    }

    /// Answers from what this shard alone has.
    fn on_ask(&mut self, ask: Ask, clock: Clock, now: Now) {
        match ask.kind {
            AskKind::Packets { question, reply } => {
                let tape = self.tape.only(usize::MAX, |it| fits(&question, clock, it));
                let _ = reply.send(Kept { tape, clock }); // Whoever asked may have given up.
            }
            AskKind::Explain { question, reply } => {
                let _ = reply.send(dhcp::explain(self.dhcp.as_mut(), &self.view, &question, now));
            }
        }
    }
}
