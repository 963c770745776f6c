use std::net::SocketAddr;

use ironherd_proto::http::{Config, Connection, Context, Output};
use ironherd_proto::{DropReason, Event, Instant, Link, Now};
use ironherd_uring::{Buffer, Ring, RingError, StreamId};

use super::dhcp::DhcpService;
use super::{Core, stamp};
use crate::holders::Holders;
use crate::metrics::{Metrics, add};
use crate::view::Shelf;

/// The HTTP connections of one shard, filed under the small number of their stream.
#[derive(Debug, Default)]
pub(super) struct HttpService {
    connections: Vec<Option<Open>>,
    /// Connections that may have something to tell.
    eventful: Vec<usize>,
    /// What closed connections still had to tell.
    leftover: Vec<Event>,
}

#[derive(Debug)]
struct Open {
    stream: StreamId,
    connection: Connection,
    link: Link,
    peer: SocketAddr,
    sending: bool,
    deadline: Option<Instant>,
}

impl HttpService {
    pub(super) fn on_accepted(
        &mut self,
        ring: &mut Ring,
        stream: StreamId,
        peer: SocketAddr,
        link: Link,
        now: Now,
    ) -> Result<(), RingError> {
        let connection = Connection::new(Config::default(), peer, link, now);
        let open = Open { stream, connection, link, peer, sending: false, deadline: None };
        if self.connections.len() <= stream.index() {
            self.connections.resize_with(stream.index() + 1, || None);
        }
        if let Some(place) = self.connections.get_mut(stream.index()) {
            *place = Some(open);
        }
        self.pump(ring, stream)
    }

    fn find(&mut self, stream: StreamId) -> Option<&mut Open> {
        let open = self.connections.get_mut(stream.index())?.as_mut()?;
        (open.stream == stream).then_some(open)
    }

    pub(super) fn on_sent(&mut self, stream: StreamId, bytes: usize, now: Now) {
        if let Some(open) = self.find(stream) {
            open.sending = false;
            open.connection.handle_sent(bytes, now);
        }
    }

    /// Does what the connection wants next.
    pub(super) fn pump(&mut self, ring: &mut Ring, stream: StreamId) -> Result<(), RingError> {
        let Some(open) = self.find(stream) else { return Ok(()) };
        match open.connection.poll_output() {
            Output::Send(bytes) if !open.sending => {
                open.sending = true;
                open.deadline = None;
                ring.stream_send(stream, bytes)?;
            }
            Output::Send(_) => {}
            Output::Wait { until } => open.deadline = Some(until),
            Output::Close => {
                self.forget(ring, stream);
                return Ok(());
            }
        }
        if open.connection.wants_bytes() {
            ring.receive(stream);
        }
        self.eventful.push(stream.index());
        Ok(())
    }

    /// Closes a connection, once what it had to tell is kept.
    pub(super) fn forget(&mut self, ring: &mut Ring, stream: StreamId) {
        ring.close(stream);
        let Some(open) = self.find(stream) else { return };
        let mut told = Vec::new();
        while let Some(event) = open.connection.poll_event() {
            told.push(event);
        }
        self.leftover.extend(told);
        if let Some(place) = self.connections.get_mut(stream.index()) {
            *place = None;
        }
    }

    /// Looks at every connection: called about once a second, which is exact enough here.
    pub(super) fn handle_timeouts(
        &mut self,
        ring: &mut Ring,
        metrics: &Metrics,
        now: Now,
    ) -> Result<(), RingError> {
        let due = |it: &&mut Open| it.sending || it.deadline.is_some_and(|it| it <= now.instant);
        let mut late = Vec::new();
        for open in self.connections.iter_mut().flatten().filter(due) {
            metrics.count(open.connection.handle_timeout(now));
            late.push(open.stream);
        }
        for stream in late {
            self.pump_unless_sending(ring, stream)?;
        }
        Ok(())
    }

    /// While a send is in flight only its end is of interest.
    fn pump_unless_sending(&mut self, ring: &mut Ring, stream: StreamId) -> Result<(), RingError> {
        let Some(open) = self.find(stream) else { return Ok(()) };
        if open.sending && !matches!(open.connection.poll_output(), Output::Close) {
            return Ok(());
        }
        self.pump(ring, stream)
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.leftover.pop() {
            return Some(event);
        }
        while let Some(place) = self.eventful.last() {
            let open = self.connections.get_mut(*place).and_then(Option::as_mut);
            match open.and_then(|it| it.connection.poll_event()) {
                Some(event) => return Some(event),
                None => self.eventful.pop(),
            };
        }
        None
    }
}

impl Core {
    pub(super) fn on_accepted(
        &mut self,
        ring: &mut Ring,
        stream: StreamId,
        peer: SocketAddr,
        local: SocketAddr,
        now: Now,
    ) -> Result<(), RingError> {
        let link = self.view.by_address(local.ip(), self.shared.ports);
        let (Some(http), Some(link)) = (&mut self.http, link) else {
            add(&self.shared.metrics.unserved_interface, 1);
            ring.close(stream);
            return Ok(());
        };
        add(&self.shared.metrics.http_connections, 1);
        http.on_accepted(ring, stream, peer, link, now)
    }

    pub(super) fn on_received(
        &mut self,
        ring: &Ring,
        stream: StreamId,
        buffer: Option<&Buffer>,
        now: Now,
    ) -> Result<(), DropReason> {
        let Some(open) = self.http.as_mut().and_then(|it| it.find(stream)) else { return Ok(()) };
        let Some(buffer) = buffer else {
            open.connection.handle_end();
            return Ok(());
        };
        let leases = self.dhcp.as_ref().map(DhcpService::claims);
        let holders = Holders { index: &self.view.index, leases, cards6: &self.view.cards6 };
        let peer = open.peer.ip();
        let shelf = Shelf { view: &self.view, link: open.link, peer, holders, stamp: stamp() };
        let owns = |peer, mac| holders.owns(peer, mac);
        let (snapshot, files) = (&self.view.index, &shelf);
        let mut context = Context { snapshot, files, stamp: &mut stamp, owns: &owns };
        open.connection.handle_bytes(&mut context, ring.bytes(buffer), now)
    }

    pub(super) fn pump(&mut self, ring: &mut Ring, stream: StreamId) -> Result<(), RingError> {
        match &mut self.http {
            Some(http) => http.pump(ring, stream),
            None => Ok(()),
        }
    }
}
