//! What racks warn of: each report brings all that is so, and what is new or over is an event.

use std::net::Ipv4Addr;

use ironherd_domain::{RackAlarmKind, UnixMicros};
use ironherd_store::{Rack, rack};
use serde::{Deserialize, Serialize};

use crate::RackAlarmReport;
use crate::work::{Inner, Work};

/// Something that is so at a rack, as long as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RackAlarm {
    pub kind: RackAlarmKind,
    /// What it is about. With the kind it names the alarm.
    pub subject: String,
    pub message: String,
    /// When the region heard of it first.
    pub since: UnixMicros,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    kind: String,
    subject: String,
    message: String,
    since_us: i64,
}

/// More than one rack has networks and foreign servers.
const ALARMS_MAX: usize = 512;
const TEXT_CHARS_MAX: usize = 500;
const RACKS_MAX: u32 = 1_000;

/// The alarms of a rack. Of a kind that only a newer version knows, none is shown.
#[must_use]
pub fn rack_alarms(it: &Rack) -> Vec<RackAlarm> {
    let stored: Vec<Stored> = serde_json::from_str(&it.alarms).unwrap_or_default();
    let read = |it: Stored| {
        let (kind, since) = (it.kind.parse().ok()?, UnixMicros(it.since_us));
        Some(RackAlarm { kind, subject: it.subject, message: it.message, since })
    };
    stored.into_iter().filter_map(read).collect()
}

/// Keeps what a rack warns of now, and notes what began or ended.
pub(crate) async fn take(work: &mut Work, from: &Rack, told: &[RackAlarmReport]) -> Inner<()> {
    let before = rack_alarms(from);
    let racks = rack::page(&mut work.tx, None, RACKS_MAX).await?;
    let ours =
        |at: Ipv4Addr| racks.iter().flat_map(|it| &it.addresses).any(|it| it.parse() == Ok(at));
    let mut now: Vec<RackAlarm> = Vec::new();
    for it in told.iter().take(ALARMS_MAX) {
        let server = it.subject.split(' ').next().and_then(|it| it.parse().ok());
        if it.kind == RackAlarmKind::ForeignDhcpServer && server.is_some_and(ours) {
            continue; // Another rack of this region.
        }
        let clip = |text: &str| text.chars().take(TEXT_CHARS_MAX).collect::<String>();
        let (subject, message) = (clip(&it.subject), clip(&it.message));
        let is_it = |other: &&RackAlarm| (other.kind, &other.subject) == (it.kind, &subject);
        let since = before.iter().find(is_it).map_or(work.now, |it| it.since);
        now.push(RackAlarm { kind: it.kind, subject, message, since });
    }
    if now == before {
        return Ok(());
    }
    let is_in = |list: &[RackAlarm], it: &RackAlarm| {
        list.iter().any(|other| (other.kind, &other.subject) == (it.kind, &it.subject))
    };
    for it in now.iter().filter(|it| !is_in(&before, it)) {
        work.event(None, "ALARM_RAISED", format!("{}: {}", from.name, it.message));
    }
    for it in before.iter().filter(|it| !is_in(&now, it)) {
        work.event(None, "ALARM_OVER", format!("{}: {} {}", from.name, it.kind, it.subject));
    }
    let stored: Vec<Stored> = now.into_iter().map(Stored::from).collect();
    let text = serde_json::to_string(&stored).unwrap_or_else(|_| "[]".to_owned());
    rack::set_alarms(&mut work.tx, from.id, &text).await?;
    Ok(())
}

impl From<RackAlarm> for Stored {
    fn from(it: RackAlarm) -> Self {
        let RackAlarm { kind, subject, message, since } = it;
        Self { kind: kind.to_string(), subject, message, since_us: since.0 }
    }
}
