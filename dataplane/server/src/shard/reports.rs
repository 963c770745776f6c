use std::sync::Arc;

use ironherd_leases::Table;
use ironherd_link::{BootReport, LeaseReport, LeaseState, Report, Stage};
use ironherd_proto::{BootStage, Event, LeaseChange, LeaseEvent, Now};
use ironherd_snapshot::{Index, Mac};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::clock::since_epoch;
use crate::metrics::{Metrics, add};

/// Passes events on to the link, and never waits for it.
#[derive(Debug)]
pub(super) struct Reporter {
    to_link: Sender<Report>,
    metrics: Arc<Metrics>,
    /// How many leases of the table are told already, while the whole table is told again.
    resync: Option<usize>,
}

impl Reporter {
    /// A new run tells the whole table first: the region may have missed the end of the last.
    pub(super) fn new(to_link: Sender<Report>, metrics: Arc<Metrics>) -> Self {
        Self { to_link, metrics, resync: Some(0) }
    }

    /// Takes one event; `mac` is whose lease holds the address of a [`Event::BootByAddress`].
    pub(super) fn report(&mut self, event: Event, mac: Option<Mac>, now: Now) {
        match event {
            Event::Lease(lease) => {
                // A lease that does not fit is told later, with the whole table.
                if self.offer(Report::Lease(lease_report(lease, now))) == Offered::Full {
                    add(&self.metrics.lease_resyncs, 1);
                    self.resync = Some(0);
                }
            }
            Event::Boot { mac, stage, detail } => self.boot(mac, stage, detail),
            Event::BootByAddress { stage, detail, .. } => match mac {
                Some(mac) => self.boot(mac, stage, detail),
                None => add(&self.metrics.events_dropped, 1), // Nobody we gave an address to.
            },
            Event::ForeignServer { .. } => {}
            Event::JournalFailed => {} // It is in the log and in the counters.
        }
    }

    fn boot(&mut self, mac: Mac, stage: BootStage, detail: String) {
        let at = u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX);
        let report = BootReport { at, mac, stage: stage_of(stage), detail };
        if self.offer(Report::Boot(report)) == Offered::Full {
            add(&self.metrics.events_dropped, 1);
        }
    }

    /// Tells the next part of the table, as far as the queue has room.
    pub(super) fn resync(&mut self, leases: &Table, index: &Index, now: Now) {
        let Some(told) = self.resync else { return };
        let room = self.to_link.capacity();
        let mut count = 0;
        for lease in leases.bound().skip(told).take(room) {
            count += 1;
            let seconds = index.subnet_of(lease.address).map_or(0, |(_, it)| it.lease_seconds);
            let report = LeaseReport {
                address: lease.address,
                mac: lease.mac,
                hostname: None,
                state: LeaseState::Active,
                started_at: lease.expires.saturating_sub(u64::from(seconds)).min(now.wall.0),
                expires_at: lease.expires,
            };
            if self.offer(Report::Lease(report)) == Offered::Full {
                break;
            }
        }
        self.resync = (count == room).then_some(told + count);
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

fn lease_report(lease: LeaseEvent, now: Now) -> LeaseReport {
    LeaseReport {
        address: lease.address,
        mac: lease.mac,
        hostname: lease.hostname,
        state: match lease.change {
            LeaseChange::Granted | LeaseChange::Renewed => LeaseState::Active,
            LeaseChange::Released => LeaseState::Released,
            LeaseChange::Declined => LeaseState::Declined,
            LeaseChange::Expired => LeaseState::Expired,
        },
        started_at: now.wall.0,
        expires_at: lease.expires.0,
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

    #[test]
    fn a_full_queue_drops_boots_by_count_and_tells_the_leases_again() {
        let metrics = Arc::new(Metrics::new());
        let (to_link, mut from_shard) = mpsc::channel(2);
        let mut reporter = Reporter::new(to_link, Arc::clone(&metrics));
        let now = Now::default();
        reporter.resync(&Table::default(), &Index::default(), now);
        assert_eq!(reporter.resync, None, "an empty table is told at once");
        for event in [lease(1), boot(1), boot(2), boot(3), lease(2)] {
            reporter.report(event, None, now);
        }
        let text = metrics.text();
        assert!(text.contains("events_dropped_total 2\n"), "{text}");
        assert!(text.contains("lease_resyncs_total 1\n"), "{text}");
        assert_eq!(reporter.resync, Some(0));
        assert!(matches!(from_shard.try_recv(), Ok(Report::Lease(_))));
        assert!(matches!(from_shard.try_recv(), Ok(Report::Boot(_))));
        assert!(from_shard.try_recv().is_err());
    }

    #[test]
    fn an_address_without_a_lease_names_nobody() {
        let metrics = Arc::new(Metrics::new());
        let (to_link, mut from_shard) = mpsc::channel(2);
        let mut reporter = Reporter::new(to_link, Arc::clone(&metrics));
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
