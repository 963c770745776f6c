use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use ironherd_proto::DropReason;
use ironherd_uring::RingCounters;

use crate::config::{Durability, RackConfig};

/// What the rack has counted since its start, over all shards.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    drops: Vec<AtomicU64>,
    pub(crate) dhcp_requests: AtomicU64,
    pub(crate) dhcp_replies: AtomicU64,
    pub(crate) dhcp6_requests: AtomicU64,
    pub(crate) dhcp6_replies: AtomicU64,
    pub(crate) dhcp6_leases: AtomicU64,
    pub(crate) tftp_requests: AtomicU64,
    pub(crate) tftp_sends: AtomicU64,
    pub(crate) tftp_bytes: AtomicU64,
    pub(crate) http_connections: AtomicU64,
    pub(crate) http_bytes: AtomicU64,
    pub(crate) journal_commits: AtomicU64,
    pub(crate) journal_bytes: AtomicU64,
    pub(crate) journal_failures: AtomicU64,
    /// Shards that grant nothing, because their disk does not keep what is written.
    pub(crate) journals_failed: AtomicU64,
    pub(crate) shards: AtomicU64,
    /// Addresses asked about, those that somebody used, and those left out for want of room.
    pub(crate) probes: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) probes_left_out: AtomicU64,
    /// 1 while an ACK waits for the disk, 0 while the kernel's word is enough.
    pub(crate) durable: AtomicU64,
    pub(crate) journal_compactions: AtomicU64,
    pub(crate) events_dropped: AtomicU64,
    pub(crate) lease_resyncs: AtomicU64,
    pub(crate) sends_refused: AtomicU64,
    pub(crate) unserved_interface: AtomicU64,
    pub(crate) snapshot_generation: AtomicU64,
    pub(crate) files_arriving: AtomicU64,
    pub(crate) gateway_relayed: AtomicU64,
    pub(crate) gateway_refused: AtomicU64,
    pub(crate) gateway_unavailable: AtomicU64,
    pub(crate) ring_datagrams: AtomicU64,
    /// Datagrams longer than a buffer, or without the interface they came in on.
    pub(crate) ring_malformed: AtomicU64,
    pub(crate) ring_starved: AtomicU64,
    pub(crate) ring_send_failures: AtomicU64,
    pub(crate) ring_segmentation_refused: AtomicU64,
    pub(crate) ring_late: AtomicU64,
    pub(crate) ring_streams_refused: AtomicU64,
    pub(crate) ring_overflows: AtomicU64,
    /// Addresses of all ranges, and how many of them are in use.
    pub(crate) pool_addresses: AtomicU64,
    pub(crate) pool_bound: AtomicU64,
    pub(crate) pool_quarantined: AtomicU64,
    /// What operators are warned of at the moment.
    pub(crate) alarms: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// Moves one shard's part of a gauge.
pub(crate) fn shift(gauge: &AtomicU64, from: u64, to: u64) {
    // Both wrap around, so the sum of all parts is right even while they change.
    gauge.fetch_add(to.wrapping_sub(from), Ordering::Relaxed);
}

