use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use ironherd_proto::DropReason;
use ironherd_uring::RingCounters;

use crate::config::{Durability, RackConfig};

/// Says each metric once: its field, its kind, its name and what it means.
macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $field:ident: $kind:ident => $name:literal,)+) => {
        /// What the rack has counted since its start, over all shards.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            drops: Vec<AtomicU64>,
            $($(#[doc = $doc])+ pub(crate) $field: AtomicU64,)+
        }

        impl Metrics {
            fn plain(&self) -> Vec<Plain<'_>> {
                vec![$(Plain {
                    name: $name,
                    kind: $kind,
                    help: concat!($($doc),+),
                    value: &self.$field,
                },)+]
            }
        }
    };
}

/// A metric without labels.
struct Plain<'a> {
    name: &'static str,
    kind: &'static str,
    help: &'static str, // With a space before it.
    value: &'a AtomicU64,
}

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";
const DROPPED: &str = "Packets that got no answer, by why.";

metrics! {
    /// DHCPv4 datagrams that came in on served links.
    dhcp_requests: COUNTER => "dhcp_requests_total",
    /// DHCPv4 replies that were handed to the kernel.
    dhcp_replies: COUNTER => "dhcp_replies_total",
    /// DHCPv6 datagrams that came in on served links.
    dhcp6_requests: COUNTER => "dhcp6_requests_total",
    /// DHCPv6 replies that were handed to the kernel.
    dhcp6_replies: COUNTER => "dhcp6_replies_total",
    /// IPv6 addresses and prefixes that are leased now.
    dhcp6_leases: GAUGE => "dhcp6_leases",
    /// Datagrams to port 69.
    tftp_requests: COUNTER => "tftp_requests_total",
    /// Sends of TFTP; one may carry a whole window.
    tftp_sends: COUNTER => "tftp_sends_total",
    /// Bytes of TFTP that were sent, headers and resends included.
    tftp_bytes: COUNTER => "tftp_bytes_total",
    /// HTTP connections that were accepted.
    http_connections: COUNTER => "http_connections_total",
    /// Bytes of HTTP that were sent.
    http_bytes: COUNTER => "http_bytes_total",
    /// Batches of leases that were written; in durable mode each is synced.
    journal_commits: COUNTER => "journal_commits_total",
    /// Length of all lease journals.
    journal_bytes: GAUGE => "journal_bytes",
    /// Writes, syncs and compactions of a journal that failed.
    journal_failures: COUNTER => "journal_failures_total",
    /// Journals that cannot be written now: nothing is granted there.
    journals_failed: GAUGE => "journals_failed",
    /// Threads that answer.
    shards: GAUGE => "shards",
    /// Offered addresses that were asked about, by ARP or Neighbor Solicitation.
    probes: COUNTER => "conflict_probes_total",
    /// Of those, addresses that somebody was found to use.
    conflicts: COUNTER => "conflicts_total",
    /// Addresses that could not be asked about.
    probes_left_out: COUNTER => "conflict_probes_left_out_total",
    /// 1 while an ACK waits for the disk, 0 while the kernel's word is enough.
    durable: GAUGE => "leases_durable",
    /// Journals that were written anew.
    journal_compactions: COUNTER => "journal_compactions_total",
    /// Boot events that found no room on their way to the region.
    events_dropped: COUNTER => "events_dropped_total",
    /// Rounds in which all leases are told to the region anew.
    lease_resyncs: COUNTER => "lease_resyncs_total",
    /// Replies that found no free send slot.
    sends_refused: COUNTER => "sends_refused_total",
    /// Packets on interfaces that serve no subnet.
    unserved_interface: COUNTER => "unserved_interface_total",
    /// Which state of the region the rack answers from.
    snapshot_generation: GAUGE => "snapshot_generation",
    /// Boot files that are on their way from the region.
    files_arriving: GAUGE => "files_arriving",
    /// Requests of agents that were passed on to the region.
    gateway_relayed: COUNTER => "gateway_relayed_total",
    /// Requests of agents that the gateway does not pass on.
    gateway_refused: COUNTER => "gateway_refused_total",
    /// Requests of agents while the region could not be reached.
    gateway_unavailable: COUNTER => "gateway_unavailable_total",
    /// Datagrams that came in.
    ring_datagrams: COUNTER => "ring_datagrams_total",
    /// Datagrams longer than a buffer, or of an unknown interface.
    ring_malformed: COUNTER => "ring_malformed_total",
    /// Times that no receive buffer was free.
    ring_starved: COUNTER => "ring_starved_total",
    /// Sends that the kernel refused.
    ring_send_failures: COUNTER => "ring_send_failures_total",
    /// Sends that had to be cut into datagrams one by one.
    ring_segmentation_refused: COUNTER => "ring_segmentation_refused_total",
    /// Completions of operations that were given up.
    ring_late: COUNTER => "ring_late_total",
    /// HTTP connections beyond the most there may be.
    ring_streams_refused: COUNTER => "ring_streams_refused_total",
    /// Completions that the kernel could not queue at once.
    ring_overflows: COUNTER => "ring_overflows_total",
    /// IPv4 addresses of all ranges that this rack serves.
    pool_addresses: GAUGE => "pool_addresses",
    /// Of those, addresses that are leased.
    pool_bound: GAUGE => "pool_bound",
    /// Of those, addresses that are let alone: somebody else uses them.
    pool_quarantined: GAUGE => "pool_quarantined",
    /// What operators are warned of now; see `ironherd alarm list`.
    alarms: GAUGE => "alarms",
}

