//! Boot files by TFTP: rounds over all servers, then what our server alone is asked.

mod load;
mod servers;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;

use self::load::{Fetches, Load, Outcome};
use self::servers::{Kind, READY};
use crate::network::Network;
use crate::process::Process;
use crate::rows::{self, Better, Compared as _, Row, Samples};

#[derive(Debug, Args)]
pub(crate) struct TftpArgs {
    /// One short round.
    #[arg(long)]
    quick: bool,
    /// Our server alone, for a moment: shows that the bench still works.
    #[arg(long)]
    smoke: bool,
    /// Only these servers, by name.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    #[arg(long)]
    rounds: Option<u32>,
    /// The program of tftpd-hpa.
    #[arg(long, default_value = "in.tftpd")]
    tftpd_hpa: PathBuf,
    /// `table` or `json`, on standard output.
    #[arg(long, default_value = "table")]
    output: String,
    /// Where the servers keep their files.
    #[arg(long)]
    work: PathBuf,
    /// Also writes the rows, and what they come from, there.
    #[arg(long)]
    save: Option<PathBuf>,
}

/// As large as an initrd; and as a boot loader with its kernel.
const LARGE: (&str, usize) = ("large.img", 16 << 20);
const SMALL: (&str, usize) = ("small.img", 2 << 20);
const PATIENCE: Duration = Duration::from_secs(1);
const STORM_CLIENTS: u32 = 2_000;
const OPEN_CLIENTS: u32 = 10_000;

/// A load that all servers get in every round.
struct Contest {
    row: &'static str,
    clients: u32,
    window_blocks: u16,
    rates: Samples<Kind>,
    cpu: Samples<Kind>,
}

impl Contest {
    fn new(row: &'static str, clients: u32, window_blocks: u16) -> Self {
        let (rates, cpu) = (Samples::default(), Samples::default());
        Self { row, clients, window_blocks, rates, cpu }
    }

    /// The rate; and the processor time for a megabyte, which the generator does not bound.
    fn rows(&self) -> Vec<Row> {
        let Self { row, rates, cpu, .. } = self;
        let rate = rates.row("tftp", Kind::Ironherd, row, "MB/s", Better::More, Some(cpu));
        let name = format!("{row}/cpu");
        let cost = cpu.row("tftp", Kind::Ironherd, &name, "us/MB", Better::Less, None);
        rate.into_iter().chain(cost).collect()
    }
}

/// What is measured, and what it came from.
struct Bench<'a> {
    network: &'a Network,
    fetches: Fetches<'a>,
    work: &'a Path,
    tftpd_hpa: &'a Path,
    files: Vec<(&'static str, Vec<u8>)>,
    log: Vec<serde_json::Value>,
}

pub(crate) fn run(args: &TftpArgs) -> anyhow::Result<()> {
    let (rounds, seconds) = match (args.smoke, args.quick) {
        (true, _) => (1, 0.3),
        (_, true) => (1, 1.0),
        _ => (5, 3.0),
    };
    let rounds = args.rounds.unwrap_or(rounds).clamp(1, 99);
    let kinds = kinds(args)?;
    let network = Network::new()?;
    let copies = args.work.join("copies");
    fs::create_dir_all(&copies)?;
    let files = vec![(READY, b"ready".to_vec()), content(LARGE), content(SMALL)];
    for (name, bytes) in &files {
        fs::write(copies.join(name), bytes)?;
    }
    let fetches = Fetches { network: &network, copies };
    let mut bench = Bench {
        network: &network,
        fetches,
        work: &args.work,
        tftpd_hpa: &args.tftpd_hpa,
        files,
        log: Vec::new(),
    };
    let mut contests = [
        Contest::new("window_1_100_clients", 100, 1),
        Contest::new("window_16_100_clients", 100, 16),
    ];
    for round in 1..=rounds {
        for kind in &kinds {
            eprintln!("round {round} of {rounds}: {}", kind.name());
            let process = bench.start(*kind)?;
            for contest in &mut contests {
                bench.compete(contest, *kind, &process, seconds)?;
            }
            process.stop()?;
        }
    }
    let mut all: Vec<Row> = contests.iter().flat_map(Contest::rows).collect();
    if kinds.contains(&Kind::Ironherd) && !args.smoke {
        for kind in [Kind::Ironherd, Kind::Dnsmasq].into_iter().filter(|it| kinds.contains(it)) {
            all.extend(bench.storm(kind)?);
        }
        all.extend(bench.open_transfers()?);
    }
    if let Some(save) = &args.save {
        let all = json!({ "rows": all, "samples": bench.log });
        fs::write(save, format!("{all:#}\n"))
            .with_context(|| format!("cannot write {}", save.display()))?;
    }
    rows::print(&args.output, &all)
}

fn kinds(args: &TftpArgs) -> anyhow::Result<Vec<Kind>> {
    for name in &args.only {
        let known = Kind::ALL.iter().any(|it| it.name() == name);
        ensure!(known, "--only {name}: there is {}", Kind::ALL.map(Kind::name).join(", "));
    }
    if args.smoke {
        return Ok(vec![Kind::Ironherd]);
    }
    let wanted = |it: &Kind| args.only.is_empty() || args.only.iter().any(|name| name == it.name());
    Ok(Kind::ALL.into_iter().filter(wanted).collect())
}

