//! The rounds: each server in turn, so that a busy minute of the computer hits all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;

use crate::extremes;
use crate::load::{Latency, Loader, Outcome};
use crate::network::Network;
use crate::rows::{self, Better, Compared as _, Row, Samples};
use crate::servers::{Kind, Running};
use crate::sync::{self, Evidence};

#[derive(Debug, Args)]
pub(crate) struct DhcpArgs {
    /// One short round.
    #[arg(long)]
    quick: bool,
    /// Our server alone, a few hundred leases: shows that the bench still works.
    #[arg(long)]
    smoke: bool,
    /// Only these servers, by name.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    #[arg(long)]
    rounds: Option<u32>,
    /// `table` or `json`, on standard output.
    #[arg(long, default_value = "table")]
    output: String,
    /// Where the servers keep their files. A disk, not memory: syncing is part of the question.
    #[arg(long)]
    work: PathBuf,
    /// Also writes the rows, and what they come from, there.
    #[arg(long)]
    save: Option<PathBuf>,
}

/// How long and how much.
#[derive(Clone, Copy, Debug)]
struct Scale {
    rounds: u32,
    closed: Duration,
    step: Duration,
    clients_max: u32,
    restart_leases: u32,
    ladders: bool,
}

/// All samples, by what they measure.
#[derive(Debug, Default)]
struct Measured {
    closed: Samples<Kind>,
    open: Samples<Kind>,
    perfdhcp: Samples<Kind>,
    cpu: Samples<Kind>,
    p50: Samples<Kind>,
    p99: Samples<Kind>,
    log: Vec<serde_json::Value>,
}

/// More than this lost, or this much below the rate that was offered, is too much.
const LOSS_MAX: f64 = 0.001;
const RATE_MIN: f64 = 0.97;
/// A step of the ladder, and how many of them.
const STEP: f64 = 1.12;
const STEPS_MAX: u32 = 12;
/// One step may fail for what else the computer does; two in a row do not.
const FAILURES_MAX: u32 = 2;

pub(crate) fn run(args: &DhcpArgs) -> anyhow::Result<()> {
    let scale = Scale::of(args);
    let kinds = kinds(args)?;
    let network = Network::new()?;
    fs::create_dir_all(&args.work)?;
    let mut measured = Measured::default();
    for round in 1..=scale.rounds {
        for kind in &kinds {
            eprintln!("round {round} of {}: {}", scale.rounds, kind.name());
            let folder = args.work.join(kind.name());
            measured.round(*kind, &network, &folder, scale)?;
        }
    }
    let mut evidence = Vec::new();
    for kind in &kinds {
        evidence.push(look_at_syncs(*kind, &network, &args.work.join(kind.name()))?);
    }
    let ours = kinds.iter().filter(|it| it.is_ours());
    let mut rows: Vec<Row> = ours.flat_map(|it| measured.rows(*it)).collect();
    if let Some(kind) = kinds.iter().find(|it| **it == Kind::Durable) {
        let folder = args.work.join(kind.name());
        if !args.smoke {
            eprintln!("burst: {}", kind.name());
            rows.extend(extremes::burst(*kind, &network, &folder, &mut Loader::new(&network))?);
        }
        eprintln!("restart: {}", kind.name());
        let loader = &mut Loader::new(&network);
        rows.extend(extremes::restart(*kind, &network, &folder, scale.restart_leases, loader)?);
    }
    if let Some(save) = &args.save {
        let all = json!({ "rows": rows, "syncs": evidence, "samples": measured.log });
        fs::write(save, format!("{all:#}\n"))
            .with_context(|| format!("cannot write {}", save.display()))?;
    }
    print(&args.output, &rows, &evidence)
}

fn kinds(args: &DhcpArgs) -> anyhow::Result<Vec<Kind>> {
    if args.smoke {
        return Ok(vec![Kind::Durable]);
    }
    for name in &args.only {
        let known = Kind::ALL.iter().any(|it| it.name() == name);
        ensure!(known, "--only {name}: there is {}", Kind::ALL.map(Kind::name).join(", "));
    }
    let wanted = |it: &Kind| args.only.is_empty() || args.only.iter().any(|name| name == it.name());
    Ok(Kind::ALL.into_iter().filter(wanted).collect())
}

impl Scale {
    fn of(args: &DhcpArgs) -> Self {
        let mut scale = Self {
            rounds: 5,
            closed: Duration::from_secs(3),
            step: Duration::from_secs(2),
            clients_max: u32::MAX,
            restart_leases: 1_000_000,
            ladders: true,
        };
        if args.quick {
            scale.rounds = 1;
            scale.closed = Duration::from_secs(1);
            scale.step = Duration::from_secs(1);
        }
        if args.smoke {
            scale.rounds = 1;
            scale.closed = Duration::from_millis(300);
            scale.clients_max = 300;
            scale.restart_leases = 1_000;
            scale.ladders = false;
        }
        scale.rounds = args.rounds.unwrap_or(scale.rounds).clamp(1, 99);
        scale
    }
}