/// Answers `GET /metrics`.
pub(crate) fn router(metrics: &Arc<Metrics>) -> Router {
    let metrics = Arc::clone(metrics);
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Router::new().route("/metrics", get(async move || (kind, metrics.text())))
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
        let _ = writeln!(text, "# HELP ironherd_rack_dropped_total {DROPPED}");
        text.push_str("# TYPE ironherd_rack_dropped_total counter\n");
        for (reason, counter) in DropReason::ALL.iter().zip(&self.drops) {
            let count = counter.load(Ordering::Relaxed);
            // Writing to a String cannot fail; this holds for the other lines, too.
            let _ = writeln!(text, "ironherd_rack_dropped_total{{reason=\"{reason}\"}} {count}");
        }
        for Plain { name, kind, help, value } in self.plain() {
            let value = value.load(Ordering::Relaxed);
            let _ = writeln!(text, "# HELP ironherd_rack_{name}{help}");
            let _ = writeln!(text, "# TYPE ironherd_rack_{name} {kind}");
            let _ = writeln!(text, "ironherd_rack_{name} {value}");
        }
        text
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

    /// `docs/metrics.md`, which people read instead of this file.
    #[test]
    fn the_list_of_metrics_is_up_to_date() {
        let mut text = String::from(
            "# Metrics of a rack\n\n\
             `GET /metrics` at `rack.metrics_listen`, in Prometheus' text form. Made from \
             `dataplane/server/src/metrics.rs` and\n`dataplane/proto/src/drop_reason.rs`: \
             `IRONHERD_BLESS=1 cargo test -p ironherd-rack` writes it.\n\n\
             | name | kind | what it counts |\n|---|---|---|\n",
        );
        for Plain { name, kind, help, .. } in Metrics::new().plain() {
            let _ = writeln!(text, "| `ironherd_rack_{name}` | {kind} |{help} |");
        }
        let _ = writeln!(text, "| `ironherd_rack_dropped_total{{reason}}` | counter | {DROPPED} |");
        text.push_str("\n## Why packets are dropped\n\n| reason | what it means |\n|---|---|\n");
        for reason in DropReason::ALL {
            let _ = writeln!(text, "| `{reason}` |{} |", reason.text());
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        if std::env::var_os("IRONHERD_BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == text,
            "docs/metrics.md is out of date; its first lines say how to renew"
        );
    }
}
