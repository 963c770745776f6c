//! Captures of packets.

use async_graphql::{Object, SimpleObject};

use crate::scalar::{At, Long};

/// DHCP packets that racks have kept, as a file to be fetched.
#[derive(Clone, Debug)]
pub(crate) struct DhcpCapture(pub(crate) ironherd_app::Capture);

/// DHCP packets that racks have kept, as a file to be fetched.
#[Object]
impl DhcpCapture {
    /// Path of the pcap file below the region's address. It needs a user's token, like the API.
    async fn download_path(&self) -> String {
        format!("/captures/{}", self.0.id)
    }

    /// Until when the file is there.
    async fn expires_at(&self) -> At {
        self.0.expires.into()
    }

    /// How many packets the file holds.
    async fn packet_count(&self) -> Long {
        Long::from(self.0.packets)
    }

    /// How many packets more would have fitted the question but not the file: the oldest.
    async fn left_out_count(&self) -> Long {
        Long::from(self.0.left_out)
    }

    /// Length of the file.
    async fn size_bytes(&self) -> Long {
        Long::from(self.0.bytes)
    }

    /// Racks that were asked but did not answer.
    async fn racks_missing(&self) -> &[String] {
        &self.0.racks_missing
    }

    /// The newest packets, oldest first; at most 200.
    async fn packets(&self) -> Vec<DhcpCapturedPacket> {
        let packet =
            |(rack, it): &(String, ironherd_snapshot::ask::CapturedLine)| DhcpCapturedPacket {
                at: At::from_unix_us(it.at_us),
                rack: rack.clone(),
                interface: it.interface.clone(),
                sent: it.sent,
                mac_address: it.mac.to_string(),
                from: it.from.clone(),
                to: it.to.clone(),
                message: it.message.clone(),
                outcome: it.outcome.clone(),
                size_bytes: Long::from(u64::from(it.bytes)),
            };
        self.0.lines.iter().map(packet).collect()
    }
}

/// One packet of a capture.
#[derive(SimpleObject, Debug)]
pub(crate) struct DhcpCapturedPacket {
    /// When the rack had it.
    at: At,
    /// The rack.
    rack: String,
    /// The rack's interface.
    interface: String,
    /// Whether the rack sent it.
    sent: bool,
    /// The client's network card.
    mac_address: String,
    /// Who sent it, address and port.
    from: String,
    /// Whom it was sent to.
    to: String,
    /// The DHCP message, e.g. `DISCOVER`.
    message: Option<String>,
    /// `accepted`, `sent`, or the name of the reason why it was dropped.
    outcome: String,
    /// Length of the DHCP message.
    size_bytes: Long,
}