impl Measured {
    /// Everything of one server in one round, on an empty folder.
    fn round(
        &mut self,
        kind: Kind,
        network: &Network,
        folder: &Path,
        scale: Scale,
    ) -> anyhow::Result<()> {
        let mut loader = Loader::new(network);
        let running = kind.start(network, folder, &mut loader)?;
        let clients = kind.clients().min(scale.clients_max);
        let outstanding = kind.outstanding().min(clients);
        let before = running.process.cpu()?;
        let closed = loader.closed(outstanding, clients, scale.closed)?;
        let cpu = running.process.cpu()?.saturating_sub(before);
        self.note(kind, "closed", f64::from(outstanding), &closed);
        check(kind, &closed)?;
        self.closed.add(kind, closed.per_second);
        let completed = u32::try_from(closed.completed).map_or(f64::MAX, f64::from);
        self.cpu.add(kind, cpu.as_secs_f64() * 1e6 / completed.max(1.0));
        if !scale.ladders {
            self.p50.add(kind, closed.whole.p50_us);
            self.p99.add(kind, closed.whole.p99_us);
            return running.process.stop();
        }
        let start = self.open.median(kind).unwrap_or(closed.per_second * 0.9) * 0.75;
        let best = self.climb(kind, "open", start, |rate| loader.open(rate, scale.step))?;
        self.open.add(kind, best);
        // Latency at half of what each can carry: below that, it is the waiting of others.
        let half = loader.open((best / 2.0).max(1.0), scale.step)?;
        self.note(kind, "half", best / 2.0, &half);
        self.p50.add(kind, half.whole.p50_us);
        self.p99.add(kind, half.whole.p99_us);
        let start = self.perfdhcp.median(kind).unwrap_or(best) * 0.75;
        let best = self.climb(kind, "perfdhcp", start, |rate| loader.perfdhcp(rate, scale.step))?;
        self.perfdhcp.add(kind, best);
        running.process.stop()
    }

    /// Raises the rate until too much is lost; gives the best that was carried.
    fn climb(
        &mut self,
        kind: Kind,
        name: &str,
        start: f64,
        mut load: impl FnMut(f64) -> anyhow::Result<Outcome>,
    ) -> anyhow::Result<f64> {
        let mut rate = start.max(1.0);
        let mut best = 0.0;
        let mut failures = 0;
        for _ in 0..STEPS_MAX {
            let outcome = load(rate)?;
            self.note(kind, name, rate, &outcome);
            check(kind, &outcome)?;
            let carried = outcome.loss <= LOSS_MAX && rate * RATE_MIN <= outcome.per_second;
            if carried {
                best = f64::max(best, outcome.per_second);
                failures = 0;
            } else {
                failures += 1;
                if FAILURES_MAX <= failures && 0.0 < best {
                    break;
                }
            }
            // Nothing carried yet: the start was too high.
            rate = if carried || 0.0 < best { rate * STEP } else { rate / STEP / STEP };
        }
        Ok(best)
    }

    fn note(&mut self, kind: Kind, load: &str, at: f64, outcome: &Outcome) {
        let Outcome { per_second, begun, completed, loss, .. } = *outcome;
        let Latency { p50_us, p99_us, .. } = outcome.whole;
        let percent = loss * 100.0;
        eprintln!(
            "  {load:<9} {at:>9.0}  {per_second:>9.0}/s  loss {percent:>7.3} %  \
             p50 {p50_us:>8.0} us  p99 {p99_us:>8.0} us"
        );
        self.log.push(json!({
            "server": kind.name(), "load": load, "at": at, "per_second": per_second,
            "begun": begun, "completed": completed, "loss": loss,
            "p50_us": p50_us, "p99_us": p99_us,
        }));
    }

    fn rows(&self, ours: Kind) -> Vec<Row> {
        let Self { closed, open, perfdhcp, cpu, p50, p99, .. } = self;
        let rows = [
            closed.row("dhcp", ours, "closed_loop", "leases/s", Better::More, Some(cpu)),
            open.row("dhcp", ours, "open_loop_loss_0.1%", "leases/s", Better::More, Some(cpu)),
            perfdhcp.row("dhcp", ours, "perfdhcp_loss_0.1%", "leases/s", Better::More, Some(cpu)),
            cpu.row("dhcp", ours, "cpu_per_lease", "us", Better::Less, None),
            p50.row("dhcp", ours, "lease_p50_at_half_rate", "us", Better::Less, None),
            p99.row("dhcp", ours, "lease_p99_at_half_rate", "us", Better::Less, None),
        ];
        rows.into_iter().flatten().collect()
    }
}

/// A server that gives one address to two clients is not fast but wrong.
fn check(kind: Kind, outcome: &Outcome) -> anyhow::Result<()> {
    let wrong = outcome.errors.total();
    if kind.is_ours() {
        ensure!(wrong == 0, "{}: {wrong} wrong replies: {:?}", kind.name(), outcome.errors);
    } else if 0 < wrong {
        eprintln!("  {}: {wrong} wrong replies: {:?}", kind.name(), outcome.errors);
    }
    let nothing = outcome.completed == 0;
    ensure!(!nothing || !kind.is_ours(), "{} granted nothing", kind.name());
    if nothing {
        eprintln!("  {} granted nothing", kind.name());
    }
    Ok(())
}

fn look_at_syncs(kind: Kind, network: &Network, folder: &Path) -> anyhow::Result<Evidence> {
    let mut loader = Loader::new(network);
    let running: Running = kind.start(network, folder, &mut loader)?;
    if kind.is_ours() {
        let outcome = loader.closed(16, 500, Duration::from_secs(1))?;
        return sync::told(kind, running, outcome.completed);
    }
    let evidence = sync::watch(kind, &network.server, &running, &mut loader)?;
    running.process.stop()?;
    Ok(evidence)
}

#[allow(clippy::print_stdout, reason = "this is the program's answer")]
fn print(output: &str, rows: &[Row], evidence: &[Evidence]) -> anyhow::Result<()> {
    rows::print(output, rows)?;
    if output == "json" {
        return Ok(());
    }
    for Evidence { server, syncs, leases, seen_by } in evidence {
        println!("{server}: {syncs} syncs to disk for {leases} leases (seen by {seen_by})");
    }
    Ok(())
}
