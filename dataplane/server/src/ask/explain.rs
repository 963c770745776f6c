//! An explanation in the words of the region: ids get their names, bytes their meaning.

use std::sync::Arc;

use ironherd_leases::ChoiceReason;
use ironherd_proto::DropReason;
use ironherd_proto::boot::{BootFile, BootSource, NoBootFile};
use ironherd_proto::dhcp::explain::{self, Question, Says};
use ironherd_proto::dhcp::{Destination, Fate, Scope, ServerPort};
use ironherd_snapshot::ask::{
    DhcpQuestion, ExplainedBoot, ExplainedDrop, ExplainedName, ExplainedOption,
    ExplainedReservation, Explanation, OptionFate, QuestionMessage, RackRefusal, RefusalCode,
};
use ironherd_snapshot::{Reservation, ReservationKey, Snapshot};
use ironherd_wire::dhcp::MessageType;

use super::option;
use crate::view::{Served, View};

/// What a shard found, and what it answered from.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) view: Arc<View>,
    pub(crate) served: Served,
    pub(crate) explanation: explain::Explanation,
}

/// The interface that the message shall come in on.
pub(crate) fn link<'v>(view: &'v View, question: &DhcpQuestion) -> Result<&'v Served, RackRefusal> {
    let subnets = &view.index.snapshot().subnets;
    let refused = |code, message| Err(RackRefusal { code, message });
    let wanted = match &question.subnet {
        Some(id) => match subnets.iter().find(|it| it.id == *id) {
            Some(subnet) => Some(subnet),
            None => {
                let message = "the rack's snapshot does not hold this subnet (yet)".to_owned();
                return refused(RefusalCode::NotServed, message);
            }
        },
        None => None,
    };
    if let Some(wanted) = wanted {
        // Every subnet of the VLAN has the same link.
        let here = subnets
            .iter()
            .filter(|it| it.id == wanted.id || (!it.vlan.is_empty() && it.vlan == wanted.vlan));
        let cidrs: Vec<_> = here.map(|it| it.cidr).collect();
        let holds = |it: &&Served| {
            it.interface.addresses.iter().any(|at| cidrs.iter().any(|cidr| cidr.contains(at)))
        };
        if let Some(served) = view.links.iter().find(holds) {
            return Ok(served);
        }
        if question.relay.is_none() {
            let message = format!("no interface of the rack holds an address of {}", wanted.cidr);
            return refused(RefusalCode::NotServed, message);
        }
    }
    match view.links.as_slice() {
        [] => refused(RefusalCode::NotServed, "the rack serves no interface".to_owned()),
        [only] => Ok(only),
        // What a relay sends comes in anywhere; the link says nothing about the client.
        [first, ..] if question.relay.is_some() => Ok(first),
        many => {
            let names: Vec<&str> = many.iter().map(|it| it.interface.name.as_str()).collect();
            let message = format!("it serves {}; say which subnet is meant", names.join(", "));
            refused(RefusalCode::Ambiguous, message)
        }
    }
}

/// The question as the server's own code takes it.
pub(crate) fn question(asked: &DhcpQuestion) -> Question {
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    Question {
        mac: asked.mac,
        says: match asked.message {
            QuestionMessage::Discover => Says::Discover,
            QuestionMessage::Request => Says::Request,
            QuestionMessage::Inform => Says::Inform,
        },
        port: match asked.proxy_port {
            true => ServerPort::Proxy4011,
            false => ServerPort::Dhcp67,
        },
        architectures: asked.architectures.clone(),
        vendor_class: text(&asked.vendor_class).into_bytes(),
        user_class: text(&asked.user_class).into_bytes(),
        client_id: asked.client_id.clone(),
        uuid: asked.uuid,
        relay: asked.relay,
        circuit_id: asked.circuit_id.clone(),
        remote_id: asked.remote_id.clone(),
        requested: asked.requested,
        wants: asked.wants.clone(),
        hostname: text(&asked.hostname),
        others: Vec::new(),
    }
}

