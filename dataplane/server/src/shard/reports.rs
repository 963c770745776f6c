use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use ironherd_leases::Lease;
use ironherd_leases::v6::{Kind, Lease6};
use ironherd_link::{BootReport, LeaseReport, LeaseState, Report, Rounds, Stage};
use ironherd_proto::{BootStage, Event, LeaseChange, LeaseEvent, Now};
use ironherd_snapshot::{Index, Mac};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::clock::since_epoch;
use crate::metrics::{Metrics, add};
use crate::watch::Heard;

/// Passes events on to the link, and never waits for it.
#[derive(Debug)]
pub(super) struct Reporter {
    to_link: Sender<Report>,
    metrics: Arc<Metrics>,
    rounds: Rounds,
    source: usize,
    /// The round that was begun last.
    round: Option<u64>,
    /// The place in the table from which on it is to be told, until it is told.
    place: Option<usize>,
    events_lost: u64, // What the server had lost when it was last asked.
    heard: Option<SyncSender<Heard>>,
}

impl Reporter {
    /// A new run tells the whole table first: the region may have missed the end of the last.
    pub(super) fn new(to_link: Sender<Report>, rounds: Rounds, metrics: Arc<Metrics>) -> Self {
        let source = rounds.join();
        let (round, place, heard) = (None, None, None);
        Self { to_link, metrics, rounds, source, round, place, events_lost: 0, heard }
    }

    /// Foreign DHCP servers are told there.
    pub(super) fn with_heard(self, heard: SyncSender<Heard>) -> Self {
        Self { heard: Some(heard), ..self }
    }

    /// Takes one event; `mac` is whose lease holds the address of a [`Event::BootByAddress`].
    pub(super) fn report(&mut self, event: Event, mac: Option<Mac>, now: Now) {
        match event {
            Event::Lease(lease) => self.lease(lease_report(lease, now)),
            Event::Lease6 { change, lease } => {
                self.lease(lease6_report(&lease, state_of(change), now));
            }
            Event::Boot { mac, stage, detail } => self.boot(mac, stage, detail),
            Event::BootByAddress { stage, detail, .. } => match mac {
                Some(mac) => self.boot(mac, stage, detail),
                None => add(&self.metrics.events_dropped, 1), // Nobody we gave an address to.
            },
            Event::ForeignServer { vlan, server, .. } => {
                // One that does not fit is heard again: whoever chose it asks again.
                let told = self.heard.as_ref().map(|it| it.try_send(Heard { vlan, server }));
                if told.is_some_and(|it| it.is_err()) {
                    add(&self.metrics.events_dropped, 1);
                }
            }
            Event::JournalFailed => {} // The watcher reads it from the counters.
        }
    }

    fn lease(&mut self, lease: LeaseReport) {
        // A lease that does not fit is told later, with the whole table.
        if self.offer(Report::Lease(lease)) == Offered::Full {
            self.missed();
        }
    }

    /// The region will not learn of something: all is to be told again.
    fn missed(&mut self) {
        let wanted = self.rounds.wanted();
        // A round that is not begun here will tell it anyway.
        if self.round == Some(wanted) {
            add(&self.metrics.lease_resyncs, 1);
            self.rounds.ask_after(wanted);
        }
    }

    /// Takes note of how many events the server has lost before they came here.
    pub(super) fn note_lost(&mut self, events_lost: u64) {
        if std::mem::replace(&mut self.events_lost, events_lost) < events_lost {
            self.missed();
        }
    }

