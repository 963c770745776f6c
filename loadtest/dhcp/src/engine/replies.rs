//! What a reply means, and what is wrong with it.

use std::net::Ipv4Addr;
use std::time::Duration;

use ironherd_wire::dhcp::{Message, MessageType};

use super::clients::{Client, Stage, number_of};
use super::{Engine, Phase};
use crate::Shape;

impl Engine {
    /// Takes the payload of one datagram that came in.
    pub fn handle_reply(&mut self, payload: &[u8], now: Duration) {
        let Ok(message) = Message::parse(payload) else {
            self.measures.errors.malformed += 1;
            return;
        };
        if !message.is_reply() {
            return; // Somebody else's question: a rack asks who else serves its link.
        }
        let Some(kind) = message.message_type() else {
            self.measures.errors.malformed += 1;
            return;
        };
        let place = message.ethernet().and_then(number_of);
        let place = place.and_then(|it| it.checked_sub(self.plan.first_client));
        let Some((place, client)) =
            place.and_then(|it| Some((it, *self.clients.get(it as usize)?)))
        else {
            self.measures.errors.wrong_chaddr += 1;
            return;
        };
        if client.xid != message.xid() {
            // A number that was used belongs to a transaction that was given up.
            let used = message.xid().wrapping_sub(self.xid_first) < self.xids;
            let counter = match used {
                true => &mut self.measures.late,
                false => &mut self.measures.errors.wrong_xid,
            };
            *counter += 1;
            return;
        }
        match (kind, client.stage) {
            (MessageType::Offer, Stage::Discovering) => {
                self.on_offer(place, &client, &message, now);
            }
            (MessageType::Ack, Stage::Requesting | Stage::Renewing) => {
                self.on_ack(place, &client, message.yiaddr(), now);
            }
            (MessageType::Nak, Stage::Requesting | Stage::Renewing) => {
                self.measures.naks += 1;
                self.finish(place, Ipv4Addr::UNSPECIFIED);
            }
            _ => self.measures.duplicates += 1,
        }
    }

    fn on_offer(&mut self, place: u32, client: &Client, message: &Message<'_>, now: Duration) {
        let address = message.yiaddr();
        let Some(server) = message.server_id().filter(|_| !address.is_unspecified()) else {
            self.measures.errors.malformed += 1;
            return;
        };
        self.measures.offer(now.saturating_sub(client.meant));
        let Some(client) = self.clients.get_mut(place as usize) else { return };
        (client.stage, client.address, client.server) = (Stage::Requesting, address, server);
        self.requests.push_back(place);
    }

    fn on_ack(&mut self, place: u32, client: &Client, address: Ipv4Addr, now: Duration) {
        // What was offered is kept in the client until the ACK confirms it.
        if address != client.address {
            self.measures.errors.wrong_address += 1;
        }
        if !self.owners.promise(place, client.address, address) {
            self.measures.errors.address_twice += 1;
        }
        let in_time = match (self.phase, self.plan.shape) {
            (Phase::Measure { .. }, Shape::Burst { .. } | Shape::Renew { .. }) => true,
            (Phase::Measure { since }, _) => now <= since + self.plan.duration,
            (Phase::Prepare, _) => false,
        };
        self.measures.complete(now.saturating_sub(client.meant), in_time);
        self.finish(place, address);
    }

    fn finish(&mut self, place: u32, address: Ipv4Addr) {
        let Some(client) = self.clients.get_mut(place as usize) else { return };
        client.stage = Stage::Idle;
        client.address = address;
        self.under_way -= 1;
    }
}