/// The explanation for people.
pub(super) fn told(found: Found) -> Explanation {
    let Found { view, served, explanation: it } = found;
    let snapshot = view.index.snapshot();
    let class = |id: &String| snapshot.classes.iter().find(|it| it.id == *id);
    let reply_kind = it.outcome.ok().flatten();
    Explanation {
        generation: snapshot.generation,
        interface: served.interface.name,
        server: Some(served.link.address),
        drop: it.outcome.err().map(dropped),
        reply_kind: reply_kind.map(message),
        refusal: it.refusal.map(str::to_owned),
        vlan: it.vlan.map(|id| {
            let name = snapshot.vlans.iter().find(|it| it.id == id).map(|it| it.name.clone());
            named(id, name)
        }),
        mode: Some(it.mode),
        subnet: it.subnet.map(|id| {
            let cidr = snapshot.subnets.iter().find(|it| it.id == id).map(|it| it.cidr);
            named(id, cidr.map(|it| it.to_string()))
        }),
        machine: it.machine.map(|id| {
            let found = snapshot.machines.iter().find(|it| it.id == id);
            named(id, found.map(|it| it.hostname.clone()))
        }),
        classes: it.classes.iter().filter_map(|id| Some(class(id)?.name.clone())).collect(),
        reservation: it.reservation.map(reservation),
        range: it.range.map(|it| (it.first, it.last)),
        address: it.address,
        address_why: it.reason.map(|it| why(it).to_owned()),
        lease_seconds: it.lease_seconds,
        // Where no address is given nothing was said about booting, either.
        boot: reply_kind.filter(|it| *it != MessageType::Nak).map(|_| boot(it.boot, snapshot)),
        options: it.options.into_iter().map(|it| described(it, snapshot)).collect(),
        destination: it.destination.map(destination),
        reply: it.reply,
    }
}

fn named(id: String, name: Option<String>) -> ExplainedName {
    ExplainedName { name: name.unwrap_or_else(|| id.clone()), id }
}

fn dropped(reason: DropReason) -> ExplainedDrop {
    ExplainedDrop { reason: reason.as_str().to_owned(), text: reason.text().trim().to_owned() }
}

/// The name of a message as the standards write it.
pub(super) fn message(kind: MessageType) -> String {
    format!("{kind:?}").to_uppercase()
}

fn reservation(it: Reservation) -> ExplainedReservation {
    let matched_by = match &it.key {
        ReservationKey::Mac(_) => "MAC address",
        ReservationKey::ClientId(_) => "client identifier (option 61)",
        ReservationKey::Uuid(_) => "UUID (option 97)",
        ReservationKey::RelayPort(_) => "relay port (option 82)",
    };
    let matched_by = matched_by.to_owned();
    ExplainedReservation { address: it.address, matched_by, hostname: it.hostname }
}

fn why(reason: ChoiceReason) -> &'static str {
    match reason {
        ChoiceReason::Reserved => "it is reserved for this client",
        ChoiceReason::Last => "the client has it, or had it last",
        ChoiceReason::Requested => "the client asks for it, and it is free",
        ChoiceReason::Preferred => "the hash of the card names it, and it is free",
        ChoiceReason::NeverUsed => "nobody has had it yet",
        ChoiceReason::UnusedLongest => "it has been free for longest",
    }
}

fn boot(decided: Result<BootFile, NoBootFile>, snapshot: &Snapshot) -> ExplainedBoot {
    match decided {
        Ok(file) => {
            let why = match file.source {
                BootSource::Machine => "the machine's own boot file".to_owned(),
                BootSource::Class(at) => {
                    format!("the boot file of the class {}", class_name(at, snapshot))
                }
                BootSource::Option => "option 67 of a scope".to_owned(),
                BootSource::Row(_) => {
                    let detail = file.detail.trim_end_matches(&file.name).trim_end_matches(": ");
                    format!("by the boot table, {detail}")
                }
            };
            ExplainedBoot { file: Some(file.name), why }
        }
        Err(none) => {
            let why = match &none {
                NoBootFile::NotBooting => "it does not boot from the network".to_owned(),
                NoBootFile::UnknownMachine => "no machine has this card, and unknown machines \
                     are not taken in (settings: enlist)"
                    .to_owned(),
                other => other.complaint().unwrap_or_default(),
            };
            ExplainedBoot { file: None, why }
        }
    }
}