    fn boot(&mut self, mac: Mac, stage: BootStage, detail: String) {
        let at = u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX);
        let report = BootReport { at, mac, stage: stage_of(stage), detail };
        if self.offer(Report::Boot(report)) == Offered::Full {
            add(&self.metrics.events_dropped, 1);
        }
    }

    /// Tells the next part of the table, as far as the queue has room, if a round is wanted.
    /// `leases_from` gives what is bound from a place of the table on, each with its place.
    pub(super) fn resync<I>(&mut self, leases_from: impl FnOnce(usize) -> I)
    where
        I: Iterator<Item = (usize, LeaseReport)>,
    {
        let round = self.rounds.wanted();
        if self.round != Some(round) {
            if self.offer(Report::RoundBegin { round }) == Offered::Full {
                return;
            }
            (self.round, self.place) = (Some(round), Some(0));
        }
        let Some(place) = self.place else { return };
        // What happens meanwhile needs the other half of the queue: a change that finds no room
        // would begin the round anew, and on a large rack no round would ever end.
        if self.to_link.capacity() < self.to_link.max_capacity() / 2 {
            return;
        }
        for (place, lease) in leases_from(place) {
            if self.offer(Report::Lease(lease)) == Offered::Full {
                self.place = Some(place);
                return;
            }
        }
        self.place = Some(usize::MAX);
        if self.offer(Report::RoundEnd { round, source: self.source }) == Offered::Taken {
            self.place = None;
        }
    }

    fn offer(&self, report: Report) -> Offered {
        match self.to_link.try_send(report) {
            // Without a region there is nobody to tell.
            Ok(()) | Err(TrySendError::Closed(_)) => Offered::Taken,
            Err(TrySendError::Full(_)) => Offered::Full,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offered {
    Taken,
    Full,
}

/// What runs in the table, as it is told in a round.
pub(super) fn bound_report(lease: &Lease, index: &Index, now: Now) -> LeaseReport {
    let seconds = index.subnet_of(lease.address).map_or(0, |(_, it)| it.lease_seconds);
    LeaseReport {
        address: lease.address.to_string(),
        mac: Some(lease.mac),
        client: None,
        hostname: None,
        state: LeaseState::Active,
        started_at: lease.expires.saturating_sub(u64::from(seconds)).min(now.wall.0),
        expires_at: lease.expires,
    }
}

fn lease_report(lease: LeaseEvent, now: Now) -> LeaseReport {
    LeaseReport {
        address: lease.address.to_string(),
        mac: Some(lease.mac),
        client: None,
        hostname: lease.hostname,
        state: state_of(lease.change),
        started_at: now.wall.0,
        expires_at: lease.expires.0,
    }
}

pub(super) fn lease6_report(lease: &Lease6, state: LeaseState, now: Now) -> LeaseReport {
    let kind = match lease.holder.kind {
        Kind::Address => "na",
        Kind::Prefix => "pd",
    };
    LeaseReport {
        address: lease.block.to_string(),
        mac: lease.mac,
        client: Some(format!("{}/{kind}/{}", hex::encode(&lease.holder.duid), lease.holder.iaid)),
        hostname: None,
        state,
        started_at: now.wall.0,
        expires_at: lease.expires,
    }
}

fn state_of(change: LeaseChange) -> LeaseState {
    match change {
        LeaseChange::Granted | LeaseChange::Renewed => LeaseState::Active,
        LeaseChange::Released => LeaseState::Released,
        LeaseChange::Declined => LeaseState::Declined,
        LeaseChange::Expired => LeaseState::Expired,
    }
}

fn stage_of(stage: BootStage) -> Stage {
    match stage {
        BootStage::Dhcp => Stage::Dhcp,
        BootStage::Tftp => Stage::Tftp,
        BootStage::Http => Stage::Http,
        BootStage::Script => Stage::Script,
        BootStage::Agent => Stage::Agent,
        BootStage::Installed => Stage::Installed,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ironherd_proto::UnixSeconds;
    use tokio::sync::mpsc;

    use super::*;

    fn lease(last: u8) -> Event {
        Event::Lease(LeaseEvent {
            change: LeaseChange::Granted,
            address: Ipv4Addr::new(10, 0, 0, last),
            mac: Mac([2, 0, 0, 0, 0, last]),
            expires: UnixSeconds(600),
            hostname: None,
        })
    }

    fn boot(mac: u8) -> Event {
        let mac = Mac([2, 0, 0, 0, 0, mac]);
        Event::Boot { mac, stage: BootStage::Dhcp, detail: String::new() }
    }

    fn report(last: u8) -> LeaseReport {
        let Event::Lease(it) = lease(last) else { unreachable!() };
        lease_report(it, Now::default())
    }

    /// What waits for the link: `b`, `e` mark a round, `l` has the address's last part.
    fn drain(from_shard: &mut mpsc::Receiver<Report>) -> String {
        let mut text = String::new();
        while let Ok(report) = from_shard.try_recv() {
            text += &match report {
                Report::Lease(it) => format!("l{} ", it.address.rsplit('.').next().unwrap()),
                Report::Boot(_) => "boot ".to_owned(),
                Report::RoundBegin { round } => format!("b{round} "),
                Report::RoundEnd { round, .. } => format!("e{round} "),
            };
        }
        text
    }

    #[test]
    fn a_full_queue_drops_boots_by_count_and_tells_the_leases_again() {
        let metrics = Arc::new(Metrics::new());
        let (to_link, mut from_shard) = mpsc::channel(2);
        let mut reporter = Reporter::new(to_link, Rounds::default(), Arc::clone(&metrics));
        let now = Now::default();
        reporter.resync(|_| std::iter::empty());
        assert_eq!(drain(&mut from_shard), "b0 e0 ");
        for event in [lease(1), boot(1), boot(2), boot(3), lease(2), lease(3)] {
            reporter.report(event, None, now);
        }
        let text = metrics.text();
        assert!(text.contains("events_dropped_total 2\n"), "{text}");
        assert!(text.contains("lease_resyncs_total 1\n"), "one round for both: {text}");
        assert_eq!(drain(&mut from_shard), "l1 boot ");
        // In parts, as the queue has room; a place that did not fit is the next one's first.
        let table = |from: usize| (from..5).map(|at| (at, report(u8::try_from(at).unwrap())));
        let mut parts = Vec::new();
        for _ in 0..5 {
            reporter.resync(table);
            parts.push(drain(&mut from_shard));
        }
        assert_eq!(parts, ["b1 l0 ", "l1 l2 ", "l3 l4 ", "e1 ", ""]);
        reporter.note_lost(1);
        reporter.note_lost(1);
        reporter.resync(|_| std::iter::empty());
        assert_eq!(drain(&mut from_shard), "b2 e2 ");
    }

    #[test]
    fn an_address_without_a_lease_names_nobody() {
        let metrics = Arc::new(Metrics::new());
        let (to_link, mut from_shard) = mpsc::channel(2);
        let mut reporter = Reporter::new(to_link, Rounds::default(), Arc::clone(&metrics));
        for mac in [None, Some(Mac([2, 0, 0, 0, 0, 9]))] {
            let address = Ipv4Addr::new(10, 0, 0, 9).into();
            let detail = "vmlinuz".to_owned();
            let event = Event::BootByAddress { address, stage: BootStage::Http, detail };
            reporter.report(event, mac, Now::default());
        }
        let Ok(Report::Boot(report)) = from_shard.try_recv() else { panic!("nothing came") };
        assert_eq!((report.mac, report.stage), (Mac([2, 0, 0, 0, 0, 9]), Stage::Http));
        assert!(from_shard.try_recv().is_err());
        assert!(metrics.text().contains("events_dropped_total 1\n"));
    }
}