/// Bytes of which no block is like another.
fn content((name, len): (&'static str, usize)) -> (&'static str, Vec<u8>) {
    let words = (0_u32..).flat_map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes());
    (name, words.take(len).collect())
}

impl Bench<'_> {
    fn start(&self, kind: Kind) -> anyhow::Result<Process> {
        let files: Vec<_> = self.files.iter().map(|(name, it)| (*name, it.as_slice())).collect();
        let folder = self.work.join(kind.name());
        kind.start(self.network, &folder, &files, &self.fetches, self.tftpd_hpa)
    }

    fn compete(
        &mut self,
        contest: &mut Contest,
        kind: Kind,
        process: &Process,
        seconds: f64,
    ) -> anyhow::Result<()> {
        let Contest { row, clients, window_blocks, .. } = *contest;
        let load = Load {
            name: LARGE.0,
            clients,
            window_blocks,
            seconds: Some(seconds),
            patience: PATIENCE,
        };
        let before = process.cpu()?;
        let outcome = self.fetches.run(&load)?;
        let cpu = process.cpu()?.saturating_sub(before).as_secs_f64();
        self.note(kind, row, &outcome);
        contest.rates.add(kind, outcome.megabytes_per_second);
        let megabytes = outcome.megabytes_per_second * outcome.seconds;
        if kind != Kind::TftpdHpa {
            // Which serves in other processes.
            contest.cpu.add(kind, cpu * 1e6 / megabytes.max(1e-9));
        }
        check(kind, &outcome)
    }

    /// A hall powers on: everyone asks at once, with the window that EDK2 asks for.
    fn storm(&mut self, kind: Kind) -> anyhow::Result<Vec<Row>> {
        eprintln!("storm: {}", kind.name());
        let process = self.start(kind)?;
        let load = Load {
            name: SMALL.0,
            clients: STORM_CLIENTS,
            window_blocks: 4,
            seconds: None,
            patience: PATIENCE * 4, // EDK2's.
        };
        let outcome = self.fetches.run(&load)?;
        process.stop()?;
        self.note(kind, "storm", &outcome);
        check(kind, &outcome)?;
        let row = |name: &str, unit, value| {
            Row::alone("tftp", format!("storm_2000_window_4/{}/{name}", kind.name()), unit, value)
        };
        Ok(vec![
            row("completed", "clients", count(outcome.completed)),
            row("spurious_resends", "blocks", count(outcome.repeats)),
            row("rate", "MB/s", outcome.megabytes_per_second),
            row("slowest_to_median", "times", outcome.max_ms / outcome.p50_ms.max(1e-9)),
        ])
    }

    /// How much memory many transfers at once take.
    fn open_transfers(&mut self) -> anyhow::Result<Vec<Row>> {
        eprintln!("open transfers: {}", Kind::Ironherd.name());
        let process = self.start(Kind::Ironherd)?;
        let load = Load {
            name: SMALL.0,
            clients: 100,
            window_blocks: 4,
            seconds: None,
            patience: PATIENCE * 4,
        };
        self.fetches.run(&load)?; // The file is in memory from here on.
        let before = process.memory()?;
        let many = Load { clients: OPEN_CLIENTS, window_blocks: 1, ..load };
        let (outcome, most) = std::thread::scope(|scope| {
            let fetches = &self.fetches;
            let load = scope.spawn(move || fetches.run(&many));
            let mut most = before;
            while !load.is_finished() {
                most = most.max(process.memory()?);
                std::thread::sleep(Duration::from_millis(20));
            }
            let outcome = load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
            anyhow::Ok((outcome, most))
        })?;
        process.stop()?;
        self.note(Kind::Ironherd, "open", &outcome);
        check(Kind::Ironherd, &outcome)?;
        let megabytes = count(most.saturating_sub(before)) / f64::from(1 << 20);
        let row = |name: &str, unit, value| {
            Row::alone("tftp", format!("open_10000_transfers/{name}"), unit, value)
        };
        Ok(vec![
            row("memory", "MiB", megabytes),
            row("completed", "clients", count(outcome.completed)),
            row("spurious_resends", "blocks", count(outcome.repeats)),
        ])
    }

    fn note(&mut self, kind: Kind, load: &str, outcome: &Outcome) {
        let Outcome { completed, repeats, gaps, timeouts, p50_ms, max_ms, .. } = outcome;
        eprintln!(
            "  {load:<22} {:>7.0} MB/s  {completed:>6} whole  {repeats} twice, {gaps} gaps, \
             {timeouts} waits in vain  p50 {p50_ms:.0} ms  max {max_ms:.0} ms  {:?}",
            outcome.megabytes_per_second, outcome.failed,
        );
        self.log.push(json!({ "server": kind.name(), "load": load, "outcome": outcome }));
    }
}

/// A server whose clients give up, or get other bytes, is not fast but wrong.
fn check(kind: Kind, outcome: &Outcome) -> anyhow::Result<()> {
    ensure!(!kind.is_ours() || outcome.failed.is_empty(), "{:?}", outcome.failed);
    Ok(())
}

fn count(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}