pub(crate) fn set(gauge: &AtomicU64, value: u64) {
    gauge.store(value, Ordering::Relaxed);
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let drops = DropReason::ALL.iter().map(|_| AtomicU64::new(0)).collect();
        Self { drops, ..Self::default() }
    }

    /// How the rack is set up, and what it answers from at first.
    pub(crate) fn show(&self, config: &RackConfig, generation: u64) {
        set(&self.snapshot_generation, generation);
        set(&self.durable, (config.durability == Durability::Durable).into());
        set(&self.shards, config.shard_count().into());
    }

    pub(crate) fn read(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Counts what a `handle_*` call refused.
    pub(crate) fn count(&self, outcome: Result<(), DropReason>) {
        if let Err(reason) = outcome
            && let Some(counter) = self.drops.get(reason as usize)
        {
            add(counter, 1);
        }
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.get(reason as usize).map_or(0, |it| it.load(Ordering::Relaxed))
    }

    /// Adds what one shard's ring has counted since it was last asked.
    pub(crate) fn add_ring(&self, before: RingCounters, now: RingCounters) {
        let rows = [
            (&self.ring_datagrams, before.datagrams, now.datagrams),
            (&self.ring_starved, before.starved, now.starved),
            (&self.ring_send_failures, before.send_failures, now.send_failures),
            (
                &self.ring_segmentation_refused,
                before.segmentation_refused,
                now.segmentation_refused,
            ),
            (&self.ring_late, before.late, now.late),
            (&self.ring_streams_refused, before.streams_refused, now.streams_refused),
            (&self.ring_overflows, before.overflows, now.overflows),
        ];
        for (counter, before, now) in rows {
            add(counter, now.saturating_sub(before));
        }
    }

    /// All of it, in Prometheus' text form.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(8192);
        text.push_str("# TYPE ironherd_rack_dropped_total counter\n");
        for (reason, counter) in DropReason::ALL.iter().zip(&self.drops) {
            let count = counter.load(Ordering::Relaxed);
            // Writing to a String cannot fail; this holds for the line below, too.
            let _ = writeln!(text, "ironherd_rack_dropped_total{{reason=\"{reason}\"}} {count}");
        }
        for (name, kind, value) in self.plain() {
            let value = value.load(Ordering::Relaxed);
            let _ = writeln!(text, "# TYPE ironherd_rack_{name} {kind}");
            let _ = writeln!(text, "ironherd_rack_{name} {value}");
        }
        text
    }

    fn plain(&self) -> Vec<(&'static str, &'static str, &AtomicU64)> {
        const COUNTER: &str = "counter";
        const GAUGE: &str = "gauge";
        vec![
            ("dhcp_requests_total", COUNTER, &self.dhcp_requests),
            ("dhcp_replies_total", COUNTER, &self.dhcp_replies),
            ("dhcp6_requests_total", COUNTER, &self.dhcp6_requests),
            ("dhcp6_replies_total", COUNTER, &self.dhcp6_replies),
            ("dhcp6_leases", GAUGE, &self.dhcp6_leases),
            ("tftp_requests_total", COUNTER, &self.tftp_requests),
            ("tftp_sends_total", COUNTER, &self.tftp_sends),
            ("tftp_bytes_total", COUNTER, &self.tftp_bytes),
            ("http_connections_total", COUNTER, &self.http_connections),
            ("http_bytes_total", COUNTER, &self.http_bytes),
            ("journal_commits_total", COUNTER, &self.journal_commits),
            ("journal_bytes", GAUGE, &self.journal_bytes),
            ("journal_failures_total", COUNTER, &self.journal_failures),
            ("journals_failed", GAUGE, &self.journals_failed),
            ("shards", GAUGE, &self.shards),
            ("conflict_probes_total", COUNTER, &self.probes),
            ("conflicts_total", COUNTER, &self.conflicts),
            ("conflict_probes_left_out_total", COUNTER, &self.probes_left_out),
            ("leases_durable", GAUGE, &self.durable),
            ("journal_compactions_total", COUNTER, &self.journal_compactions),
            ("events_dropped_total", COUNTER, &self.events_dropped),
            ("lease_resyncs_total", COUNTER, &self.lease_resyncs),
            ("sends_refused_total", COUNTER, &self.sends_refused),
            ("unserved_interface_total", COUNTER, &self.unserved_interface),
            ("snapshot_generation", GAUGE, &self.snapshot_generation),
            ("files_arriving", GAUGE, &self.files_arriving),
            ("gateway_relayed_total", COUNTER, &self.gateway_relayed),
            ("gateway_refused_total", COUNTER, &self.gateway_refused),
            ("gateway_unavailable_total", COUNTER, &self.gateway_unavailable),
            ("ring_datagrams_total", COUNTER, &self.ring_datagrams),
            ("ring_malformed_total", COUNTER, &self.ring_malformed),
            ("ring_starved_total", COUNTER, &self.ring_starved),
            ("ring_send_failures_total", COUNTER, &self.ring_send_failures),
            ("ring_segmentation_refused_total", COUNTER, &self.ring_segmentation_refused),
            ("ring_late_total", COUNTER, &self.ring_late),
            ("ring_streams_refused_total", COUNTER, &self.ring_streams_refused),
            ("ring_overflows_total", COUNTER, &self.ring_overflows),
            ("pool_addresses", GAUGE, &self.pool_addresses),
            ("pool_bound", GAUGE, &self.pool_bound),
            ("pool_quarantined", GAUGE, &self.pool_quarantined),
            ("alarms", GAUGE, &self.alarms),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_shown_from_the_start() {
        let metrics = Metrics::new();
        metrics.count(Err(DropReason::DhcpNoSubnet));
        metrics.count(Ok(()));
        let text = metrics.text();
        for reason in DropReason::ALL {
            let count = u64::from(reason == DropReason::DhcpNoSubnet);
            let line = format!("ironherd_rack_dropped_total{{reason=\"{reason}\"}} {count}\n");
            assert!(text.contains(&line), "{line}");
        }
        assert!(text.contains("ironherd_rack_dhcp_replies_total 0\n"));
    }
}