fn class_name(at: usize, snapshot: &Snapshot) -> &str {
    snapshot.classes.get(at).map_or("?", |it| it.name.as_str())
}

fn described(it: explain::ExplainedOption, snapshot: &Snapshot) -> ExplainedOption {
    let (name, text) = option::describe(it.code, &it.data);
    let scope = match it.scope {
        Scope::Protocol => "protocol".to_owned(),
        Scope::Boot => "boot".to_owned(),
        Scope::Host => "host".to_owned(),
        Scope::Class(at) => format!("class {}", class_name(at, snapshot)),
        Scope::Range => "range".to_owned(),
        Scope::Subnet => "subnet".to_owned(),
        Scope::Vlan => "vlan".to_owned(),
        Scope::Fabric => "fabric".to_owned(),
        Scope::Global => "global".to_owned(),
    };
    let fate = match it.fate {
        Fate::Sent => OptionFate::Sent,
        Fate::NotAsked => OptionFate::NotAsked,
        Fate::Suppressed => OptionFate::Suppressed,
        Fate::NoRoom => OptionFate::NoRoom,
    };
    ExplainedOption { code: it.code.into(), name, data: it.data, text, scope, fate }
}

fn destination(to: Destination) -> String {
    match to {
        Destination::Unicast(to) => format!("{to}, by UDP"),
        Destination::Broadcast { port } => format!("255.255.255.255:{port}, to everyone"),
        Destination::Frame { mac, address, port } => {
            format!("{address}:{port}, in a frame to {mac}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ironherd_proto::Link;
    use ironherd_snapshot::{Index, Subnet};
    use ironherd_uring::Interface;

    use super::*;

    fn served(name: &str, index: u32, address: [u8; 4]) -> Served {
        let address = Ipv4Addr::from(address);
        let interface = Interface {
            name: name.to_owned(),
            index,
            addresses: vec![address],
            is_up: true,
            ..Interface::default()
        };
        let link = Link { index, address, host6: None, http_port: 0, gateway_port: 0 };
        Served { link, interface }
    }

    #[test]
    fn the_link_is_that_of_the_subnet_or_the_only_one() {
        let subnet = |id: &str, vlan: &str, cidr: &str| Subnet {
            id: id.to_owned(),
            vlan: vlan.to_owned(),
            cidr: cidr.parse().unwrap(),
            ..Subnet::default()
        };
        let subnets = vec![
            subnet("a", "one", "10.1.0.0/24").into(),
            // On a's link, where the rack has no address.
            subnet("second", "one", "10.9.0.0/24").into(),
            subnet("b", "two", "10.2.0.0/24").into(),
            subnet("far", "three", "10.3.0.0/24").into(),
        ];
        let index = || {
            Index::new(Snapshot { generation: 1, subnets: subnets.clone(), ..Snapshot::default() })
        };
        let eth = [served("eth0", 1, [10, 1, 0, 1]), served("eth1", 2, [10, 2, 0, 1])];
        let relay = Some(Ipv4Addr::new(10, 3, 0, 1));
        let (none, busy) = (RefusalCode::NotServed, RefusalCode::Ambiguous);
        let rows = [
            // How many links, subnet, relay: the interface.
            (2, Some("a"), None, Ok("eth0")),
            (2, Some("second"), None, Ok("eth0")),
            (2, Some("b"), None, Ok("eth1")),
            (2, Some("b"), relay, Ok("eth1")),
            (2, Some("far"), None, Err(none)),
            (2, Some("far"), relay, Ok("eth0")),
            (2, Some("gone"), relay, Err(none)),
            (2, None, None, Err(busy)),
            (2, None, relay, Ok("eth0")),
            (1, None, None, Ok("eth0")),
            (1, Some("b"), None, Err(none)),
            (0, None, relay, Err(none)),
        ];
        for (links, subnet, relay, want) in rows {
            let links = eth[..links].to_vec();
            let view = View { index: index(), links, ..View::default() };
            let subnet = subnet.map(str::to_owned);
            let asked = DhcpQuestion { subnet, relay, ..DhcpQuestion::default() };
            let got = link(&view, &asked).map(|it| it.interface.name.as_str());
            assert_eq!(got.map_err(|it| it.code), want, "{asked:?}");
        }
    }
}
