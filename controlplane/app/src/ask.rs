//! What people ask about DHCP, and which rack is asked.

use std::net::Ipv4Addr;
use std::time::Duration;

use ironherd_domain::{Mac, RackId, Refusal, SubnetId, ipam};
use ironherd_snapshot::ask::{CaptureQuestion, DhcpQuestion, Explanation, RackQuestion};
use ironherd_store::{Rack, Tx, lease, rack, subnet};
use serde::de::DeserializeOwned;

use crate::ask_input::{self, DhcpCapture, DhcpExplain};
use crate::captures::Capture;
use crate::desk::{Said, deaf, refused};
use crate::{Actor, Answer, App, CommandError};

/// A rack looks it up in memory; the rest is the way there and back.
const EXPLAIN_WITHIN: Duration = Duration::from_secs(5);
/// A capture's file goes up before the answer comes.
const CAPTURE_WITHIN: Duration = Duration::from_secs(30);
/// Racks that are asked for one capture.
const RACKS_ASKED_MAX: usize = 16;

/// What a client would get, from which rack.
#[derive(Clone, Debug)]
pub struct Explained {
    pub rack: Rack,
    pub explanation: Explanation,
}

impl App {
    /// Asks a rack what a client would get, and why.
    ///
    /// # Errors
    /// Refusals: `MAC_ADDRESS_INVALID`, `ADDRESS_INVALID`, `ARCHITECTURE_INVALID`,
    /// `CLIENT_INVALID`, `NOT_FOUND`, `NO_RACK_CONNECTED`, `NO_RACK_SERVES`, `RACK_NEEDED`,
    /// `RACK_NOT_CONNECTED`, `RACK_SILENT`, `RACK_BUSY`, `RACK_TOO_OLD`, `NOT_SERVED`,
    /// `SUBNET_NEEDED`.
    pub async fn dhcp_explain(&self, actor: &Actor, input: DhcpExplain) -> Answer<Explained> {
        actor.must_be_user()?;
        let mut question = ask_input::question(&input)?;
        let rack = {
            let mut tx = self.read().await?;
            self.rack_for(&mut tx, &input, &mut question).await?
        };
        let question = RackQuestion::DhcpExplain(Box::new(question));
        let said = self.inner.desk.ask(&rack, &question, EXPLAIN_WITHIN).await?;
        let explanation = read(&rack, &said.text)?;
        Ok(Explained { rack, explanation })
    }

