//! What our server alone is asked: a storm of first contacts, and a start with a million leases.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use ironherd_leases::{Ask, Claims, Slice, Table};
use ironherd_snapshot::{ClassSet, Index, Mac};

use crate::load::{Loader, Way};
use crate::network::{Network, SERVER_ADDRESS};
use crate::rack::{POOL_FIRST, snapshot};
use crate::rows::{Compared as _, Row};
use crate::servers::Kind;

const BURST_CLIENTS: u32 = 10_000;
const BURST_WITHIN: Duration = Duration::from_millis(100);
/// Nobody aims at this table, so the key need not be a secret.
const HASH_KEY: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9];
const LEASE_SECONDS: u64 = 7 * 24 * 3600;

/// A power cut ends: everyone broadcasts at once.
pub(crate) fn burst(
    kind: Kind,
    network: &Network,
    folder: &Path,
    loader: &mut Loader<'_>,
) -> anyhow::Result<Vec<Row>> {
    let running = kind.start(network, folder, loader)?;
    let outcome = loader.burst(BURST_CLIENTS, BURST_WITHIN, Way::Direct)?;
    running.process.stop()?;
    let errors = outcome.errors.total();
    ensure!(errors == 0, "{}: {errors} wrong replies in the burst", kind.name());
    let count = |it: u64| u32::try_from(it).map_or(f64::MAX, f64::from);
    Ok(vec![
        row("burst_10k_in_100ms/lost", "DISCOVERs", count(outcome.lost_discovers)),
        row("burst_10k_in_100ms/later_than_1s", "OFFERs", count(outcome.slow_offers)),
        row("burst_10k_in_100ms/offer_max", "ms", outcome.offer.max_us / 1000.0),
        row("burst_10k_in_100ms/lease_p99", "ms", outcome.whole.p99_us / 1000.0),
    ])
}

/// Starts on a journal of `leases` leases; the time is from the start of the process to the first
/// answer, and the memory is what one without leases does not need.
pub(crate) fn restart(
    kind: Kind,
    network: &Network,
    folder: &Path,
    leases: u32,
    loader: &mut Loader<'_>,
) -> anyhow::Result<Vec<Row>> {
    let empty = kind.start(network, folder, loader)?;
    let bare = empty.process.memory()?;
    empty.process.stop()?;
    fs::write(folder.join("leases.journal"), journal(leases)?)?;
    let start = Instant::now();
    let full = kind.start_in(network, folder, loader)?;
    let first_answer = start.elapsed();
    let memory = full.process.memory()?;
    full.process.stop()?;
    let each = f64::from(u32::try_from(memory.saturating_sub(bare))?) / f64::from(leases);
    let millions = f64::from(leases) / 1e6;
    Ok(vec![
        row(
            &format!("restart_{millions}m/first_answer"),
            "ms",
            first_answer.as_secs_f64() * 1000.0,
        ),
        row(&format!("restart_{millions}m/memory_per_lease"), "B", each),
    ])
}

/// The journal that granting so many leases leaves, by the code that grants them.
fn journal(leases: u32) -> anyhow::Result<Vec<u8>> {
    let index = Index::new(snapshot());
    let mut table = Table::of_shard(Slice::WHOLE, Claims::new(), HASH_KEY);
    table.follow(&index);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut journal = Vec::new();
    for number in 0..leases {
        let [a, b, c, d] = number.to_be_bytes();
        let mac = Mac([0x02, 0x1e, a, b, c, d]);
        let ask = Ask {
            index: &index,
            subnet: 0,
            mac,
            reserved: None,
            ours: SERVER_ADDRESS,
            classes: ClassSet::default(),
        };
        let address = Ipv4Addr::from(POOL_FIRST.to_bits() + number);
        let granted = table.bind(&ask, address, now + LEASE_SECONDS);
        granted.map_err(|it| anyhow::anyhow!("lease {number}: {it:?}"))?;
        let position = table.take_batch(&mut journal).context("a lease is written")?;
        table.handle_committed(position);
    }
    Ok(journal)
}

fn row(name: &str, unit: &'static str, ours: f64) -> Row {
    Row::alone("dhcp", name.to_owned(), unit, ours)
}
