//! Packets that shards have kept, as a file and as lines to read.

use std::net::IpAddr;

use ironherd_proto::tape::Packet;
use ironherd_snapshot::Mac;
use ironherd_snapshot::ask::{CAPTURE_BYTES_MAX, CAPTURE_LINES_MAX, CaptureSummary, CapturedLine};
use ironherd_wire::dhcp::Message;
use ironherd_wire::pcap::{self, Datagram};

use super::Kept;
use crate::view::View;

/// What a socket does not tell: the card of a relay or of a router.
const UNKNOWN_CARD: [u8; 6] = [0; 6];
const BROADCAST_CARD: [u8; 6] = [0xff; 6];
const SERVER_PORT: u16 = 67;

/// Writes the packets of all shards as one pcap file, in the order of their times.
pub(super) fn write(kept: &[Kept], view: &View) -> (Vec<u8>, CaptureSummary) {
    let mut packets: Vec<(u64, Packet<'_>)> = Vec::new();
    for Kept { tape, clock } in kept {
        packets.extend(tape.packets().map(|it| (micros(clock.wall_at(it.at)), it)));
    }
    packets.sort_by_key(|(at, _)| *at); // Stable: what one turn saw stays in its order.
    let mut room = CAPTURE_BYTES_MAX - pcap::HEADER.len();
    // The newest go in first; the rest is left out.
    let fitting = packets.iter().rev().take_while(|(_, it)| {
        let bytes = pcap::RECORD_BYTES + pcap::HEADERS_BYTES_MAX + it.payload.len();
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    });
    let first = packets.len() - fitting.count();
    let mut file = pcap::HEADER.to_vec();
    let mut summary = CaptureSummary {
        left_out: u64::try_from(first).unwrap_or_default(),
        ..CaptureSummary::default()
    };
    let newest = packets.len().saturating_sub(CAPTURE_LINES_MAX).max(first);
    for (at, (at_us, packet)) in packets.iter().enumerate().skip(first) {
        if pcap::append(&mut file, &datagram(*at_us, packet, view)) {
            summary.packets += 1;
        } else {
            summary.left_out += 1;
        }
        if newest <= at {
            summary.lines.push(line(*at_us, packet, view));
        }
    }
    (file, summary)
}

fn micros(since_epoch: std::time::Duration) -> u64 {
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

fn datagram<'a>(at_us: u64, packet: &Packet<'a>, view: &View) -> Datagram<'a> {
    let own = view.by_interface(packet.interface).map_or(UNKNOWN_CARD, |it| it.interface.mac);
    let Mac(client) = packet.mac;
    // A relay speaks from its own card and for many clients.
    let near = |peer: IpAddr, port: u16| match (peer, port) {
        (IpAddr::V4(it), _) if it.is_broadcast() => BROADCAST_CARD,
        (_, SERVER_PORT) => UNKNOWN_CARD,
        _ => client,
    };
    let (source_mac, destination_mac) = match packet.sent {
        true => (own, near(packet.to.ip(), packet.to.port())),
        false if matches!(packet.to.ip(), IpAddr::V4(it) if it.is_broadcast()) => {
            (near(packet.from.ip(), packet.from.port()), BROADCAST_CARD)
        }
        false => (near(packet.from.ip(), packet.from.port()), own),
    };
    Datagram {
        at_us,
        source_mac,
        destination_mac,
        source: packet.from,
        destination: packet.to,
        payload: packet.payload,
    }
}

fn line(at_us: u64, packet: &Packet<'_>, view: &View) -> CapturedLine {
    let interface = view.by_interface(packet.interface).map(|it| it.interface.name.clone());
    let message = Message::parse(packet.payload).ok().and_then(|it| it.message_type());
    let outcome = match (packet.sent, packet.dropped) {
        (true, _) => "sent",
        (false, None) => "accepted",
        (false, Some(reason)) => reason.as_str(),
    };
    CapturedLine {
        at_us,
        interface: interface.unwrap_or_else(|| format!("#{}", packet.interface)),
        sent: packet.sent,
        mac: packet.mac,
        from: packet.from.to_string(),
        to: packet.to.to_string(),
        message: message.map(super::explain::message),
        outcome: outcome.to_owned(),
        bytes: u32::try_from(packet.payload.len()).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use ironherd_proto::tape::Tape;
    use ironherd_proto::{DropReason, Instant};

    use super::*;
    use crate::clock::Clock;

    fn kept(clock: Clock, packets: &[(u64, Option<DropReason>, usize)]) -> Kept {
        let mut tape = Tape::new(64 << 20);
        for (second, dropped, len) in packets {
            tape.record(&Packet {
                at: Instant::from_nanos(second * 1_000_000_000),
                interface: 7,
                sent: second % 2 == 0,
                mac: Mac([2, 0, 0, 0, 0, 1]),
                from: "10.0.0.1:67".parse().unwrap(),
                to: "255.255.255.255:68".parse().unwrap(),
                dropped: *dropped,
                payload: &vec![0; *len],
            });
        }
        Kept { tape, clock }
    }

    #[test]
    fn the_packets_of_all_shards_are_in_one_order() {
        let clock = Clock::new();
        let odd = kept(clock, &[(11, None, 240), (13, Some(DropReason::DhcpNoAddress), 240)]);
        let even = kept(clock, &[(12, None, 240), (14, None, 240)]);
        let (file, summary) = write(&[odd, even], &View::default());
        assert_eq!(file.len(), pcap::HEADER.len() + 4 * (pcap::RECORD_BYTES + 42 + 240));
        assert_eq!((summary.packets, summary.left_out), (4, 0));
        let outcomes: Vec<&str> = summary.lines.iter().map(|it| it.outcome.as_str()).collect();
        assert_eq!(outcomes, ["accepted", "sent", "dhcp_no_address", "sent"]);
        assert!(summary.lines.is_sorted_by_key(|it| it.at_us));
        assert_eq!(summary.lines[0].interface, "#7", "an interface that has gone");
    }

    #[test]
    fn what_is_too_much_leaves_out_the_oldest() {
        let long = 30_000;
        let packets: Vec<_> = (1..=600).map(|second| (second, None, long)).collect();
        let (file, summary) = write(&[kept(Clock::new(), &packets)], &View::default());
        assert!(file.len() <= CAPTURE_BYTES_MAX && CAPTURE_BYTES_MAX < file.len() + 2 * long);
        assert_eq!(summary.packets + summary.left_out, 600);
        assert_eq!(summary.lines.len(), CAPTURE_LINES_MAX);
        let newest = summary.lines.last().map(|it| it.at_us);
        assert!(summary.lines.iter().all(|it| Some(it.at_us) <= newest));
    }
}