    /// Collects the DHCP packets that racks have kept of a card, as one file that can be fetched
    /// for a while.
    ///
    /// # Errors
    /// Refusals: `MAC_ADDRESS_INVALID`, `NOT_FOUND`, `NO_RACK_CONNECTED`, `RACK_NEEDED`,
    /// `RACK_NOT_CONNECTED`, `RACK_SILENT`, `RACK_BUSY`, `RACK_TOO_OLD`, `NOT_SERVED`,
    /// `SUBNET_NEEDED`.
    pub async fn dhcp_capture(&self, actor: &Actor, input: DhcpCapture) -> Answer<Capture> {
        actor.must_be_user()?;
        let mac = input.mac_address.as_deref().map(|text| read_mac(text, "macAddress"));
        let millis = |at: Option<i64>| at.map(|it| u64::try_from(it).unwrap_or_default());
        let question = RackQuestion::DhcpCapture(CaptureQuestion {
            mac: mac.transpose()?.map(|Mac(it)| ironherd_snapshot::Mac(it)),
            since_ms: millis(input.since_unix_ms),
            until_ms: millis(input.until_unix_ms),
        });
        let racks = {
            let mut tx = self.read().await?;
            match input.rack_id {
                Some(id) => vec![listener(self, &mut tx, id, &["input", "rackId"]).await?],
                None => self.listeners(&mut tx).await?,
            }
        };
        let mut parts = Vec::new();
        let mut missing = Vec::new();
        let mut first_error = None;
        for (rack, said) in racks.iter().zip(self.ask_all(&racks, &question).await) {
            let part =
                said.and_then(|Said { text, file }| Ok((rack.clone(), read(rack, &text)?, file)));
            match part {
                Ok(part) => parts.push(part),
                Err(error) => {
                    missing.push(rack.name.clone());
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            Some(error) if parts.is_empty() => Err(error),
            _ => Ok(self.inner.captures.keep(parts, missing, self.now())),
        }
    }

    /// Asks several racks at once; the answers are in their order.
    async fn ask_all(&self, racks: &[Rack], question: &RackQuestion) -> Vec<Answer<Said>> {
        let mut running = tokio::task::JoinSet::new();
        for (at, rack) in racks.iter().cloned().enumerate() {
            let (app, question) = (self.clone(), question.clone());
            running.spawn(async move {
                (at, app.inner.desk.ask(&rack, &question, CAPTURE_WITHIN).await)
            });
        }
        let mut answers: Vec<_> = racks.iter().map(|rack| Err(deaf(rack))).collect();
        while let Some(done) = running.join_next().await {
            // A panic is logged where it happens; that rack then counts as one that said nothing.
            let Ok((at, answer)) = done else { continue };
            if let Some(place) = answers.get_mut(at) {
                *place = answer;
            }
        }
        answers
    }

    /// The racks that can be asked now; at least one.
    async fn listeners(&self, tx: &mut Tx) -> Answer<Vec<Rack>> {
        let mut racks = Vec::new();
        for id in self.inner.desk.listening() {
            racks.extend(rack::by_id(tx, id).await?);
        }
        match racks.len() {
            0 => {
                let why = "No rack is connected to this region. Start one, or look at its log.";
                Err(refused("NO_RACK_CONNECTED", why))
            }
            n if RACKS_ASKED_MAX < n => Err(rack_needed(&racks)),
            _ => Ok(racks),
        }
    }

    /// Which rack would hear this client, and on which subnet's link.
    async fn rack_for(
        &self,
        tx: &mut Tx,
        input: &DhcpExplain,
        question: &mut DhcpQuestion,
    ) -> Answer<Rack> {
        let subnet_id = match (input.subnet_id, question.relay) {
            (Some(id), _) => Some(id),
            // Through a relay the link says nothing about the client.
            (None, Some(_)) => None,
            (None, None) => self.usual_subnet(tx, question.mac).await?,
        };
        let found = match subnet_id {
            Some(id) => subnet::by_id(tx, id).await?,
            None => None,
        };
        if input.subnet_id.is_some() && found.is_none() {
            let why = "There is no such subnet; it may have been deleted.";
            return Err(CommandError::refused("NOT_FOUND", &["subnetId"], why));
        }
        if question.relay.is_none() {
            question.subnet = found.as_ref().map(|it| it.id.to_text());
        }
        if let Some(id) = input.rack_id {
            return listener(self, tx, id, &["rackId"]).await;
        }
        let mut racks = self.listeners(tx).await?;
        let Some(found) = found.filter(|_| question.relay.is_none()) else {
            return match racks.len() {
                1 => Ok(racks.remove(0)),
                _ => Err(rack_needed(&racks)),
            };
        };
        let attached = |it: &&Rack| {
            let own = it.addresses.iter().filter_map(|text| text.parse::<Ipv4Addr>().ok());
            own.into_iter().any(|at| found.cidr.contains(&at))
        };
        if let Some(rack) = racks.iter().find(attached) {
            return Ok(rack.clone());
        }
        let why = format!(
            "No connected rack has an address in {}: its clients come through a relay, or a rack \
             is missing. Say `relay`, or `rackId`.",
            found.cidr
        );
        Err(CommandError::refused("NO_RACK_SERVES", &["subnetId"], why))
    }

    /// Where a card was last seen, or is expected.
    async fn usual_subnet(
        &self,
        tx: &mut Tx,
        mac: ironherd_snapshot::Mac,
    ) -> Answer<Option<SubnetId>> {
        let snapshot = self.snapshot();
        let reserved = snapshot
            .subnets
            .iter()
            .find(|it| it.reservations.iter().any(|held| held.mac() == Some(mac)));
        if let Some(subnet) = reserved {
            return Ok(subnet.id.parse().ok());
        }
        let leases = lease::of_mac(tx, Mac(mac.0)).await?;
        let networks = subnet::networks(tx).await?;
        let of_lease = leases.iter().filter_map(|lease| lease.address.v4()).find_map(|address| {
            networks.iter().find(|(_, cidr)| cidr.contains(&address)).map(|(id, _)| *id)
        });
        let only = match networks.as_slice() {
            [(id, _)] => Some(*id),
            _ => None,
        };
        Ok(of_lease.or(only))
    }
}

async fn listener(app: &App, tx: &mut Tx, id: RackId, field: &[&str]) -> Answer<Rack> {
    let Some(rack) = rack::by_id(tx, id).await? else {
        let why = "There is no such rack.";
        return Err(CommandError::refused("NOT_FOUND", field, why));
    };
    match app.inner.desk.listening().contains(&id) {
        true => Ok(rack),
        false => Err(deaf(&rack)),
    }
}

fn rack_needed(racks: &[Rack]) -> CommandError {
    let names: Vec<&str> = racks.iter().take(8).map(|it| it.name.as_str()).collect();
    let why = format!("Several racks could be meant ({}, …). Say `rackId`.", names.join(", "));
    CommandError::refused("RACK_NEEDED", &["rackId"], why)
}

/// Reads what a rack said. A rack of another version may say what we cannot read.
fn read<T: DeserializeOwned>(rack: &Rack, text: &str) -> Answer<T> {
    serde_json::from_str(text).map_err(|error| {
        tracing::warn!(event = "answer_unreadable", rack = rack.name, %error, "a rack's answer");
        let why = format!(
            "{} ({}) answered what this region cannot read: they are of different versions.",
            rack.name, rack.version
        );
        refused("RACK_TOO_OLD", &why)
    })
}

pub(crate) fn read_mac(text: &str, field: &str) -> Result<Mac, Refusal> {
    text.parse::<Mac>().map_err(|error| {
        Refusal::new("MAC_ADDRESS_INVALID", &["input", field], format!("{error}."))
    })
}

pub(crate) fn read_address(text: &Option<String>, field: &str) -> Answer<Option<Ipv4Addr>> {
    let text = text.as_deref();
    Ok(text.map(|it| ipam::address(it, &["input", field])).transpose()?)
}
