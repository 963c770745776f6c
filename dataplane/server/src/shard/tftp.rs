use ironherd_proto::tftp::{Config, Server};
use ironherd_proto::{DropReason, Event, Files, Instant, Now};
use ironherd_uring::{Datagram, Outgoing, Ring, Source, Target};

use super::sockets::TftpPool;
use crate::metrics::{Metrics, add};

/// The TFTP server of one shard and its answering ports.
#[derive(Debug)]
pub(super) struct TftpService {
    server: Server,
    pool: TftpPool,
}

/// The longest single send: what the server puts into one window slice.
const SEND_BYTES_MAX: usize = 64 << 10;

impl TftpService {
    pub(super) fn new(pool: TftpPool) -> Self {
        let sockets = u16::try_from(pool.v4.len()).unwrap_or(u16::MAX);
        let server = Server::new(Config { sockets, ..Config::default() });
        Self { server, pool }
    }

    pub(super) fn on_request(
        &mut self,
        files: &dyn Files,
        datagram: &Datagram<'_>,
        now: Now,
    ) -> Result<(), DropReason> {
        let from = datagram.source;
        self.server.handle_request(files, from, datagram.local, datagram.payload, now)
    }

    pub(super) fn on_packet(
        &mut self,
        place: usize,
        datagram: &Datagram<'_>,
        now: Now,
    ) -> Result<(), DropReason> {
        let from = datagram.source;
        self.server.handle_packet(place, from, datagram.payload, now)
    }

    pub(super) fn send_all(&mut self, ring: &mut Ring, out: &mut Vec<u8>, metrics: &Metrics) {
        while ring.can_send(SEND_BYTES_MAX) {
            out.clear();
            let Some(send) = self.server.poll_output(out) else { return };
            let sent = match self.pool.socket(send.to, send.socket) {
                Some(socket) => {
                    let outgoing = Outgoing {
                        socket,
                        to: Target::Udp(send.to),
                        source: Some(Source { interface: 0, address: send.local }),
                        payload: out,
                        segment_bytes: u16::try_from(send.segment_bytes).ok(),
                    };
                    ring.send(outgoing).is_ok()
                }
                None => false,
            };
            if sent {
                add(&metrics.tftp_sends, 1);
                add(&metrics.tftp_bytes, u64::try_from(out.len()).unwrap_or_default());
            } else {
                add(&metrics.sends_refused, 1);
            }
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.server.poll_event()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.server.next_deadline()
    }

    pub(super) fn handle_timeouts(&mut self, now: Now) {
        self.server.handle_timeouts(now);
    }
}
